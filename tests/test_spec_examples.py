"""Every example in the spec is a promise: what goes over the wire, and what a reply turns into."""

# The session calls what is private here.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core, wire
from pystrix_typed.agi.core.catalogue import BY_CLASS, BY_COMMAND, COMMANDS, ENUMERATIONS, RESULTS

if TYPE_CHECKING:
    from pystrix_typed.agi.catalogue_model import ActionExample, Command, Outcome, ReplyExample

NAMES: dict[str, object] = {name: getattr(core, name) for name in core.__all__}

BUILT = [
    pytest.param(command, example, id=example.python)
    for command in COMMANDS
    for example in command.examples
]
READ = [
    pytest.param(command, outcome, example, id=f"{command.name}: {example.line!r}")
    for command in COMMANDS
    for outcome in command.outcomes
    if not outcome.provisional
    for example in outcome.examples
]


def build(example: ActionExample) -> agi.Action[object]:
    """Evaluate an example; the generator has made sure that it is a call and nothing else."""
    return cast("agi.Action[object]", eval(example.python, dict(NAMES)))


def test_all_commands_are_there() -> None:
    assert len(COMMANDS) == len(BY_COMMAND) == len(BY_CLASS) == 47
    assert all(command.examples for command in COMMANDS)
    assert all(outcome.examples for command in COMMANDS for outcome in command.outcomes)


@pytest.mark.parametrize(("command", "example"), BUILT)
def test_action_sends_the_promised_bytes(command: Command, example: ActionExample) -> None:
    action = build(example)
    assert type(action).__name__ == command.class_name
    assert action.command == command.name
    assert action.line == example.wire.encode() + b"\n"


@pytest.mark.parametrize(("command", "outcome", "example"), READ)
def test_reply_turns_into_the_promised_object(
    command: Command, outcome: Outcome, example: ReplyExample
) -> None:
    action = build(command.examples[0])
    raw = example.line.encode("utf-8", "surrogateescape")
    if command.answers_twice:
        raw = raw.partition(b"\n")[0]
    reply = wire.parse(raw, command.multiline)
    assert next(row.id for row in command.outcomes if row.when.holds(reply)) == outcome.id
    if outcome.raises:
        kind: type[agi.AGIException] = getattr(agi, outcome.raises)
        with pytest.raises(kind, match=f"^{command.name}: ") as caught:
            action._read(reply)
        assert type(caught.value) is kind
        assert caught.value.action is action
        assert caught.value.reply is reply
    else:
        result: Any = action._read(reply)
        if not command.result:
            assert result is None
        else:
            assert type(result).__name__ == command.result
            wanted = dict(example.gives)
            assert set(wanted) == {field.name for field in fields(result)}
            assert {name: plain(getattr(result, name)) for name in wanted} == wanted
    assert reply.outcome == outcome.id
    assert (outcome.id in action._settles) is outcome.settle


def plain(value: object) -> object:
    """Give a field's value in the catalogue's form."""
    if isinstance(value, Enum):
        return cast("object", value.value)
    if isinstance(value, tuple):
        return tuple(
            tuple(getattr(item, field.name) for field in fields(item))
            for item in cast("tuple[agi.Record, ...]", value)
        )
    return value


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_class_keeps_what_the_catalogue_says(command: Command) -> None:
    kind: type[agi.Action[object]] = getattr(core, command.class_name)
    assert getattr(getattr(core, command.topic), command.class_name) is kind
    assert kind._dead is command.dead
    assert kind._multiline is command.multiline
    assert kind._answers_twice is command.answers_twice
    assert list(kind.__slots__) == [argument.name for argument in command.arguments]
    about = kind.__doc__ or ""
    assert about.startswith(command.summary)
    for word in ("Returns:", "Example:", "Source: "):
        assert word in about


def test_dead_commands_are_those_that_asterisk_allows() -> None:
    assert {command.name for command in COMMANDS if command.dead} == {
        *("ASYNCAGI BREAK", "DATABASE DEL", "DATABASE DELTREE", "DATABASE GET", "DATABASE PUT"),
        *("EXEC", "GET FULL VARIABLE", "GET VARIABLE", "NOOP", "SET VARIABLE", "SPEECH DESTROY"),
        *("SPEECH UNLOAD GRAMMAR", "VERBOSE"),
    }


def test_names_of_the_core_are_all_of_them() -> None:
    assert core.__all__ == sorted(set(core.__all__))
    constants = {
        constant
        for enumeration in ENUMERATIONS
        for member in enumeration.members
        for constant in member.constants
    }
    topics = {command.topic for command in COMMANDS}
    assert set(core.__all__) == {
        *BY_CLASS,
        *(result.class_name for result in RESULTS),
        *(enumeration.class_name for enumeration in ENUMERATIONS),
        *constants,
        *topics,
        *("AGIDBError", "Environment", "catalogue", "enumerations", "environment", "results"),
    }
    assert set(core.__all__) <= set(dir(core))
    for name in core.__all__:
        assert getattr(core, name) is vars(core)[name]
    assert core.AGIDBError is agi.AGIDBError
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        getattr(core, "Nonsense")  # noqa: B009 - the checkers know that there is none
