"""Calls that were recorded, to be replayed as tests.

::

    def test_the_call_of_tuesday() -> None:
        call = RecordedCall.load("calls/tuesday.agi.jsonl").replay(handler, hidden=["1234"])
        assert call.agistatus == "SUCCESS"

`pystrix_typed.agi.recording` makes the files.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import timedelta

    from pystrix_typed.testing.call import SimulatedCall
    from pystrix_typed.testing.handlers import AsyncHandler, Handler
    from pystrix_typed.testing.transcript import Transcript

__all__ = ["RecordedCall", "RecordedLine", "RecordingError"]

_FORMAT = 1
_MASK = "***"
_VERSION = re.compile(r"agi_version: (?:certified/)?([0-9]+(?:\.[0-9]+)*.*)")


class RecordingError(ValueError):
    """A file is no recording, or does not tell what a replay needs."""


class RecordedLine(NamedTuple):
    """One line of the dialogue.

    Attributes:
        time: Seconds since the recording began.
        sent: Whether the script sent it.
        text: The line, without its line feed.
        number: Where it stands in the file, from 1.
    """

    time: float
    sent: bool
    text: str
    number: int


class RecordedCall:
    """What was said in a call.

    Args:
        lines: The dialogue, beginning with what Asterisk sends first.
        hidden: What stands in place of something that was hidden; None when nothing was.
        name: What to call it in messages.

    Raises:
        RecordingError: It does not begin as a session does.
    """

    def __init__(
        self, lines: Sequence[RecordedLine], *, hidden: str | None = None, name: str = "recording"
    ) -> None:
        self._lines = tuple(lines)
        self._mask = hidden
        self._name = name
        greeting = 0
        while greeting < len(self._lines) and self._lines[greeting].text:
            if self._lines[greeting].sent:
                break
            greeting += 1
        if greeting == len(self._lines) or self._lines[greeting].sent:
            raise RecordingError(f"{name} does not begin with Asterisk's variables")
        self._greeting = greeting

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RecordedCall:
        """Read a file.

        Raises:
            OSError: It cannot be read.
            RecordingError: It is no recording, or one of a later version; with the line at fault.
        """
        name = str(path)
        try:
            rows = Path(path).read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            raise RecordingError(f"{name}: this is no text, so no recording of a call") from None
        if rows[-1] == "":
            del rows[-1]
        if not rows:
            raise RecordingError(f"{name} is empty")
        header = _json(rows[0], name, 1)
        version = cast("dict[str, object]", header).get("recording") if _is_dict(header) else None
        if version is None:
            raise RecordingError(f"{name}:1: this is no recording of a call")
        if version != _FORMAT:
            raise RecordingError(
                f"{name}:1: a recording of form {version!r}; this version reads form {_FORMAT}"
            )
        hidden = cast("dict[str, object]", header).get("hidden")
        if hidden is not None and not (isinstance(hidden, str) and hidden):
            raise RecordingError(f"{name}:1: what is hidden must be a text, and this is {hidden!r}")
        lines: list[RecordedLine] = []
        for number, row in enumerate(rows[1:], 2):
            entry = _json(row, name, number)
            if _is_dict(entry) and "left_out" in cast("dict[str, object]", entry):
                break
            lines.append(_line(entry, name, number))
        return cls(lines, hidden=hidden, name=name)

    @classmethod
    def of(cls, transcript: Transcript) -> RecordedCall:
        """Take what was said in a simulated call."""
        spoken = [entry for entry in transcript if entry.source in ("script", "asterisk")]
        lines = [
            RecordedLine(entry.time, entry.source == "script", entry.text, number)
            for number, entry in enumerate(spoken, 2)
            if entry.text != "SIGHUP"
        ]
        return cls(lines)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that `load` reads.

        Raises:
            OSError: It cannot be written.
        """
        header = {"recording": _FORMAT, "hidden": self._mask}
        rows: list[object] = [header]
        rows += [[line.time, ">" if line.sent else "<", line.text] for line in self._lines]
        Path(path).write_text("".join([f"{json.dumps(row)}\n" for row in rows]), encoding="utf-8")

    @property
    def name(self) -> str:
        """What it is called in messages: its file."""
        return self._name

    @property
    def lines(self) -> tuple[RecordedLine, ...]:
        """The dialogue."""
        return self._lines

    @property
    def mask(self) -> str | None:
        """What stands in place of something hidden; None when nothing is."""
        return self._mask

    @property
    def greeting(self) -> tuple[RecordedLine, ...]:
        """What Asterisk sent first, without the empty line behind it."""
        return self._lines[: self._greeting]

    @property
    def conversation(self) -> tuple[RecordedLine, ...]:
        """What came after that."""
        return self._lines[self._greeting + 1 :]

    @property
    def script(self) -> str | None:
        """Path and query that the call asked for; None for a script that Asterisk started."""
        told: dict[str, str] = {}
        for line in self.greeting:
            name, _, value = line.text.partition(": ")
            told[name] = value
        return told.get("agi_network_script", "") if "agi_network" in told else None

    @property
    def version(self) -> str:
        """Which Asterisk it was; the one that is simulated by default when it did not tell."""
        for line in self.greeting:
            # Also of a certified one; one that was built from the repository has no number.
            found = _VERSION.match(line.text)
            if found is not None:
                return found[1]
        return "22.10.1"

    @property
    def hidden(self) -> tuple[RecordedLine, ...]:
        """The lines of Asterisk's in which something is hidden, once for each such place."""
        if self._mask is None:
            return ()
        return tuple(
            line
            for line in self._lines
            if not line.sent
            for _ in range(line.text.count(self._mask))
        )

    def revealed(self, values: Sequence[str]) -> RecordedCall:
        """Give it with values in the places where some are hidden, in their order.

        What the script sent keeps its places: there a replay takes anything.

        Args:
            values: As they were on the wire: ``"49"`` for the key 1 of WAIT FOR DIGIT.

        Raises:
            RecordingError: There are more or fewer places, which are listed.
        """
        places = self.hidden
        if isinstance(values, str) or len(values) != len(places):
            listed = "".join([self._place(line) for line in places])
            raise RecordingError(
                f"{self._name} hides {len(places)} values that came from the call; give them, in "
                f"this order, with hidden=[...]:{listed}"
                if places
                else f"{self._name} hides nothing, so hidden={values!r} has no place in it"
            )
        left = iter(values)
        lines: list[RecordedLine] = []
        for line in self._lines:
            if not line.sent and self._mask is not None:
                first, *others = line.text.split(self._mask)
                text = first + "".join([next(left) + other for other in others])
                lines.append(line._replace(text=text))
            else:
                lines.append(line)
        return RecordedCall(lines, hidden=self._mask, name=self._name)

    def _place(self, place: RecordedLine) -> str:
        """Give a line of a list of places: which it is, and the command that it answers."""
        asked = [line.text for line in self._lines if line.sent and line.number < place.number]
        return f"\n  line {place.number}: {place.text}" + (f"   after {asked[-1]}" if asked else "")

    def replay(
        self,
        handler: Handler,
        *,
        strict: bool = True,
        hidden: Sequence[str] = (),
        pattern: str | re.Pattern[str] | None = None,
        timeout: float | timedelta | None = None,
        check: bool = True,
    ) -> SimulatedCall:
        """Replay it into a blocking handler, in this thread and in virtual time.

        Asterisk's lines come as they came, after the commands that they answered and as long after
        them. What the simulator would know of the call, such as `SimulatedCall.played`, is not
        known; what was said is in its transcript.

        Args:
            handler: As for `SimulatedAsterisk.call`.
            strict: Every command must be the one of the recording. If not, commands that only look
                or tell may be left out, added, repeated or come elsewhere: NOOP, VERBOSE, GET
                VARIABLE, GET FULL VARIABLE, DATABASE GET, CHANNEL STATUS. They are answered as they
                were when the recording has the same line, and by the simulator otherwise.
            hidden: What the recording hides; see `revealed`.
            pattern: See `SimulatedAsterisk.call`.
            timeout: See `SimulatedAsterisk.call`.
            check: Raise what went wrong; if not, it is in the call's `error` and `failure`.

        Raises:
            ReplayError: The script says something else than it did.
            RecordingError: The recording hides what was not given.
            Exception: What the handler raised, but for `AGIHangup`.
        """
        from pystrix_typed.testing.handlers import drive
        from pystrix_typed.testing.replaying import ended, prepare

        made = prepare(self.revealed(hidden), strict=strict)
        drive(made, handler, pattern=pattern, timeout=timeout)
        return ended(made, check=check)

    async def replay_async(
        self,
        handler: AsyncHandler,
        *,
        strict: bool = True,
        hidden: Sequence[str] = (),
        pattern: str | re.Pattern[str] | None = None,
        timeout: float | timedelta | None = None,
        check: bool = True,
    ) -> SimulatedCall:
        """Replay it into an asyncio handler, in this task; see `replay`."""
        from pystrix_typed.testing.handlers import drive_async
        from pystrix_typed.testing.replaying import ended, prepare

        made = prepare(self.revealed(hidden), strict=strict)
        await drive_async(made, handler, pattern=pattern, timeout=timeout)
        return ended(made, check=check)

    def replay_script(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        strict: bool = True,
        hidden: Sequence[str] = (),
        check: bool = True,
    ) -> SimulatedCall:
        """Replay it into a script in a process of its own, as `SimulatedAsterisk.run_script`."""
        import os

        from pystrix_typed.testing.replaying import ended, prepare
        from pystrix_typed.testing.transports import run

        made = prepare(self.revealed(hidden), strict=strict)
        made.stderr = run(made, [os.fspath(word) for word in command])
        return ended(made, check=check)

    def __repr__(self) -> str:
        return f"<RecordedCall {self._name}: {len(self._lines)} lines>"


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _json(row: str, name: str, number: int) -> object:
    try:
        return cast("object", json.loads(row))
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{name}:{number}: this is no JSON: {error}") from None


def _line(entry: object, name: str, number: int) -> RecordedLine:
    match entry:
        case [int() | float() as time, ">" | "<", str() as text] if math.isfinite(time):
            return RecordedLine(float(time), entry[1] == ">", text, number)
        case _:
            raise RecordingError(
                f'{name}:{number}: a line is [seconds, ">" or "<", text], and this is {entry!r}'
            )
