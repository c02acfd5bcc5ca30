"""What the types of the spec are in Python: annotations, checks, words, and readings of replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conditions import condition

if TYPE_CHECKING:
    from .model import Argument, Enumeration, Outcome, ResultField, Scalar
    from .scope import Scope

__all__ = [
    "IMPORTS",
    "attribute",
    "check_call",
    "field_annotation",
    "field_value",
    "parameter",
    "quoted",
    "unit",
    "values_of",
    "word",
]

#: Types that only annotations use, and where they come from.
IMPORTS = {
    "Iterable": "collections.abc",
    "Literal": "typing",
    "PathLike": "os",
    "date": "datetime",
    "datetime": "datetime",
    "time": "datetime",
    "timedelta": "datetime",
}

PARAMETERS = {
    "string": "str",
    "path": "str | PathLike[str]",
    "digits": "str | Iterable[str | int]",
    "spoken_digits": "int | str | Iterable[str | int]",
    "integer": "int",
    "milliseconds": "float | timedelta",
    "seconds": "float | timedelta",
    "fractional_seconds": "float | timedelta",
    "samples": "int",
    "epoch": "float | datetime | date | time",
    "label": "int | str",
    "flag": "bool",
    "options": "str | Iterable[str | int]",
    "routine_arguments": "str | Iterable[str | int]",
    "callerid": "str",
}

ATTRIBUTES = {
    "string": "str",
    "path": "str",
    "digits": "str",
    "spoken_digits": "str",
    "integer": "int",
    "milliseconds": "int",
    "seconds": "int",
    "fractional_seconds": "float",
    "samples": "int",
    "epoch": "int",
    "label": "int | str",
    "flag": "bool",
    "options": "str",
    "routine_arguments": "str",
    "callerid": "str",
}

FIELDS = {
    "string": "str",
    "integer": "int",
    "boolean": "bool",
    "digit": "str | None",
    "character": "str",
    "samples": "int",
    "milliseconds": "int",
    "speech_results": "tuple[SpeechResult, ...]",
}

#: How an argument's value becomes a word, when not as a quoted text.
NUMBERS = {"integer", "milliseconds", "seconds", "fractional_seconds", "samples", "epoch"}

#: What tells the reader how to give a value.
UNITS = {
    "digits": "Keys are 0-9, A-D, `*` and `#`, as a text or one by one.",
    "milliseconds": "In milliseconds, or a `timedelta`.",
    "seconds": "In whole seconds, or a `timedelta`.",
    "fractional_seconds": "In seconds, or a `timedelta`.",
    "samples": "In samples.",
    "epoch": (
        "What has no time zone is local to this machine: a datetime without one, a date (its "
        "midnight), a time (today's)."
    ),
    "options": (
        "A str is sent as it is; of an iterable each element is one argument, in which whatever "
        "Asterisk would split, strip or evaluate is escaped."
    ),
    "routine_arguments": (
        "A str is sent as it is; of an iterable each element is one argument, and one that "
        "Asterisk would split is refused."
    ),
}


def literal(values: tuple[int | str, ...]) -> str:
    """Give the annotation for one of a few values."""
    return f"Literal[{', '.join(map(repr, values))}]"


def values_of(argument: Argument, scope: Scope) -> tuple[int | str, ...]:
    """Give the plain values of a choice."""
    if argument.enumeration is not None:
        return tuple(member.value for member in scope.enumerations[argument.enumeration].members)
    return argument.values or ()


def parameter(argument: Argument, scope: Scope) -> str:
    """Give the annotation of an argument as it is passed."""
    if argument.type == "choice":
        plain = literal(values_of(argument, scope))
        kind = f"{argument.enumeration} | {plain}" if argument.enumeration else plain
    else:
        kind = PARAMETERS[argument.type]
    return f"{kind} | None" if argument.nullable or argument.now else kind


def attribute(argument: Argument, scope: Scope) -> str:
    """Give the annotation of an argument as it is kept."""
    if argument.type == "choice":
        kind = literal(values_of(argument, scope))
    else:
        kind = ATTRIBUTES[argument.type]
    return f"{kind} | None" if argument.nullable else kind


def unit(argument: Argument) -> str:
    """Give the sentence about how a value is given, unless the spec has said so already."""
    if argument.type == "samples" and "sample" in argument.about:
        return ""
    return UNITS.get(argument.type, "")


def check_call(argument: Argument, scope: Scope) -> str:
    """Give the expression that checks and normalises an argument."""
    name = argument.name
    kind = "string" if argument.type == "callerid" else argument.type
    parts = ["self", repr(name), name]
    if argument.type == "choice":
        parts.append(repr(values_of(argument, scope)))
    if argument.range is not None:
        parts += [repr(limit) for limit in argument.range]
    if argument.forbids is not None:
        parts.append(f"forbids={argument.forbids!r}")
    if argument.forbids_why is not None:
        parts.append(f"why={' '.join(argument.forbids_why.split())!r}")
    if not argument.allow_empty:
        parts.append("allow_empty=False")
    if argument.max_bytes is not None:
        parts.append(f"max_bytes={argument.max_bytes}")
    call = f"agi.arguments.{kind}({', '.join(parts)})"
    return f"None if {name} is None else {call}" if argument.nullable else call


def word(argument: Argument) -> tuple[str, set[str]]:
    """Give the expression of an argument's word, and the functions of `wire` that it uses."""
    value = f"self.{argument.name}"
    if argument.type == "flag":
        on = repr(argument.word)
        if argument.off_word is not None:
            return f"text({on} if {value} else {argument.off_word!r})", {"text"}
        return f"flag({value}, {on})", {"flag"}
    prefix = argument.prefix or ""
    if argument.type in NUMBERS - {"fractional_seconds"} and not argument.nullable:
        return (f"{prefix!r} + " if prefix else "") + f"str({value})", set()
    if argument.type in NUMBERS:
        made, uses = f"number({value})", "number"
        if prefix:
            made = f"{prefix!r} + {made}"
    elif argument.type == "choice" and not prefix:
        made, uses = f"choice({value})", "choice"
    elif argument.type == "label" and not prefix:
        made, uses = f"label({value})", "label"
    else:
        if argument.type == "callerid":
            value = f"agi.arguments.caller_id({value}, self.{argument.joined_with})"
        made, uses = f"text({repr(prefix) + ' + ' if prefix else ''}{value})", "text"
    if argument.nullable:
        made = f"None if self.{argument.name} is None else {made}"
    return made, {uses}


def may_be_omitted(argument: Argument) -> bool:
    """Tell whether the expression that `word` gives may be None."""
    return argument.nullable or (argument.type == "flag" and argument.off_word is None)


def field_annotation(field: ResultField) -> str:
    """Give the annotation of a result's field."""
    if field.enumeration is not None:
        kind = field.enumeration
    elif field.type == "choice":
        kind = literal(field.values or ())
    else:
        kind = FIELDS[field.type or "string"]
    return f"{kind} | None" if field.optional else kind


def field_value(field: ResultField, given: Scalar, outcome: Outcome, scope: Scope) -> str:
    """Give the expression that a field's value is read with."""
    if not (isinstance(given, str) and given.startswith("$")):
        if field.enumeration is not None and given is not None:
            return f"{field.enumeration}.{_member(scope.enumerations[field.enumeration], given)}"
        return repr(given)
    if given == "$results":
        return "tuple([SpeechResult(*heard) for heard in speech_results(reply)])"
    source = f"reply.pairs[{given[1:]!r}]"
    if given == "$result":
        source = "result"
    elif given == "$text":
        source = "reply.text"
    elif given == "$data":
        surely = outcome.when.data is True or field.optional
        source = "reply.data" if surely else '(reply.data or "")'
    if field.enumeration is not None:
        whole = scope.enumerations[field.enumeration].kind == "integer"
        return f"{field.enumeration}({f'int({source})' if whole else source})"
    if field.type in {"integer", "samples", "milliseconds"}:
        return f"int({source})"
    # A character travels as its code where the reply has a number, and as itself elsewhere.
    if field.type == "digit" or (field.type == "character" and given == "$result"):
        when = condition(outcome.when)
        never_zero = (when.results and "0" not in when.results) or (when.low or 0) > 0
        code = f"chr(int({source}))"
        return code if never_zero else f'{code} if {source} != "0" else None'
    return source


def _member(enumeration: Enumeration, value: Scalar) -> str:
    return next(member.name for member in enumeration.members if member.value == value)


def quoted(annotation: str) -> str:
    """Put an annotation in quotes, unless it costs nothing to look it up.

    Without the quotes Python would have to build it, from names that only checkers import; and
    ``from __future__ import annotations`` loads a module at the start of every script.
    """
    if annotation in {"None", "bool", "bytes", "float", "int", "object", "str"}:
        return annotation
    return '"' + annotation.replace('"', "'") + '"'
