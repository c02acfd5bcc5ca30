"""``pystrix-typed commands``: browse and search the catalogue."""

from __future__ import annotations

import inspect
import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import COMMANDS, RESULTS
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from pystrix_typed.agi.catalogue_model import Argument, Command, Outcome

__all__ = ["browse"]

_WIDEST = 100


def browse(words: Sequence[str], *, as_json: bool = False) -> None:
    """Show the command that words name, or list those that they are found in.

    Args:
        words: A command (``stream file``), a class (``StreamFile``), or words to search for; none
            lists every command.
        as_json: Print JSON: an array of entries.

    Raises:
        Problem: Nothing is found.
    """
    text = " ".join(words).strip()
    named = _named(text)
    found = [named] if named is not None else list(_search(text))
    if not found:
        names = [command.name.lower() for command in COMMANDS]
        close = get_close_matches(text.lower(), names, 3, 0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        if as_json:
            print("[]")
        raise Problem(f"no AGI command is or mentions {text!r}{hint}")
    if as_json:
        print(json.dumps([_data(command) for command in found], indent=2))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if console.width > _WIDEST and console.is_terminal:
        console.width = _WIDEST
    with console.capture() as shown:
        if named is not None:
            console.print(_entry(named))
        else:
            _list(console, found)
        if not text:
            console.print("\n'commands stream file' shows one, 'commands escape digits' searches.")
    # Tables fill their lines with blanks.
    print("\n".join([line.rstrip() for line in shown.get().splitlines()]))


def _named(text: str) -> Command | None:
    # As people write it in Python, too: core.StreamFile, stream_file, StreamFile().
    plain = re.sub(r"[\s_-]+", " ", text.rpartition(".")[2].removesuffix("()")).casefold()
    for command in COMMANDS:
        if plain in {command.name.casefold(), command.class_name.casefold()}:
            return command
    return None


def _search(text: str) -> Iterator[Command]:
    """Give the commands that mention every word, those first that have them in their names."""
    wanted = text.casefold().split()
    found: list[tuple[int, int, Command]] = []
    for place, command in enumerate(COMMANDS):
        name = f"{command.name} {command.class_name}".casefold()
        everything = " ".join(_texts(command)).casefold()
        if all(word in everything for word in wanted):
            rank = 0 if all(word in name for word in wanted) else 1
            found.append((rank, place, command))
    for _, _, command in sorted(found, key=lambda item: item[:2]):
        yield command


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in cast("tuple[object, ...]", value):
            yield from _texts(each)


def _list(console: Console, commands: Sequence[Command]) -> None:
    for topic in dict.fromkeys(command.topic for command in commands):
        console.print(Text(topic, "bold cyan"))
        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column()
        for command in commands:
            if command.topic == topic:
                table.add_row(
                    Text(f"  {command.name}", "bold"),
                    Text(command.class_name, "green"),
                    command.summary,
                )
        console.print(table)


def _entry(command: Command) -> RenderableType:
    parts: list[RenderableType] = [
        Text.assemble((command.name, "bold cyan"), "  ", (command.summary, "")),
        Text(""),
        Text(_signature(command), "bold"),
    ]
    if command.about:
        parts += [Text(""), Text(command.about)]
    if command.arguments:
        parts.append(_section("Arguments"))
        parts += [_pair(argument.name, _argument(argument)) for argument in command.arguments]
    if command.result:
        result = next(each for each in RESULTS if each.class_name == command.result)
        parts.append(_section(f"Result: {result.class_name}"))
        parts.append(_indented(result.about))
        parts += [_pair(field.name, field.about, style="green") for field in result.fields]
    parts.append(_section("What Asterisk answers"))
    for outcome in command.outcomes:
        parts.append(_pair(outcome.id, _outcome(outcome), style="magenta"))
        parts += [_indented(example.line, 4, "dim") for example in outcome.examples]
    parts.append(_section("On the wire"))
    for example in command.examples:
        parts.append(_indented(example.python, 2, "green"))
        parts.append(_indented(f"> {example.wire}", 4, "blue"))
    notes = list(_notes(command))
    if notes:
        parts.append(_section("Good to know"))
        parts += [_bullet(note) for note in notes]
    if command.documentation:
        parts.append(_section("Where Asterisk's documentation is wrong"))
        parts += [_bullet(note) for note in command.documentation]
    parts.append(Text(""))
    versions = f"since Asterisk {command.since}"
    if command.until:
        versions += f", until {command.until}"
    parts.append(Text(f"{command.module}, {versions}. Source: {command.source}.", "dim"))
    return Group(*parts)


def _signature(command: Command) -> str:
    action: type[object] = getattr(core, command.class_name)
    given: list[str] = []
    for parameter in inspect.signature(action).parameters.values():
        kind: object = parameter.annotation
        # In quotes where it names what a script does not load, and else the class itself.
        shown = kind if isinstance(kind, str) else inspect.formatannotation(kind)
        text = f"{parameter.name}: {shown}"
        if parameter.default is not parameter.empty:
            default: object = parameter.default
            text += f" = {default!r}"
        given.append(text)
    return f"{command.class_name}({', '.join(given)}) -> {command.result or None}"


def _argument(argument: Argument) -> str:
    facts = [argument.about]
    if argument.type in {"milliseconds", "seconds"}:
        facts.append(f"In {argument.type}, or a timedelta.")
    if argument.low is not None or argument.high is not None:
        facts.append(f"From {_bound(argument.low)} to {_bound(argument.high)}.")
    if argument.values:
        facts.append("One of " + ", ".join([str(value) for value in argument.values]) + ".")
    if not argument.required:
        facts.append(f"Default: {argument.default!r}.")
    if argument.empty:
        facts.append(f"Empty: {argument.empty.removesuffix('.')}.")
    if argument.since:
        facts.append(f"Since Asterisk {argument.since}.")
    if argument.until:
        facts.append(f"Until Asterisk {argument.until}.")
    if argument.quirk:
        facts.append(argument.quirk)
    return " ".join(facts)


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}" if value != int(value) else str(int(value))


def _outcome(outcome: Outcome) -> str:
    text = outcome.about
    if outcome.raises:
        text += f" Raises {outcome.raises}"
        text += " or, when the caller hung up, AGIResultHangup." if outcome.settle else "."
    return text


def _notes(command: Command) -> Iterable[str]:
    yield ("Works on a dead channel, too." if command.dead else "Needs a live channel.")
    for phase in command.interrupted:
        reply = "without a reply" if phase.reply is None else f"with {phase.reply!r}"
        yield f"A new command ends it {phase.phase}, {reply}."
    for variable in command.sets:
        yield f"Sets {variable.name}: {variable.about}"
    yield from command.quirks
    for change in command.history:
        yield f"Asterisk {change.version}: {change.change}"


def _section(title: str) -> RenderableType:
    return Text(f"\n{title}", "bold")


def _indented(text: str, by: int = 2, style: str = "") -> RenderableType:
    return Padding(Text(text, style), (0, 0, 0, by))


def _bullet(text: str) -> RenderableType:
    table = Table.grid(padding=(0, 1), pad_edge=False)
    table.add_row(Text(" -"), Text(text))
    return table


def _pair(name: str, text: str, style: str = "yellow") -> RenderableType:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True, min_width=16)
    table.add_column()
    table.add_row(Text(f"  {name}", style), Text(text))
    return table


def _data(value: object) -> object:
    """Turn named tuples into objects, and other tuples into arrays."""
    if not isinstance(value, tuple):
        return value
    items = cast("tuple[object, ...]", value)
    each = [_data(item) for item in items]
    names: tuple[str, ...] | None = getattr(items, "_fields", None)
    return each if names is None else dict(zip(names, each, strict=True))
