"""Rules about the outcomes of a command: a decision table whose every row can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conditions import condition, covers
from .model import Range, When
from .runtime import wire

if TYPE_CHECKING:
    from .model import Command, Given, Outcome, Result, ResultField, Scalar
    from .problems import Path
    from .scope import Scope
    from .source import Document

__all__ = ["check_outcomes", "parse_example"]

DTMF = "0123456789ABCD*#"
WHOLE = {"integer", "samples", "milliseconds"}
SOURCES = {
    "$data": {"string", "character", *WHOLE},
    "$text": {"string"},
    "$results": {"speech_results"},
}


def check_outcomes(document: Document, path: Path, command: Command, scope: Scope) -> None:
    """Note what is wrong with the outcomes of one command."""
    result = None if command.result is None else scope.results.get(command.result)
    if command.result is not None and result is None:
        message = f"there is no result {command.result!r} in results.yaml"
        document.problem((*path, "result"), message)
    outcomes = (*path, "outcomes")
    ids: set[str] = set()
    for at, outcome in enumerate(command.outcomes):
        here = (*outcomes, at)
        if outcome.id in ids:
            document.problem((*here, "id"), f"outcome {outcome.id!r} stands here already")
        ids.add(outcome.id)
        _shape(document, here, outcome, command)
        _order(document, here, at, command)
        if result is not None:
            _gives(document, here, outcome, result, scope)
        elif command.result is None and outcome.gives is not None:
            document.problem((*here, "gives"), "the command has no result that has fields")
        _examples(document, here, at, command, result, scope)
    if all(outcome.provisional or outcome.raises for outcome in command.outcomes):
        document.problem(outcomes, "no outcome is a success")


def _shape(document: Document, path: Path, outcome: Outcome, command: Command) -> None:
    if not outcome.examples:
        message = f"outcome {outcome.id!r} has no example; each needs a real line"
        document.problem((*path, "examples"), message)
    if outcome.raises and outcome.gives is not None:
        document.problem((*path, "gives"), "an outcome that raises gives nothing")
    if outcome.raises and not outcome.message:
        document.problem((*path, "message"), "is missing: what the exception says")
    if outcome.message and not outcome.raises:
        document.problem((*path, "message"), "only an outcome that raises has one")
    if outcome.settle and command.dead:
        message = "a command that is legal on a dead channel cannot tell a hangup; not allowed"
        document.problem((*path, "settle"), message)
    if outcome.provisional:
        if outcome.when.code != 100:
            document.problem((*path, "when"), "a provisional reply has code: 100")
        if outcome.raises or outcome.gives is not None or outcome.settle:
            document.problem((*path, "provisional"), "the real reply is still to come")
    elif outcome.when.code in {100, 510, 511, 520}:
        message = f"{outcome.when.code} is the runtime's, for every command alike"
        document.problem((*path, "when", "code"), message)
    limits = outcome.when.result
    if isinstance(limits, Range):
        if limits.min is None and limits.max is None:
            document.problem((*path, "when", "result"), "a range needs min or max")
        elif limits.min is not None and limits.max is not None and limits.min > limits.max:
            document.problem((*path, "when", "result"), f"{limits.min} is more than {limits.max}")
    if limits == ():
        document.problem((*path, "when", "result"), "must not be empty")


def _order(document: Document, path: Path, at: int, command: Command) -> None:
    outcome = command.outcomes[at]
    if outcome.when == When() and at + 1 < len(command.outcomes):
        message = "{} means otherwise, so it must stand last"
        document.problem((*path, "when"), message)
    for earlier in command.outcomes[:at]:
        if earlier.when != When() and covers(condition(earlier.when), condition(outcome.when)):
            message = f"{outcome.id!r} is never reached: {earlier.id!r} takes every such reply"
            document.problem((*path, "when"), message)
            break


def _gives(document: Document, path: Path, outcome: Outcome, result: Result, scope: Scope) -> None:
    if outcome.raises or outcome.provisional:
        return
    fields = {field.name: field for field in result.fields}
    given = outcome.gives
    if given is None:
        document.problem((*path, "gives"), f"is missing: the fields of {result.class_}")
        return
    for name, value in given.items():
        if name not in fields:
            known = ", ".join(fields)
            message = f"{result.class_} has no field {name!r} (it has {known})"
            document.problem((*path, "gives", name), message)
            continue
        if isinstance(value, str) and value.startswith("$"):
            why = _source(fields[name], value, outcome.when)
        else:
            why = _literal(fields[name], value, scope)
        if why:
            document.problem((*path, "gives", name), why)
    missing = [name for name in fields if name not in given]
    if missing:
        document.problem((*path, "gives"), f"does not give {', '.join(missing)}")


def _source(field: ResultField, source: str, when: When) -> str:
    """Say why a field cannot be taken from there."""
    kind = field.type
    if kind in {"boolean", "choice"}:
        return f"a {kind} is a literal here, and not {source}"
    if kind == "speech_results" and source != "$results":
        return "speech_results come from $results"
    if source == "$data" and when.data in {None, False} and not field.optional:
        return "needs data: true in when, or there may be none"
    if source in SOURCES:
        return "" if kind in SOURCES[source] else f"{source} cannot become a {kind}"
    if source != "$result" and not source[1:].isidentifier():
        return f"{source!r} is none of $result, $data, $text, $results and $key of a pair"
    return ""


def _literal(field: ResultField, value: Given | Scalar, scope: Scope) -> str:
    """Say why a value cannot be that of a field; empty when it can."""
    if value is None:
        optional = field.optional or field.type == "digit"
        return "" if optional else "null is not allowed: the field is not optional"
    kind = field.type
    wrong = f"{value!r} is no {kind}"
    if field.enumeration is not None:
        enumeration = scope.enumerations.get(field.enumeration)
        values = [member.value for member in enumeration.members] if enumeration else [value]
        known = not isinstance(value, bool) and value in values
        return "" if known else f"{value!r} is no value of {field.enumeration}"
    if kind == "boolean":
        return "" if isinstance(value, bool) else wrong
    if kind in WHOLE:
        return "" if isinstance(value, int) and not isinstance(value, bool) else wrong
    if kind == "speech_results":
        return _speech(value, scope)
    if not isinstance(value, str):
        return wrong + "; quote it"
    if kind == "digit":
        return "" if len(value) == 1 and value in DTMF else wrong
    if kind == "character":
        return "" if len(value) == 1 else wrong
    if kind == "choice":
        return "" if value in (field.values or ()) else f"{value!r} is none of {field.values}"
    return ""


def _speech(value: Given | Scalar, scope: Scope) -> str:
    entry = scope.results.get("SpeechResult")
    fields = {field.name for field in entry.fields} if entry else set[str]()
    if isinstance(value, tuple) and all(set(item) == fields for item in value):
        return ""
    return f"must be a list of mappings with {', '.join(sorted(fields))}"


def parse_example(command: Command, line: str) -> wire.Reply | None:
    """Take an example line apart; None when it is no reply."""
    raw = line.encode("utf-8", "surrogateescape")
    if not wire.reply_code(raw):
        return None
    if command.answers_twice:
        raw = raw.partition(b"\n")[0]  # the usage block behind it is the runtime's
    return wire.parse(raw, command.multiline)


def _examples(
    document: Document,
    path: Path,
    at: int,
    command: Command,
    result: Result | None,
    scope: Scope,
) -> None:
    outcome = command.outcomes[at]
    fields = {field.name: field for field in result.fields} if result else {}
    for position, example in enumerate(outcome.examples):
        here = (*path, "examples", position)
        reply = parse_example(command, example.line)
        if reply is None or reply.result is None:
            message = f"{example.line!r} is no reply: it begins with a code and has a result="
            document.problem((*here, "line"), message)
        else:
            first = next(
                (row for row in command.outcomes if condition(row.when).holds(reply)), None
            )
            if first is None:
                document.problem((*here, "line"), f"{example.line!r} does not meet when")
            elif first is not outcome:
                message = f"{example.line!r} is taken by the outcome {first.id!r} before"
                document.problem((*here, "line"), message)
        wanted = None if outcome.gives is None or outcome.raises else set(outcome.gives)
        if (example.gives is None) != (wanted is None):
            if wanted is None:
                document.problem((*here, "gives"), "the outcome gives nothing")
            else:
                document.problem((*here, "gives"), "is missing: what the line turns into")
        for name, value in (example.gives or {}).items():
            if name in fields:
                why = _literal(fields[name], value, scope)
                if why:
                    document.problem((*here, "gives", name), why)
            elif wanted is not None:
                document.problem((*here, "gives", name), f"there is no field {name!r}")
        missing = [name for name in fields if example.gives and name not in example.gives]
        if missing:
            document.problem((*here, "gives"), f"does not give {', '.join(missing)}")
