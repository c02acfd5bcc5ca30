"""What real exchanges said: recorded on live calls, kept in the tree, replayed without Asterisk.

A `Take` is one command on one call: what was sent, what came back (exactly, whatever is different
at each recording included), which outcome of the spec that was and what the program got.
`tests/asterisk` records them (``nox -s asterisk -- --record-transcripts``), and
``tests/test_transcripts.py`` replays them.
"""

# What a session reads in an action is private to users, not to the package's tests.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pystrix_typed import agi
from pystrix_typed.agi import core, wire
from pystrix_typed.agi.core.catalogue import BY_COMMAND, RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pystrix_typed.agi.catalogue_model import Command, Outcome
    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.wire import Reply

__all__ = [
    "ANSWER",
    "FENCE",
    "FOLDER",
    "GENERIC",
    "INTERRUPTED",
    "Take",
    "Transcript",
    "built",
    "load",
    "plain",
    "save",
    "spoken",
    "unkept_promise",
]

FOLDER = Path(__file__).parent / "transcripts"
INTERRUPTED = "interrupted "
"""What the id of an interruption begins with; its phase follows."""

#: What interrupts, and what is answered to that.
FENCE = b'GET FULL VARIABLE "the end of it"\n'
ANSWER = b"200 result=1 (the end of it)\n"

#: The outcomes that are the runtime's, for every command alike.
GENERIC: dict[str, type[agi.AGIException]] = {
    "usage": agi.AGIUsageError,
    "invalid-command": agi.AGIInvalidCommandError,
    "dead-channel": agi.AGIDeadChannelError,
    "hangup": agi.AGIResultHangup,
}

_NAMES: dict[str, object] = {name: getattr(core, name) for name in core.__all__}
_FIELD_TYPES = {result.class_name: {f.name: f.type for f in result.fields} for result in RESULTS}


class Take(NamedTuple):
    """One command on a real call.

    Attributes:
        command: The command words.
        outcome: The id of the outcome; ``interrupted`` and the phase for an interruption.
        scene: The scene of `tests.asterisk.scenes` that it is from.
        action: How the action is built in Python.
        said: What was sent, and all that came before the next thing was sent.
        gives: The fields of the result as plain values; None when there was no result.
        raises: Name of the exception; empty when there was none.
    """

    command: str
    outcome: str
    scene: str
    action: str
    said: tuple[tuple[bytes, bytes], ...]
    gives: dict[str, Any] | None = None
    raises: str = ""

    @property
    def seen(self) -> tuple[str, ...]:
        """All the outcomes that it shows: its own, and those of the replies on the way there."""
        rows = BY_COMMAND[self.command].outcomes
        found = [self.outcome]
        if self.outcome.startswith(INTERRUPTED):
            reply = self.said[-1][1].partition(b"\n")[0]
            if reply != ANSWER.rstrip():
                parsed = wire.parse(reply)
                found += [row.id for row in rows if row.when.holds(parsed)][:1]
        lines = b"".join(answer for _, answer in self.said).split(b"\n")
        codes = {wire.reply_code(line) for line in lines}
        found += [row.id for row in rows if row.provisional and row.when.code in codes]
        return tuple(found)


class Transcript(NamedTuple):
    """All the takes of one version."""

    version: str
    takes: tuple[Take, ...]


def load(major: int) -> Transcript:
    """Read the transcript of a release; an empty one if there is none."""
    path = FOLDER / f"{major}.json"
    if not path.exists():
        return Transcript("", ())
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Transcript(data["asterisk"], tuple(from_json(item) for item in data["takes"]))


def save(major: int, transcript: Transcript) -> None:
    """Write the transcript of a release, one take a line."""
    lines = ",\n".join(to_json(take) for take in transcript.takes)
    text = f'{{\n"asterisk": {json.dumps(transcript.version)},\n"takes": [\n{lines}\n]\n}}\n'
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{major}.json").write_text(text, encoding="utf-8")


def to_json(take: Take) -> str:
    """Give a take as one line of JSON."""
    said = [[_text(sent), _text(answer)] for sent, answer in take.said]
    return json.dumps(take._asdict() | {"said": said})


def from_json(item: Mapping[str, Any]) -> Take:
    """Read what `to_json` wrote."""
    values = dict(item)
    pairs: list[tuple[str, str]] = values.pop("said")
    said = tuple((_bytes(sent), _bytes(answer)) for sent, answer in pairs)
    return Take(said=said, **values)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# ---- actions ----


def built(action: str) -> AnyAction:
    """Build an action from its Python expression."""
    return cast("AnyAction", eval(action, dict(_NAMES)))


def spoken(action: AnyAction, line: bytes | None) -> tuple[AnyAction, list[Reply]]:
    """Give an action that keeps the replies it reads, and says another line if one is given.

    No action says what Asterisk refuses; so a line with the wrong words is put in its mouth.
    """
    kind = type(action)
    replies: list[Reply] = []

    def read(self: AnyAction, reply: Reply) -> object:
        replies.append(reply)
        return kind._read(self, reply)

    def as_said(_self: AnyAction) -> str:
        return words

    said = action.line if line is None else line
    text = said.decode("utf-8", "surrogateescape").removesuffix("\n")
    command, words = text[: len(kind.command)], text[len(kind.command) + 1 :]
    assert (command, text) == (kind.command, f"{command} {words}" if words else command)
    members: dict[str, object] = {"__slots__": (), "_read": read, "_words": as_said}
    watched = cast("type[Any]", type(kind.__name__, (kind,), members))
    return watched(*action._values()), replies


# ---- promises ----


def plain(value: object) -> object:
    """Give a field's value as JSON has it."""
    if isinstance(value, Enum):
        return cast("object", value.value)
    if isinstance(value, tuple):
        return [
            [getattr(item, field.name) for field in fields(item)]
            for item in cast("tuple[agi.Record, ...]", value)
        ]
    return value


def unkept_promise(
    command: Command, outcome: str, reply: Reply, result: object, error: BaseException | None
) -> str:
    """Tell which promise of the spec a command's end breaks; empty when it keeps them all."""
    row = next((row for row in command.outcomes if row.id == outcome), None)
    if reply.outcome != outcome:
        return f"{reply.outcome}, and not {outcome}: {reply!r}"
    if row is None or isinstance(error, agi.AGIResultHangup):
        wanted = GENERIC[outcome]
        return "" if type(error) is wanted else f"{error!r}, and not {wanted.__name__}"
    if row is not next((row for row in command.outcomes if row.when.holds(reply)), None):
        return f"the table of {command.name} does not find {outcome} in {reply!r}"
    if row.raises:
        return "" if type(error).__name__ == row.raises else f"{error!r}, and not {row.raises}"
    if error is not None:
        return f"{error!r}, and it was to succeed"
    if not command.result:
        return "" if result is None else f"{result!r}, and it reports nothing"
    if type(result).__name__ != command.result:
        return f"{result!r}, and not a {command.result}"
    return _wrong_field(command, row, reply, result)


def _wrong_field(command: Command, row: Outcome, reply: Reply, result: object) -> str:
    types = _FIELD_TYPES[command.result]
    for name, source in row.gives:
        given = plain(getattr(result, name))
        if isinstance(source, str) and source.startswith("$"):
            if source == "$results":
                continue
            text = {"$result": reply.result, "$data": reply.data, "$text": reply.text}.get(
                source, reply.pairs.get(source[1:])
            )
            wanted = _from_wire(types[name], text or "", code=source == "$result")
        else:
            wanted = source
        if given != wanted:
            return f"{name}={given!r}, and not {wanted!r}: {reply!r}"
    return ""


def _from_wire(kind: str, text: str, *, code: bool) -> object:
    """Read a field as the spec's README has it, independently of the generated code."""
    if kind == "digit" or (kind == "character" and code):
        return chr(int(text)) if int(text) else None
    if kind in {"string", "character", "choice"}:
        return text
    return int(text)
