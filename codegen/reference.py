"""The reference for the documentation site: a Markdown page for each file of the spec.

Everything on a page comes from the spec; here it becomes Markdown, and the templates only place it.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import kinds
from .docs import argument_text, field_text
from .packages import MARK, environment_annotation
from .wording import headline, paragraphs, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .load import Spec, Topic
    from .model import ActionExample, Command, Example, Outcome
    from .scope import Scope

__all__ = ["Sheet", "sheets"]

#: What the examples in a spec may build values with, and where it comes from.
IMPORTS = {
    "date": "datetime",
    "datetime": "datetime",
    "time": "datetime",
    "timedelta": "datetime",
    "timezone": "datetime",
    "Path": "pathlib",
}


@dataclass(frozen=True)
class Sheet:
    """One page to render."""

    name: str
    template: str
    values: dict[str, object]


@dataclass(frozen=True)
class Entry:
    """One command."""

    name: str
    command: str
    summary: str
    about: tuple[str, ...]
    signature: tuple[str, ...]
    arguments: tuple[tuple[str, str, str], ...]
    result: str
    replies: tuple[tuple[str, str, str], ...]
    facts: tuple[str, ...]
    example: tuple[str, ...]
    quirks: tuple[str, ...]
    versions: tuple[str, ...]
    corrections: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Table:
    """One class, and what it consists of."""

    name: str
    about: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(spec: Spec, scope: Scope) -> list[Sheet]:
    """Give every page."""

    def header(name: str) -> str:
        mark = MARK.removeprefix("# ")
        return f"<!-- {mark}{name}; do not edit, run: nox -s generate -->"

    found = [
        Sheet(
            topic.name,
            "reference_topic",
            {
                "header": header(topic.document.name),
                "title": topic.name.capitalize(),
                "about": _paragraphs(topic.file.about),
                "commands": [_entry(command, scope) for command in topic.file.commands],
            },
        )
        for topic in spec.topics
    ]
    for name, document, about, tables in _shared(spec):
        values: dict[str, object] = {
            "header": header(document),
            "title": name.capitalize(),
            "about": _paragraphs(about),
            "tables": tables,
        }
        found.append(Sheet(name, "reference_tables", values))
    names = [sheet.name for sheet in found]
    found.append(
        Sheet(
            "index",
            "reference_index",
            {
                "header": header(f"all of {spec.name}"),
                "topics": [_overview(topic) for topic in spec.topics],
                "others": names[len(spec.topics) :],
                "pages": names,
            },
        )
    )
    return found


def _overview(topic: Topic) -> dict[str, object]:
    first, _ = headline(topic.file.about)
    commands = [
        (command.class_name, f"{topic.name}.md#{_anchor(command.class_name)}", command.command)
        for command in topic.file.commands
    ]
    summaries = [_text(command.summary, table=True) for command in topic.file.commands]
    rows = [(*link, summary) for link, summary in zip(commands, summaries, strict=True)]
    return {"name": topic.name, "about": _text(first), "commands": rows}


def _shared(spec: Spec) -> Iterable[tuple[str, str, str, list[Table]]]:
    """Give the pages of what the commands have in common."""
    if spec.results:
        document, results = spec.results
        tables = [
            Table(
                result.class_,
                _paragraphs(result.about),
                ("Field", "Type", "What it tells"),
                tuple(
                    (
                        _code(field.name),
                        _code(kinds.field_annotation(field), table=True),
                        _text(field_text(field), table=True),
                    )
                    for field in result.fields
                ),
            )
            for result in results.results
        ]
        yield "results", document.name, results.about or "What the commands report.", tables
    if spec.enumerations:
        document, enumerations = spec.enumerations
        tables = [
            Table(
                entry.class_,
                _paragraphs(entry.about),
                ("Member", "Value", "Constant", "What it means"),
                tuple(
                    (
                        _code(member.name),
                        _code(repr(member.value)),
                        ", ".join(map(_code, member.all_constants)),
                        _text(sentence(member.about) if member.about else "", table=True)
                        + (f" Since Asterisk {member.since}." if member.since else ""),
                    )
                    for member in entry.members
                ),
            )
            for entry in enumerations.enumerations
        ]
        yield "enumerations", document.name, enumerations.about or "Named values.", tables
    if spec.environment:
        document, environment = spec.environment
        rows: list[tuple[str, ...]] = []
        for variable in environment.environment:
            parts = [sentence(variable.about)]
            if variable.unknown:
                parts.append(f"None when Asterisk sends `{variable.unknown}`.")
            elif variable.optional:
                parts.append("None when Asterisk sends none.")
            if variable.empty:
                parts.append(f"Empty: {sentence(variable.empty)}")
            if variable.since:
                parts.append(f"Since Asterisk {variable.since}.")
            if variable.quirk:
                parts.append(sentence(variable.quirk))
            about = _text(" ".join(parts), table=True)
            annotation = _code(environment_annotation(variable), table=True)
            rows.append((_code(variable.attribute), _code(variable.name), annotation, about))
        columns = ("Attribute", "Variable", "Type", "What it tells")
        tables = [Table("Environment", (), columns, tuple(rows))]
        about = environment.about or "What Asterisk sends before the first command."
        yield "environment", document.name, about, tables


def _entry(command: Command, scope: Scope) -> Entry:
    parameters = [
        f"    {argument.name}: {kinds.parameter(argument, scope)}"
        + ("," if argument.required else f" = {_literal(argument.default)},")
        for argument in command.arguments
    ]
    returns = f" -> {command.result or 'None'}"
    name = command.class_name
    signature = (f"{name}(", *parameters, f"){returns}") if parameters else (f"{name}(){returns}",)
    result = "Nothing: it succeeds or raises."
    if command.result:
        about, _ = headline(scope.results[command.result].about)
        result = f"[{command.result}](results.md#{_anchor(command.result)}): {_text(about)}"
    return Entry(
        name=name,
        command=command.command,
        summary=_text(command.summary),
        about=_paragraphs(command.about or ""),
        signature=signature,
        arguments=tuple(
            (
                _code(argument.name),
                "required" if argument.required else "optional",
                _text(argument_text(argument, scope), table=True),
            )
            for argument in command.arguments
        ),
        result=result,
        replies=tuple(row for outcome in command.outcomes for row in _rows(command, outcome, scope))
        + _common(command),
        facts=_facts(command),
        example=_example(command.examples),
        quirks=tuple(_text(sentence(quirk)) for quirk in command.quirks),
        versions=_versions(command),
        corrections=tuple(_text(sentence(text)) for text in command.documentation),
        source=_text(sentence(command.source)),
    )


def _rows(command: Command, outcome: Outcome, scope: Scope) -> Iterable[tuple[str, str, str]]:
    """Give a row of the reply table for each example of an outcome."""
    about = f"{_code(outcome.id)} {_text(sentence(outcome.about), True) if outcome.about else ''}"
    if outcome.since:
        about += f" Since Asterisk {outcome.since}."
    if outcome.until:
        about += f" Before Asterisk {outcome.until}."
    for at, example in enumerate(outcome.examples):
        if outcome.provisional:
            becomes = "(the reply is still to come)"
        elif outcome.raises:
            becomes = f"raises {_code(outcome.raises)}"
            if outcome.settle:
                becomes += ", or `AGIResultHangup` when the caller hung up"
        else:
            becomes = _code(_value(command, example, scope), table=True)
        yield _code(example.line, table=True), "" if at else about.strip(), becomes


def _common(command: Command) -> tuple[tuple[str, str, str], ...]:
    """Give the replies that are the runtime's, as far as the command can get them."""
    rows: list[tuple[str, str, str]] = []
    if command.usage:
        hint = _text(sentence(command.usage_hint), table=True) if command.usage_hint else ""
        about = f"Asterisk refused the arguments. {hint}".strip()
        rows.append(("`520 ...`", about, "raises `AGIUsageError`"))
    if not command.dead:
        rows.append(("`511 ...`", DEAD, "raises `AGIDeadChannelError`"))
    about = "Asterisk does not know the command"
    about += f", or {_code(command.module)} is not loaded." if command.module != MODULE else "."
    rows.append(("`510 ...`", about, "raises `AGIInvalidCommandError`"))
    return tuple(rows)


MODULE = "res_agi.so"
#: What 511 means.
DEAD = (
    "The call is over, or AGI runs in an interception routine (CONNECTED_LINE_SEND_SUB, for one)."
)


def _value(command: Command, example: Example, scope: Scope) -> str:
    """Write what an example gives as Python does."""
    if command.result is None:
        return "None"
    parts: list[str] = []
    for field in scope.results[command.result].fields:
        value = (example.gives or {}).get(field.name)
        shown = repr(value)
        if field.enumeration and value is not None:
            members = scope.enumerations[field.enumeration].members
            member = next(member.name for member in members if member.value == value)
            shown = f"{field.enumeration}.{member}"
        elif isinstance(value, tuple):
            heard = [", ".join(f"{key}={item!r}" for key, item in row.items()) for row in value]
            shown = f"({', '.join(f'SpeechResult({row})' for row in heard)}"
            shown += ",)" if len(heard) == 1 else ")"
        parts.append(f"{field.name}={shown}")
    return f"{command.result}({', '.join(parts)})"


def _facts(command: Command) -> tuple[str, ...]:
    facts: list[str] = []
    if command.dead:
        facts.append("It is legal on a dead channel too.")
    else:
        facts.append("It needs a live channel.")
    if command.eagi_audio:
        facts.append("An EAGI script goes on hearing the caller while it runs.")
    if not command.interrupted:
        facts.append("A new command does not interrupt it.")
    for phase in command.interrupted:
        reply = "without a reply" if phase.reply is None else f"with {_code(phase.reply)}"
        only = ", over EAGI only" if phase.only else ""
        facts.append(f"A new command ends it {_text(phase.phase)}, {reply}{only}.")
    facts += [
        f"It sets `{entry.variable}`: {_text(sentence(entry.about))}" for entry in command.sets
    ]
    return tuple(facts)


def _versions(command: Command) -> tuple[str, ...]:
    found = ["Every Asterisk has it." if command.since == "1.0" else f"{command.since}: New."]
    if command.until:
        found.append(f"{command.until}: Gone.")
    for argument in command.arguments:
        if argument.since:
            found.append(f"{argument.since}: {_code(argument.name)} is new.")
        if argument.until:
            found.append(f"{argument.until}: {_code(argument.name)} is gone.")
    found += [f"{entry.version}: {_text(sentence(entry.change))}" for entry in command.history]
    return tuple(found)


def _example(examples: tuple[ActionExample, ...]) -> tuple[str, ...]:
    """Give lines of Python that can be copied, each call with the line that it sends."""
    names: set[str] = set()
    for example in examples:
        names |= {node.id for node in ast.walk(ast.parse(example.python)) if type(node) is ast.Name}
    homes: dict[str, list[str]] = {}
    for name in sorted(names):
        homes.setdefault(IMPORTS.get(name, "pystrix_typed.agi.core"), []).append(name)
    lines = [f"from {home} import {', '.join(found)}" for home, found in sorted(homes.items())]
    lines.append("")
    for example in examples:
        lines += [f"session.execute({example.python})", f"# sends {example.wire}"]
    return tuple(lines)


def _literal(value: object) -> str:
    """Write a value as the formatter does."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _anchor(name: str) -> str:
    """Give what a heading can be linked by."""
    return name.lower()


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(map(_text, paragraphs(text)))


#: What Markdown or HTML would take for its own, outside code.
SPECIAL = re.compile(r"[\\<*\[\]{}$]|(?<!\w)_|_(?!\w)")


def _text(text: str, table: bool = False) -> str:
    """Give a text of the spec as Markdown, in one line: only the code in it is markup."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    shown = [part if part[:1] == "`" else SPECIAL.sub(r"\\\g<0>", part) for part in parts]
    joined = "".join(shown)
    return joined.replace("|", r"\|") if table else joined


def _code(text: str, table: bool = False) -> str:
    """Give a text as code; a line feed is written as in Python."""
    text = text.replace("\n", r"\n")
    longest = max([len(run) for run in re.findall(r"`+", text)], default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return (f"{fence}{pad}{text}{pad}{fence}").replace("|", r"\|" if table else "|")
