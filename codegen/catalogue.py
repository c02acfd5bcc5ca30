"""The spec as Python source that builds `pystrix_typed.agi.catalogue_model` data."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .conditions import condition
from .runtime import catalogue_model as data
from .wording import paragraphs

if TYPE_CHECKING:
    from .load import Spec
    from .model import Argument, Command, Given, Outcome
    from .scope import Scope

__all__ = ["NAMES", "command_data", "enumeration_data", "result_data", "source", "variable_data"]

#: Every class of the model, for the imports.
NAMES = tuple(name for name in data.__all__ if name != "Value")


def source(value: object) -> str:
    """Write a value as Python; of a record only what differs from its defaults."""
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        fields: tuple[str, ...] = getattr(items, "_fields", ())
        if fields:
            defaults: dict[str, object] = getattr(items, "_field_defaults", {})
            parts = [
                f"{name}={source(item)}"
                for name, item in zip(fields, items, strict=True)
                if name not in defaults or item != defaults[name]
            ]
            return f"{type(items).__name__}({', '.join(parts)})"
        return f"({', '.join(map(source, items))}{',' if len(items) == 1 else ''})"
    return repr(value)


def flat(text: str | None) -> str:
    """Give a text in one line for each paragraph."""
    return "\n\n".join(paragraphs(text or ""))


def command_data(command: Command, topic: str, scope: Scope) -> data.Command:
    """Give one command."""
    return data.Command(
        name=command.command,
        class_name=command.class_name,
        topic=topic,
        summary=flat(command.summary),
        since=command.since,
        source=flat(command.source),
        outcomes=tuple(_outcome(outcome, scope) for outcome in command.outcomes),
        arguments=tuple(
            _argument(argument, command.documented_as.get(argument.name, ""))
            for argument in command.arguments
        ),
        result=command.result or "",
        about=flat(command.about),
        until=command.until or "",
        module=command.module,
        dead=command.dead,
        usage=command.usage,
        usage_hint=flat(command.usage_hint),
        ignores_extra_words=command.extra_words == "ignored",
        eagi_audio=command.eagi_audio,
        multiline=command.multiline,
        answers_twice=command.answers_twice,
        interrupted=tuple(
            data.Interruption(phase.phase, phase.reply, phase.only is not None)
            for phase in command.interrupted
        ),
        sets=tuple(
            data.ChannelVariable(entry.variable, flat(entry.about)) for entry in command.sets
        ),
        examples=tuple(
            data.ActionExample(example.python, example.wire) for example in command.examples
        ),
        quirks=tuple(map(flat, command.quirks)),
        documentation=tuple(map(flat, command.documentation)),
        history=tuple(data.Change(entry.version, flat(entry.change)) for entry in command.history),
        drift=tuple(
            data.KnownDifference(flat(entry.difference), flat(entry.why)) for entry in command.drift
        ),
    )


def _argument(argument: Argument, documented: str) -> data.Argument:
    low, high = argument.range or (None, None)
    return data.Argument(
        name=argument.name,
        type=argument.type,
        about=flat(argument.about),
        required=argument.required,
        default=argument.default,
        wire=argument.wire,
        filler=argument.filler,
        low=low,
        high=high,
        forbids=argument.forbids or "",
        max_bytes=argument.max_bytes,
        allow_empty=argument.allow_empty,
        empty=flat(argument.empty),
        values=argument.values or (),
        enumeration=argument.enumeration or "",
        prefix=argument.prefix or "",
        word=argument.word or "",
        off_word=argument.off_word or "",
        joined_with=argument.joined_with or "",
        now=argument.now,
        quirk=flat(argument.quirk),
        since=argument.since or "",
        until=argument.until or "",
        documented=documented,
    )


def _outcome(outcome: Outcome, scope: Scope) -> data.Outcome:
    return data.Outcome(
        id=outcome.id,
        about=flat(outcome.about),
        when=condition(outcome.when),
        examples=tuple(
            data.ReplyExample(
                example.line,
                tuple(
                    (name, _plain(value, scope)) for name, value in (example.gives or {}).items()
                ),
            )
            for example in outcome.examples
        ),
        raises=outcome.raises or "",
        message=flat(outcome.message),
        settle=outcome.settle,
        gives=tuple((outcome.gives or {}).items()),
        provisional=outcome.provisional,
        since=outcome.since or "",
        until=outcome.until or "",
    )


def _plain(value: Given, scope: Scope) -> data.Value | tuple[tuple[int | str, ...], ...]:
    """Give an example's value; what was heard in the order of SpeechResult's fields."""
    if isinstance(value, tuple):
        names = [field.name for field in scope.results["SpeechResult"].fields]
        return tuple(tuple(heard[name] for name in names) for heard in value)
    return value


def result_data(spec: Spec) -> list[data.Result]:
    """Give the results."""
    return [
        data.Result(
            entry.class_,
            flat(entry.about),
            tuple(
                data.ResultField(
                    field.name,
                    field.enumeration or field.type or "",
                    flat(field.about),
                    field.values or (),
                    field.optional,
                )
                for field in entry.fields
            ),
        )
        for entry in (spec.results[1].results if spec.results else ())
    ]


def enumeration_data(spec: Spec) -> list[data.Enumeration]:
    """Give the enumerations."""
    return [
        data.Enumeration(
            entry.class_,
            flat(entry.about),
            tuple(
                data.Member(
                    member.name,
                    member.value,
                    flat(member.about),
                    member.all_constants,
                    member.since or "",
                )
                for member in entry.members
            ),
        )
        for entry in (spec.enumerations[1].enumerations if spec.enumerations else ())
    ]


def variable_data(spec: Spec) -> list[data.Variable]:
    """Give the variables of the environment."""
    return [
        data.Variable(
            entry.name,
            entry.attribute,
            entry.type,
            flat(entry.about),
            entry.unknown or "",
            entry.optional,
            flat(entry.empty),
            entry.since or "",
            flat(entry.quirk),
        )
        for entry in (spec.environment[1].environment if spec.environment else ())
    ]
