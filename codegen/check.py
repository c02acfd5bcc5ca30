"""What no single entry can tell: names across files, and rules between the fields of an entry."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from .check_arguments import check_arguments
from .check_outcomes import check_outcomes
from .names import MODULES, bad_class, bad_constant, bad_field, module_of
from .runtime import wire
from .wording import headline

if TYPE_CHECKING:
    from .load import Spec
    from .model import Command, Enumeration, Result, ResultField
    from .problems import Path
    from .scope import Scope
    from .source import Document

__all__ = ["check"]


#: What Asterisk reads of a line; quoted words beyond overrun its array (res_agi.c, MAX_ARGS).
WORD_LIMIT = 127


def check(spec: Spec, scope: Scope) -> None:
    """Note every problem on the document where it stands."""
    _names(spec)
    for topic in spec.topics:
        _sentence(topic.document, ("about",), topic.file.about)
        for path, command in topic.commands:
            _command(topic.document, path, command, scope)
    if spec.results:
        document, results = spec.results
        if results.about:
            _sentence(document, ("about",), results.about)
        for at, result in enumerate(results.results):
            _result(document, ("results", at), result, scope)
    if spec.enumerations:
        document, enumerations = spec.enumerations
        if enumerations.about:
            _sentence(document, ("about",), enumerations.about)
        for at, enumeration in enumerate(enumerations.enumerations):
            _enumeration(document, ("enumerations", at), enumeration)
    if spec.environment:
        _environment(spec)


class _Register:
    """Names that must be unique, with the place where each was first used."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def add(self, document: Document, path: Path, name: str, what: str) -> bool:
        place = f"{document.name}:{document.line(path)}"
        first = self._seen.setdefault(name, place)
        if first != place:
            document.problem(path, f"{what} {name!r} stands already in {first}")
        return first == place


def _names(spec: Spec) -> None:
    commands, classes = _Register(), _Register()
    for topic in spec.topics:
        # In the package a module and a class have their names side by side.
        classes.add(topic.document, (), topic.name, "the module")
        if (
            not topic.name.isidentifier()
            or keyword.iskeyword(topic.name)
            or topic.name.startswith("_")
            or topic.name in MODULES
        ):
            message = f"{topic.name!r} cannot be the name of a module here; rename the file"
            topic.document.problem((), message)
        for path, command in topic.commands:
            commands.add(topic.document, (*path, "command"), command.command, "the command")
            key = (*path, "class" if command.class_ else "command")
            _class(topic.document, key, command.class_name, classes)
    if spec.results:
        for at, result in enumerate(spec.results[1].results):
            _class(spec.results[0], ("results", at, "class"), result.class_, classes)
    if spec.enumerations:
        document, file = spec.enumerations
        for at, enumeration in enumerate(file.enumerations):
            path = ("enumerations", at)
            _class(document, (*path, "class"), enumeration.class_, classes)
            for position, member in enumerate(enumeration.members):
                here = (*path, "members", position)
                key = (*here, "constant" if member.constant else "constants")
                for name in member.all_constants:
                    why = bad_constant(name)
                    if why:
                        document.problem(key, why)
                    classes.add(document, key, name, "the constant")


def _class(document: Document, path: Path, name: str, classes: _Register) -> None:
    why = bad_class(name)
    if why:
        document.problem(path, why)
    elif classes.add(document, path, name, "the class"):
        # `TDDMode` and `TddMode` would be in the same file.
        classes.add(document, path, module_of(name), "the module")


def _sentence(document: Document, path: Path, text: str, room: int = 92) -> None:
    """Demand a first sentence that fits on a docstring's first line."""
    first, _ = headline(text)
    if len(first) > room:
        message = f"the first sentence must fit in {room} columns, and has {len(first)}: {first!r}"
        document.problem(path, message)
    elif not first.endswith((".", "!", "?")):
        document.problem(path, "must be a sentence that ends in a period")
    if '"""' in text:
        document.problem(path, "must not hold three double quotes: it becomes a docstring")


def _versions(document: Document, path: Path, since: str | None, until: str | None) -> None:
    if since and until and _numbers(until) <= _numbers(since):
        message = f"{until} is not after since: {since} (until is the first version without it)"
        document.problem((*path, "until"), message)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _command(document: Document, path: Path, command: Command, scope: Scope) -> None:
    _sentence(document, (*path, "summary"), command.summary)
    for name in ("about", "usage_hint", "source"):
        text: str | None = getattr(command, name)
        if text and '"""' in text:
            document.problem((*path, name), "must not hold three double quotes")
    for name in ("quirks", "documentation"):
        texts: tuple[str, ...] = getattr(command, name)
        for at, text in enumerate(texts):
            if '"""' in text:
                document.problem((*path, name, at), "must not hold three double quotes")
    for at, phase in enumerate(command.interrupted):
        if phase.reply is not None and not wire.reply_code(phase.reply.encode()):
            message = f"{phase.reply!r} is no reply: it begins with a code (null: none at all)"
            document.problem((*path, "interrupted", at, "reply"), message)
    _versions(document, path, command.since, command.until)
    for at, argument in enumerate(command.arguments):
        _versions(document, (*path, "arguments", at), argument.since, argument.until)
    for at, outcome in enumerate(command.outcomes):
        _versions(document, (*path, "outcomes", at), outcome.since, outcome.until)
    if command.usage_hint and not command.usage:
        message = "a command that never answers 520 (usage: false) needs none"
        document.problem((*path, "usage_hint"), message)
    if not command.examples:
        message = "is missing: at least one {python: ..., wire: ...}"
        document.problem((*path, "examples"), message)
    known = {argument.name for argument in command.arguments}
    for name in command.documented_as:
        if name not in known:
            message = f"{command.command} has no argument {name!r}"
            document.problem((*path, "documented_as", name), message)
    for at, entry in enumerate(command.drift):
        if entry.difference in [other.difference for other in command.drift[:at]]:
            document.problem((*path, "drift", at, "difference"), "stands there already")
    words = command.command.count(" ") + 1 + len(command.arguments)
    if words > WORD_LIMIT:
        message = f"{words} words with the command's own, and Asterisk reads {WORD_LIMIT} of a line"
        document.problem((*path, "arguments"), message)
    check_arguments(document, (*path, "arguments"), command.arguments, scope)
    check_outcomes(document, path, command, scope)


def _result(document: Document, path: Path, result: Result, scope: Scope) -> None:
    _sentence(document, (*path, "about"), result.about)
    names = _Register()
    for at, field in enumerate(result.fields):
        here = (*path, "fields", at)
        why = bad_field(field.name)
        if why:
            document.problem((*here, "name"), why)
        else:
            names.add(document, (*here, "name"), field.name, "the field")
        if '"""' in field.about:
            document.problem((*here, "about"), "must not hold three double quotes")
        _field_type(document, here, field, scope)


def _field_type(document: Document, path: Path, field: ResultField, scope: Scope) -> None:
    if field.type is None and field.enumeration is None:
        document.problem((*path, "type"), "is missing (or else enumeration)")
    elif field.type is not None and field.enumeration is not None:
        document.problem((*path, "enumeration"), "a field has either a type or an enumeration")
    elif field.enumeration is not None and field.enumeration not in scope.enumerations:
        message = f"there is no enumeration {field.enumeration!r}"
        document.problem((*path, "enumeration"), message)
    if field.type == "choice" and field.values is None:
        document.problem((*path, "values"), "is missing: a choice needs its values")
    if field.type != "choice" and field.values is not None:
        document.problem((*path, "values"), "only a choice has values")
    if field.type == "digit" and field.optional:
        message = "a digit is always optional: None when no key was pressed"
        document.problem((*path, "optional"), message)
    if field.type == "speech_results":
        _speech_result(document, path, scope)


def _speech_result(document: Document, path: Path, scope: Scope) -> None:
    """Demand the class that the runtime's speech results are put into, field by field."""
    found = scope.results.get("SpeechResult")
    kinds = [field.type for field in found.fields] if found else []
    if len(kinds) != 3 or kinds[0] != "integer" or set(kinds[1:]) != {"string"}:
        message = "speech_results needs a result class SpeechResult of an integer and two strings"
        document.problem((*path, "type"), message)


def _enumeration(document: Document, path: Path, enumeration: Enumeration) -> None:
    _sentence(document, (*path, "about"), enumeration.about)
    names, values = _Register(), _Register()
    kind: type[int | str] = int if enumeration.kind == "integer" else str
    for at, member in enumerate(enumeration.members):
        here = (*path, "members", at)
        if (
            not member.name.isidentifier()
            or keyword.iskeyword(member.name)
            or member.name.startswith("_")
            or hasattr(kind, member.name)
            or member.name in {"name", "value"}
        ):
            message = f"{member.name!r} cannot be the name of a member"
            document.problem((*here, "name"), message)
        names.add(document, (*here, "name"), member.name, "the member")
        if not isinstance(member.value, kind):
            message = f"{member.value!r} is no {enumeration.kind}, as kind says it is"
            document.problem((*here, "value"), message)
        elif "\n" in str(member.value):
            document.problem((*here, "value"), "must not hold a line feed: AGI cannot express it")
        values.add(document, (*here, "value"), str(member.value), "the value")


def _environment(spec: Spec) -> None:
    if spec.environment is None:
        return
    document, file = spec.environment
    names, attributes = _Register(), _Register()
    for at, variable in enumerate(file.environment):
        path: Path = ("environment", at)
        # The path and the query of a script come out of one variable.
        if variable.type != "query":
            names.add(document, (*path, "name"), variable.name, "the variable")
        attributes.add(document, (*path, "attribute"), variable.attribute, "the attribute")
        why = bad_field(variable.attribute)
        if variable.attribute in {"raw", "others"}:
            why = f"{variable.attribute!r} is an attribute of every environment"
        if why:
            document.problem((*path, "attribute"), why)
        if (variable.type == "arguments") != variable.name.endswith("_"):
            message = "type arguments is for numbered variables, whose name here ends in _"
            document.problem((*path, "type"), message)
        if variable.optional and variable.type != "string":
            document.problem((*path, "optional"), "only a string can be optional")
        if '"""' in variable.about:
            document.problem((*path, "about"), "must not hold three double quotes")
