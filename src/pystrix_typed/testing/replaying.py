"""Asterisk's end of a call that is replayed: it says what it said, if the script does."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from pystrix_typed.testing import tokens
from pystrix_typed.testing.asterisk import SimulatedAsterisk
from pystrix_typed.testing.dialogue import Dialogue
from pystrix_typed.testing.errors import DialogueError
from pystrix_typed.testing.timeline import milliseconds

if TYPE_CHECKING:
    from pystrix_typed.testing.call import SimulatedCall
    from pystrix_typed.testing.recorded import RecordedCall, RecordedLine
    from pystrix_typed.testing.timeline import Appointment

__all__ = ["ReplayError", "ended", "prepare"]

_FENCE = re.compile(r'GET FULL VARIABLE "(fence-[0-9a-f]+-[0-9]+)"')
_FENCE_ANSWER = re.compile(r"200 result=1 \(fence-[0-9a-f]+-[0-9]+\)")
#: What only looks or tells.
_HARMLESS = (
    "CHANNEL STATUS",
    "DATABASE GET",
    "GET FULL VARIABLE",
    "GET VARIABLE",
    "NOOP",
    "VERBOSE",
)


class ReplayError(DialogueError):
    """The script says something else than in the recording."""


class _Exchange:
    """A command of the recording, and what Asterisk sent before the next one."""

    def __init__(self, line: RecordedLine, mask: str | None) -> None:
        self.line = line
        self.answers: list[tuple[int, str]] = []
        words = tokens.split(line.text.encode("utf-8", "surrogateescape"))
        self.harmless = any(" ".join(words).upper().startswith(name) for name in _HARMLESS)
        parts = [line.text] if mask is None else line.text.split(mask)
        self._pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)

    def is_of(self, text: str) -> bool:
        """Tell whether a command line is this one; what is hidden may be anything."""
        return self._pattern.fullmatch(text) is not None


class _ReplayedDialogue(Dialogue):
    """One session, as it was recorded."""

    def __init__(self, call: SimulatedCall, recorded: RecordedCall, *, strict: bool) -> None:
        super().__init__(call.channel, (), network=recorded.script is not None)
        self._call = call
        self._recorded = recorded
        self._strict = strict
        self._exchanges = _exchanges(recorded)
        self._done: set[int] = set()
        self._next = 0
        self._answering: list[Appointment] = []
        self._pending: list[str] = []

    def begin(self) -> None:
        """Send the variables."""
        for line in self._recorded.greeting:
            self.say(line.text)
        self.say("")

    def feed(self, data: bytes) -> None:
        """Take what the script sent; an answer that it does not wait for comes before."""
        self._hurry()
        super().feed(data)

    def _handle(self, line: bytes) -> None:
        text = tokens.text_of(line.removesuffix(b"\n"))
        channel = self._channel
        fence = _FENCE.fullmatch(text)
        if fence:
            channel.note("script", text)
            self.say(f"200 result=1 ({fence[1]})")
            return
        index = self._find(text)
        if index is None:
            if not self._strict and _is_harmless(line):
                super()._handle(line)
                return
            channel.note("script", text)
            what = f"the script sent:    {text}\n{self._expected()}"
            expected = self._exchanges[self._next : self._next + 1]
            looks = _is_harmless(line) or any(each.harmless for each in expected)
            self._differ(f"{what}\n{self._advice(looks=looks)}")
            return
        channel.note("script", text)
        self._done.add(index)
        if not self._exchanges[index].harmless or self._strict:
            self._next = index + 1
        self._answer(self._exchanges[index], last=index == len(self._exchanges) - 1)

    def _find(self, text: str) -> int | None:
        """Find the command in the recording."""
        if self._strict:
            index = self._next
            known = index < len(self._exchanges) and self._exchanges[index].is_of(text)
            return index if known else None
        for index in range(self._next, len(self._exchanges)):
            if self._exchanges[index].is_of(text):
                return index
            if not self._exchanges[index].harmless:
                break
        # What only looks may look at what it saw elsewhere: the nearest first.
        places = [
            index
            for index, each in enumerate(self._exchanges)
            if each.harmless and each.is_of(text)
        ]
        return min(places, key=lambda index: abs(index - self._next), default=None)

    def _answer(self, exchange: _Exchange, *, last: bool) -> None:
        lines = exchange.answers
        final = max((at for at, (_, text) in enumerate(lines) if text != "HANGUP"), default=-1)
        self._in_command = True
        self._pending = [text for _, text in lines]
        if final < 0 and not last:
            self._in_command = False  # it was given up, and never answered
        timeline = self._channel.timeline
        for at, (delay, _) in enumerate(lines):
            done = at == final
            self._answering.append(timeline.after(delay, partial(self._say_next, done)))
        if final < 0 and last:
            timeline.after(lines[-1][0] if lines else 0, self._cut)

    def _say_next(self, done: bool) -> None:
        if not self._pending or self.over:
            return
        text = self._pending.pop(0)
        self._answering.pop(0)
        if text == "HANGUP":
            self._note_hangup()
        self.say(text)
        if done:
            self._in_command = False
            self._proceed()

    def _hurry(self) -> None:
        """Say at once what is yet to be said."""
        for appointment in self._answering:
            appointment.cancel()
        self._answering.clear()
        pending, self._pending = self._pending, []
        for text in pending:
            if text == "HANGUP":
                self._note_hangup()
            self.say(text)
        self._in_command = False

    def _note_hangup(self) -> None:
        channel = self._channel
        self.dead = self._told_hangup = True
        if not channel.hung_up:
            channel.hung_up, channel.hung_up_by = True, "caller"

    def _expected(self) -> str:
        name = self._recorded.name
        for exchange in self._exchanges[self._next :]:
            if self._strict or not exchange.harmless:
                return f"the recording has:  {exchange.line.text}  ({name}:{exchange.line.number})"
        return f"the recording has:  nothing more  ({name})"

    def _advice(self, *, looks: bool) -> str:
        if self._strict and looks:
            return "what only looks or tells may come, stay away or move with strict=False"
        return "if the script is right, the call has to be recorded anew"

    def _differ(self, what: str) -> None:
        transcript = self._channel.transcript
        self._call.failure = ReplayError(what, transcript.excerpt(len(transcript) - 1))
        self._cut()

    def see_the_end(self) -> None:
        """See whether the script has said all that it did."""
        left = [
            exchange
            for index, exchange in enumerate(self._exchanges)
            if index >= self._next and index not in self._done
            if self._strict or not exchange.harmless
        ]
        if left:
            looks = all(exchange.harmless for exchange in left)
            what = f"the script ended\n{self._expected()}\n{self._advice(looks=looks)}"
            self._call.failure = ReplayError(what, self._channel.transcript.excerpt())


def prepare(recorded: RecordedCall, *, strict: bool) -> SimulatedCall:
    """Make the call that replays a recording, which hides nothing any more."""
    made = SimulatedAsterisk(recorded.version).prepare(recorded.script)
    made.dialogue = _ReplayedDialogue(made, recorded, strict=strict)
    return made


def ended(made: SimulatedCall, *, check: bool) -> SimulatedCall:
    """See that the call went as it was recorded."""
    dialogue = made.dialogue
    if isinstance(dialogue, _ReplayedDialogue) and made.failure is None and not made.mistaken:
        dialogue.see_the_end()
    if check:
        made.raise_errors()
    return made


def _is_harmless(line: bytes) -> bool:
    words = " ".join(tokens.split(line.removesuffix(b"\n"))).upper()
    return any(words.startswith(name) for name in _HARMLESS)


def _exchanges(recorded: RecordedCall) -> list[_Exchange]:
    """Take the dialogue apart; fences are the session's own, and differ each time."""
    found: list[_Exchange] = []
    asked = 0.0
    for line in recorded.conversation:
        if line.sent:
            if not _FENCE.fullmatch(line.text):
                found.append(_Exchange(line, recorded.mask))
                asked = line.time
        elif found and not _FENCE_ANSWER.fullmatch(line.text):
            found[-1].answers.append((milliseconds(max(line.time - asked, 0.0)), line.text))
    return found
