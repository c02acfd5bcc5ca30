"""The catalogue against Asterisk's own documentation: what one says and the other does not.

The catalogue follows Asterisk's code, so where the documentation is wrong they differ for good: the
spec records each such difference, word for word, with its reason (``drift``), and the name that
the documentation has for an argument (``documented_as``). What is reported is the rest: something
that a version of Asterisk added, renamed or removed. A recorded difference that is no more is
reported too, because then the record is out of date.

Nothing here needs more than the package itself.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from pystrix_typed.agi.wire import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pystrix_typed.agi.catalogue_model import Argument, Command, Enumeration
    from pystrix_typed.cli.documentation import Documentation, DocumentedCommand, Parameter

__all__ = ["Difference", "Report", "compare"]

#: What the catalogue says of whatever the first release had: older versions cannot be told apart.
FIRST = (1, 0)


class Difference(NamedTuple):
    """One thing that the two sides tell differently.

    Attributes:
        command: The command words.
        kind: ``undocumented-command``, ``unknown-command``, ``added``, ``removed``, ``renamed``,
            ``order``, ``required``, ``optional``, ``values``, ``since``, or ``settled``: recorded
            in the spec, and not so any more.
        difference: What differs, in words; the form in which the spec records it.
        parameter: The parameter that it is about, as documented; empty when it is the command.
        documented: What the documentation says.
        catalogued: What the catalogue says.
        line: Where to look in the documentation; 0 when there is no place.
        topic: Where to look in the spec: ``commands/<topic>.yaml``; empty when there is no place.
        why: The reason that the spec records.
    """

    command: str
    kind: str
    difference: str
    parameter: str = ""
    documented: str = ""
    catalogued: str = ""
    line: int = 0
    topic: str = ""
    why: str = ""


class Report(NamedTuple):
    """What came of a comparison.

    Attributes:
        differences: What nobody has explained yet.
        known: What the spec records, each with its reason.
        compared: How many commands both sides have.
        notes: What could not be compared.
    """

    differences: tuple[Difference, ...]
    known: tuple[Difference, ...]
    compared: int
    notes: tuple[str, ...]


def compare(
    documentation: Documentation,
    commands: Iterable[Command],
    enumerations: Iterable[Enumeration],
) -> Report:
    """Compare a documentation with a catalogue."""
    members = {
        enumeration.class_name: [str(member.value) for member in enumeration.members]
        for enumeration in enumerations
    }
    documented = dict(documentation.commands)
    new: list[Difference] = []
    known: list[Difference] = []
    compared = 0
    for command in sorted(commands):
        found = documented.pop(command.name, None)
        if found is None:
            text = "the catalogue has the command, the documentation does not"
            here = [Difference(command.name, "undocumented-command", text)]
        else:
            compared += 1
            here = list(_of_command(found, command, members))
        why = {entry.difference: entry.why for entry in command.drift}
        for difference in here:
            placed = difference._replace(topic=command.topic)
            reason = why.pop(difference.difference, "")
            if reason:
                known.append(placed._replace(why=reason))
            else:
                new.append(placed)
        for recorded in why:
            if documentation.tells_versions or not recorded.startswith(SINCE):
                text = f"recorded in the spec, and not so any more: {recorded}"
                line = found.line if found else 0
                new.append(
                    Difference(command.name, "settled", text, line=line, topic=command.topic)
                )
    for name, stranger in sorted(documented.items()):
        text = "the documentation has the command, the catalogue does not"
        new.append(Difference(name, "unknown-command", text, line=stranger.line))
    notes: list[str] = []
    if not documentation.tells_versions:
        notes.append(
            "This documentation does not say which version brought what, so that was not compared."
        )
    return Report(tuple(new), tuple(known), compared, tuple(notes))


SINCE = "since "


def _of_command(
    documented: DocumentedCommand, command: Command, members: dict[str, list[str]]
) -> Iterator[Difference]:
    since = _since(documented.since, command.since)
    if since:
        yield Difference(
            command.name,
            "since",
            since,
            documented=", ".join(documented.since),
            catalogued=command.since,
            line=documented.line,
        )
    # What shares the word of another argument is not a parameter to Asterisk.
    arguments = [argument for argument in command.arguments if argument.wire != "joined"]
    theirs = [parameter.name for parameter in documented.parameters]
    ours = [argument.documented or argument.name for argument in arguments]
    both = [name for name in theirs if name in ours]
    if both != [name for name in ours if name in theirs]:
        yield Difference(
            command.name,
            "order",
            f"the parameters are {_names(theirs)} in the documentation, "
            f"and {_names(ours)} in the catalogue",
            documented=", ".join(theirs),
            catalogued=", ".join(ours),
            line=documented.line,
        )
        return
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    for kind, start, end, their_start, their_end in blocks:
        left, right = arguments[start:end], documented.parameters[their_start:their_end]
        if kind == "equal" or len(left) == len(right):
            for at, (argument, parameter) in enumerate(zip(left, right, strict=True), their_start):
                yield from _of_parameter(command, argument, parameter, at + 1, members)
            continue
        for at, argument in enumerate(left, start + 1):
            name = argument.documented or argument.name
            yield Difference(
                command.name,
                "removed",
                f"parameter {at}, {name!r}, is not in the documentation",
                parameter=name,
                catalogued=name,
                line=documented.line,
            )
        for at, parameter in enumerate(right, their_start + 1):
            yield Difference(
                command.name,
                "added",
                f"parameter {at}, {parameter.name!r}, is not in the catalogue",
                parameter=parameter.name,
                documented=parameter.name,
                line=parameter.line,
            )


def _of_parameter(
    command: Command,
    argument: Argument,
    parameter: Parameter,
    position: int,
    members: dict[str, list[str]],
) -> Iterator[Difference]:
    name = parameter.name

    def found(kind: str, text: str, theirs: str, ours: str) -> Difference:
        return Difference(command.name, kind, text, name, theirs, ours, parameter.line)

    ours = argument.documented or argument.name
    if ours != name:
        text = f"parameter {position} is {name!r} in the documentation, {ours!r} in the catalogue"
        yield found("renamed", text, name, ours)
    # One that always travels may have a default in Python and be required by Asterisk.
    if parameter.required and argument.wire != "always":
        text = f"{name!r} is required in the documentation, optional in the catalogue"
        yield found("required", text, "required", "optional")
    if argument.required and not parameter.required:
        text = f"{name!r} is optional in the documentation, required in the catalogue"
        yield found("optional", text, "optional", "required")
    theirs, values = set(parameter.values), set(_values(argument, members))
    if theirs and values and theirs != values:
        told, known = _listed(theirs), _listed(values)
        text = f"{name!r} is one of {told} in the documentation, one of {known} in the catalogue"
        yield found("values", text, told, known)
    since = _since(parameter.since, argument.since or command.since)
    if since:
        shown = ", ".join(parameter.since)
        yield found("since", f"{since}, for {name!r}", shown, argument.since or command.since)


def _values(argument: Argument, members: dict[str, list[str]]) -> list[str]:
    """Give the words that an argument may be; empty when there is no list of them."""
    if argument.type == "flag":
        return [argument.word, argument.off_word] if argument.off_word else [argument.word]
    if argument.enumeration:
        return members.get(argument.enumeration, [])
    return [str(value) for value in argument.values]


def _since(documented: tuple[str, ...], catalogued: str) -> str:
    """Give what is to say of two accounts of the first version; empty when they agree.

    Of several branches the catalogue names the first.
    """
    theirs = sorted([numbers for numbers in map(_numbers, documented) if numbers])
    ours = _numbers(catalogued)
    if not theirs or theirs[0] == ours or max(theirs[0], ours) <= FIRST:
        return ""
    return f"{SINCE}{', '.join(documented)} in the documentation, {catalogued} in the catalogue"


def _numbers(text: str) -> tuple[int, ...]:
    """Give the numbers of a version without the zeros at its end: 12.0.0 is 12.0."""
    numbers = version(text)
    while len(numbers) > 2 and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers


def _names(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _listed(values: set[str]) -> str:
    return ", ".join(sorted(values))
