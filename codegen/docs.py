"""The docstrings of actions, results, enumerations and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kinds import unit, values_of
from .wording import bullets, docstring, headline, item, sentence, wrap

if TYPE_CHECKING:
    from .model import Argument, Command, Enumeration, Outcome, Result, ResultField, Variable
    from .scope import Scope

__all__ = [
    "action_docstring",
    "argument_text",
    "enumeration_docstring",
    "field_text",
    "member_about",
    "module_docstring",
    "result_docstring",
    "variable_docstring",
]

CLASS = 4
METHOD = 8


def module_docstring(text: str, indent: int = 0) -> str:
    """Give the docstring of a module."""
    first, rest = headline(text)
    return docstring(first, [rest], indent)


def action_docstring(command: Command, scope: Scope) -> str:
    """Give the docstring of an action."""
    blocks: list[str | list[str]] = [command.about or "", _facts(command)]
    if command.arguments:
        lines = ["Args:"]
        for argument in command.arguments:
            lines += item(argument.name, argument_text(argument, scope), CLASS)
        blocks.append(lines)
    blocks += [_returns(command, scope), _raises(command), _examples(command)]
    if command.quirks:
        blocks.append(["Note:", *bullets(command.quirks, CLASS)])
    corrections = [f"Documentation: {text}" for text in command.documentation]
    changes = [f"{change.version}: {change.change}" for change in command.history]
    if corrections or changes:
        blocks.append(["History:", *bullets([*changes, *corrections], CLASS)])
    blocks.append(f"Source: {sentence(command.source)}")
    return docstring(" ".join(command.summary.split()), blocks, CLASS)


def _facts(command: Command) -> str:
    facts = [f"Asterisk has it since {command.since}" + _until(command.until) + "."]
    if command.module != "res_agi.so":
        facts.append(f"Its module is {command.module}.")
    if command.dead:
        facts.append("It is legal on a dead channel too.")
    if command.eagi_audio:
        facts.append("An EAGI script goes on hearing the caller while it runs.")
    if not command.interrupted:
        facts.append("A new command does not interrupt it.")
    for phase in command.interrupted:
        reply = "without a reply" if phase.reply is None else f"with `{phase.reply}`"
        only = ", over EAGI only" if phase.only else ""
        facts.append(f"A new command ends it {phase.phase}, {reply}{only}.")
    facts += [f"It sets {entry.variable}: {sentence(entry.about)}" for entry in command.sets]
    return " ".join(facts)


def _until(until: str | None) -> str:
    return f", and no more since {until}" if until else ""


def argument_text(argument: Argument, scope: Scope) -> str:
    """Give everything that there is to say about an argument, in one line."""
    parts = [sentence(argument.about), unit(argument)]
    if argument.type == "choice":
        shown = ", ".join(f"`{value}`" for value in values_of(argument, scope))
        of = f" ({argument.enumeration})" if argument.enumeration else ""
        parts.append(f"One of {shown}{of}.")
    if argument.range is not None:
        low, high = argument.range
        if low is not None and high is not None:
            parts.append(f"From {low} to {high}.")
        elif low is not None or high is not None:
            parts.append(f"At least {low}." if high is None else f"At most {high}.")
    if argument.max_bytes is not None:
        parts.append(f"At most {argument.max_bytes} bytes in UTF-8.")
    if argument.forbids:
        shown = " nor ".join(f"`{character}`" for character in argument.forbids)
        parts.append(f"Must not hold {shown}.")
    if not argument.allow_empty:
        parts.append("Not empty.")
    if argument.empty:
        parts.append(f"Empty: {sentence(argument.empty)}")
    if argument.default == "":
        parts.append("Default: empty.")
    elif not argument.required and argument.default is not None:
        parts.append(f"Default: {argument.default}.")
    if argument.since:
        parts.append(f"Since Asterisk {argument.since}{_until(argument.until)}.")
    elif argument.until:
        parts.append(f"Until Asterisk {argument.until}.")
    if argument.quirk:
        parts.append(sentence(argument.quirk))
    return " ".join(part for part in parts if part)


def _outcome(outcome: Outcome) -> str:
    text = f"{outcome.id}: {sentence(outcome.about)}" if outcome.about else f"{outcome.id}."
    if outcome.since:
        text += f" Since Asterisk {outcome.since}."
    if outcome.until:
        text += f" Before Asterisk {outcome.until}."
    return text


def _returns(command: Command, scope: Scope) -> list[str]:
    lines = ["Returns:"]
    if command.result is None:
        lines.append("    None: it succeeds or raises.")
    else:
        about, _ = headline(scope.results[command.result].about)
        lines += [f"    {line}" for line in wrap(f"{command.result}: {about}", CLASS + 4)]
    good = [row for row in command.outcomes if not row.raises and not row.provisional]
    if any(row.about for row in good):
        lines += ["", *bullets([_outcome(row) for row in good], CLASS)]
    return lines


def _raises(command: Command) -> list[str]:
    lines = ["Raises:"]
    kinds = dict.fromkeys(row.raises for row in command.outcomes if row.raises)
    for kind in kinds:
        rows = [_outcome(row) for row in command.outcomes if row.raises == kind]
        lines += item(kind, " ".join(rows), CLASS)
    if any(row.settle for row in command.outcomes):
        text = "The caller hung up, as the session finds out when the reply leaves it open."
        lines += item("AGIResultHangup", text, CLASS)
    if command.usage:
        hint = f" {sentence(command.usage_hint)}" if command.usage_hint else ""
        lines += item("AGIUsageError", f"Asterisk refused the arguments (520).{hint}", CLASS)
    return lines if len(lines) > 1 else []


def _examples(command: Command) -> list[str]:
    lines = ["Example:", "    ::", ""]
    for example in command.examples:
        lines += [f"        {example.python}", f"            # {example.wire}"]
    return lines if command.examples else []


def result_docstring(result: Result) -> str:
    """Give the docstring of a result."""
    first, rest = headline(result.about)
    lines = ["Attributes:"]
    for field in result.fields:
        lines += item(field.name, field_text(field), CLASS)
    return docstring(first, [rest, lines], CLASS)


def field_text(field: ResultField) -> str:
    """Give what a field tells, with its unit."""
    text = sentence(field.about)
    if field.type == "samples" and "sample" not in text:
        text += " In samples."
    if field.type == "milliseconds" and "millisecond" not in text:
        text += " In milliseconds."
    return text


def enumeration_docstring(enumeration: Enumeration) -> str:
    """Give the docstring of an enumeration."""
    first, rest = headline(enumeration.about)
    return docstring(first, [rest], CLASS)


def member_about(about: str | None, since: str | None) -> list[str]:
    """Give the comment lines above a member."""
    text = " ".join([sentence(about) if about else "", f"Since {since}." if since else ""]).strip()
    return [f"#: {line}" for line in wrap(text, CLASS + 3)]


def variable_docstring(variable: Variable) -> str:
    """Give the docstring of a property of the environment."""
    first, rest = headline(sentence(variable.about))
    last = [f"`{variable.name}`." if variable.type != "arguments" else f"`{variable.name}1` on."]
    if variable.unknown:
        last.append(f"None when Asterisk sends `{variable.unknown}`.")
    elif variable.optional:
        last.append("None when Asterisk sends none.")
    elif variable.type in {"integer", "number"}:
        last.append("None when it is missing or no number.")
    if variable.empty:
        last.append(f"Empty: {sentence(variable.empty)}")
    if variable.since:
        last.append(f"Since Asterisk {variable.since}.")
    if variable.quirk:
        last.append(sentence(variable.quirk))
    if variable.source:
        last.append(f"Source: {sentence(variable.source)}")
    return docstring(first, [rest, " ".join(last)], METHOD)
