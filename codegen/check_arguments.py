"""Rules about the arguments of a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from .names import bad_argument

if TYPE_CHECKING:
    from .model import Argument
    from .problems import Path
    from .scope import Scope
    from .source import Document

__all__ = ["check_arguments"]

NUMBERS = {"integer", "milliseconds", "seconds", "fractional_seconds", "samples", "epoch"}
INT32 = (-(2**31), 2**31 - 1)

#: What may stand in front of a value, in its word.
PREFIX = re.compile(r"""[!#-\[\]-~]+""")
#: One word for Asterisk's tokenizer.
WORD = re.compile(r"""\"([^"\\\n]|\\[^\n])*\"|[^\s"\\]+""")

#: Which checks of the runtime know which restriction.
ALLOWED = {
    "range": NUMBERS,
    "forbids": {"string", "path", "callerid"},
    "forbids_why": {"string", "callerid"},
    "max_bytes": {"string", "callerid"},
    "allow_empty": {"string", "path", "callerid"},
    "values": {"choice"},
    "enumeration": {"choice"},
    "word": {"flag"},
    "off_word": {"flag"},
    "joined_with": {"callerid"},
    "now": {"epoch"},
}


def check_arguments(
    document: Document, path: Path, arguments: tuple[Argument, ...], scope: Scope
) -> None:
    """Note what is wrong with the arguments of one command."""
    seen: dict[str, int] = {}
    optional = ""
    omitted = ""
    for at, argument in enumerate(arguments):
        here = (*path, at)
        why = bad_argument(argument.name)
        if why:
            document.problem((*here, "name"), why)
        elif argument.name in seen:
            message = f"argument {argument.name!r} stands already in {path[-1]}"
            document.problem((*here, "name"), f"{message}[{seen[argument.name]}]")
        seen.setdefault(argument.name, at)
        if argument.required and optional:
            message = f"the required argument {argument.name!r} follows the optional {optional!r}"
            document.problem((*here, "name"), message)
        if not argument.required:
            optional = argument.name
        if argument.wire == "always" and omitted:
            message = f"{argument.name!r} is always sent, so {omitted!r} before it cannot be left"
            document.problem((*here, "wire"), f"{message} out; use wire: filler there")
        if argument.wire == "omit":
            omitted = argument.name
        if '"""' in f"{argument.about}{argument.quirk}{argument.empty}":
            document.problem(here, "must not hold three double quotes: it becomes a docstring")
        _keys(document, here, argument)
        _wire(document, here, argument)
        _choice(document, here, argument, scope)
        if not argument.required:
            _default(document, here, argument, scope)
    _joined(document, path, arguments)


def _keys(document: Document, path: Path, argument: Argument) -> None:
    for key, types in ALLOWED.items():
        if key in argument.model_fields_set and argument.type not in types:
            message = f"means nothing for an argument of type {argument.type}"
            document.problem((*path, key), message)
    if argument.type == "flag":
        if argument.word is None:
            document.problem((*path, "word"), "is missing: what the flag sends when it is true")
        if argument.off_word is None and argument.wire != "skip":
            message = "a flag without off_word sends nothing for false: use wire: skip"
            document.problem((*path, "wire"), message)
    if argument.forbids_why is not None and argument.forbids is None:
        document.problem((*path, "forbids_why"), "means nothing without forbids")
    if argument.range is not None:
        low, high = argument.range
        if low is not None and high is not None and low > high:
            document.problem((*path, "range"), f"{low} is more than {high}")
        if argument.type != "fractional_seconds" and any(
            isinstance(limit, float) for limit in argument.range
        ):
            document.problem((*path, "range"), "must be whole numbers")
    if argument.prefix is not None and not PREFIX.fullmatch(argument.prefix):
        message = "must be printable ASCII without spaces, quotes and backslashes"
        document.problem((*path, "prefix"), message)
    if argument.filler is not None and not WORD.fullmatch(argument.filler):
        message = "must be one word as it stands on the line, in quotes if it holds spaces"
        document.problem((*path, "filler"), message)
    for key in ("word", "off_word"):
        text: str | None = getattr(argument, key)
        if text and "\n" in text:
            document.problem((*path, key), "must not hold a line feed: AGI cannot express it")
    for at, value in enumerate(argument.values or ()):
        if "\n" in str(value):
            message = "must not hold a line feed: AGI cannot express it"
            document.problem((*path, "values", at), message)


def _wire(document: Document, path: Path, argument: Argument) -> None:
    explicit_null = not argument.required and argument.default is None
    if argument.wire in {"omit", "filler", "joined"} and (not explicit_null or argument.now):
        message = f"wire: {argument.wire} is for an argument with default: null"
        document.problem((*path, "default"), message)
    if argument.wire == "skip" and not explicit_null and argument.default not in {True, False}:
        message = "wire: skip is for an argument with default: null, or a flag with a default"
        document.problem((*path, "default"), message)
    if argument.wire == "always" and explicit_null and not argument.now:
        message = "null cannot be sent: wire: omit, filler or skip say what happens instead"
        document.problem((*path, "default"), message)
    if (argument.wire == "filler") != (argument.filler is not None):
        message = "wire: filler and the key filler come together"
        document.problem((*path, "filler"), message)


def _choice(document: Document, path: Path, argument: Argument, scope: Scope) -> None:
    if argument.type != "choice":
        return
    if (argument.values is None) == (argument.enumeration is None):
        document.problem(path, "a choice has either values or an enumeration")
    elif argument.enumeration is not None and argument.enumeration not in scope.enumerations:
        message = f"there is no enumeration {argument.enumeration!r}"
        document.problem((*path, "enumeration"), message)
    elif argument.values is not None and len({type(value) for value in argument.values}) > 1:
        document.problem((*path, "values"), "must be all texts or all numbers")
    elif argument.values is not None and len(set(argument.values)) < len(argument.values):
        document.problem((*path, "values"), "a value stands here twice")


def _default(document: Document, path: Path, argument: Argument, scope: Scope) -> None:
    default = argument.default
    if default is None:
        return
    why = ""
    kind = argument.type
    if kind in NUMBERS:
        whole = kind != "fractional_seconds"
        if isinstance(default, (bool, str)) or (whole and isinstance(default, float)):
            why = "must be a whole number" if whole else "must be a number"
        else:
            low, high = argument.range or (INT32 if whole else (None, None))
            if (low is not None and default < low) or (high is not None and default > high):
                why = f"{default} is outside of range: [{low}, {high}]"
    elif kind == "flag":
        why = "" if isinstance(default, bool) else "must be true or false"
    elif kind == "choice":
        values = list(argument.values or ())
        if argument.enumeration in scope.enumerations:
            values = [member.value for member in scope.enumerations[argument.enumeration].members]
        why = "" if default in values else f"{default!r} is none of {values}"
    elif kind == "label":
        if isinstance(default, bool) or not isinstance(default, (int, str)) or default in {0, ""}:
            why = "must be a positive number or a label"
    elif not isinstance(default, str):
        why = "must be a text; quote it"
    else:
        why = _text(argument, default)
    if why:
        document.problem((*path, "default"), why)


def _text(argument: Argument, default: str) -> str:
    if not default and not argument.allow_empty:
        return "is empty, which allow_empty: false refuses"
    if argument.type == "digits" and set(default) - set("0123456789ABCD*#"):
        return f"{default!r} holds what is no telephone key (0-9, A-D, *, #)"
    if argument.type == "spoken_digits" and not default[:1].isdecimal():
        return "must begin with a decimal digit"
    refused = set(argument.forbids or "") | {"\n", "\0"}
    if set(default) & refused:
        return f"{default!r} holds a character that is refused"
    if argument.max_bytes is not None and len(default.encode()) > argument.max_bytes:
        return f"{default!r} is longer than max_bytes"
    return ""


def _joined(document: Document, path: Path, arguments: tuple[Argument, ...]) -> None:
    """Callerid names the argument behind it, and that one says that it is joined."""
    expected: str | Literal[False] = False
    for at, argument in enumerate(arguments):
        if argument.wire == "joined" and argument.name != expected:
            message = "no argument of type callerid in front of it names it in joined_with"
            document.problem((*path, at, "wire"), message)
        expected = False
        if argument.type == "callerid":
            expected = argument.joined_with or False
            following = arguments[at + 1] if at + 1 < len(arguments) else None
            if (
                following is None
                or following.name != expected
                or following.wire != "joined"
                or following.type != "string"
            ):
                message = "must name the next argument, a string with wire: joined"
                document.problem((*path, at, "joined_with"), message)
