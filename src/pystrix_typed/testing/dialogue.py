"""Asterisk's end of one AGI session, without I/O.

It is given the bytes that the script sent, at the present moment of the timeline, and keeps the
bytes that Asterisk sends until they are taken. Commands are read as Asterisk reads them: it looks
whether the connection has something, but takes lines from a buffer of its own, so that a second
command in the same piece is not seen before more bytes arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from pystrix_typed.testing import tokens
from pystrix_typed.testing.answers import Answer, UsageError
from pystrix_typed.testing.commands import RULES
from pystrix_typed.testing.commands_dialplan import is_true
from pystrix_typed.testing.faults import Answered, Cut, Delayed, Forbidden, HungUp, Steered
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.own import rule_of
from pystrix_typed.testing.timeline import milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pystrix_typed.agi.catalogue_model import Command
    from pystrix_typed.testing.answers import Rule
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.faults import Fault
    from pystrix_typed.testing.happening import Activity
    from pystrix_typed.testing.speech import SpeechObject
    from pystrix_typed.testing.timeline import Appointment

__all__ = ["AGIStatus", "Dialogue"]

AGIStatus: TypeAlias = Literal["SUCCESS", "FAILURE", "HANGUP", "NOTFOUND"]

UNKNOWN = "510 Invalid or unknown command"
#: Milliseconds until Asterisk notices that the call was hung up during a command.
_NOTICE = 40
#: Bytes that are read from a connection at once.
_BUFFER = 4096
_FALSE = ("no", "false", "n", "f", "0", "off")


class Dialogue:
    """One session.

    Args:
        channel: Whose call it is.
        environment: The variables that come first, without ``agi_``.
        network: Whether it is FastAGI, which tells a hangup by a line; a script gets a signal.
        eagi: Whether the caller's sound goes to the script.
        faults: What is to go wrong.

    Attributes:
        over: Whether Asterisk has ended the session; the connection is to be closed.
        cut: Whether it ended without a word.
        signals: SIGHUPs that are yet to be sent to the script.
        dead: Whether Asterisk has noticed that the call is over.
        speech: What SPEECH CREATE made.
        hangup_asked: Whether the command under way asked for a hangup.
        exit_status: What the script exited with.
        not_found: Whether there is no such script.
    """

    def __init__(
        self,
        channel: SimulatedChannel,
        environment: Sequence[tuple[str, str]],
        *,
        network: bool,
        eagi: bool = False,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.eagi = eagi
        self.over: bool = False
        self.cut: bool = False
        self.dead: bool = False
        self.signals: int = 0
        self.speech: SpeechObject | None = None
        self.hangup_asked: bool = False
        self.exit_status: int = 0
        self.not_found = False
        self._channel = channel
        self._environment = environment
        self._network = network
        self._faults = tuple(faults)
        self._out = bytearray()
        # What has arrived, and what of it Asterisk has taken into its own buffer.
        self._arrived = bytearray()
        self._taken = bytearray()
        self._unfinished = b""
        self._began_dead = False
        self._ended = False
        self._proceeding = False
        self._in_command = False
        self._notice: Appointment | None = None
        self._failed = self._told_hangup = self._lost = False
        self._counts: Counter[str] = Counter()
        channel.attach(self)
        self._tells_hangup = self._switch("AGISIGHUP") not in _FALSE
        self._leaves_on_hangup = is_true(self._switch("AGIEXITONHANGUP")) and (
            channel.exchange.release.since("11.0.0")
        )

    def _switch(self, name: str) -> str:
        channel = self._channel
        return channel.variables.get(name, channel.exchange.globals.get(name, "")).lower()

    def begin(self) -> None:
        """Send the variables."""
        channel = self._channel
        self.dead = self._began_dead = channel.hung_up
        for name, value in self._environment:
            self.say(f"agi_{name}: {value}")
        self.say("")
        for fault in self._faults:
            if isinstance(fault, (Cut, HungUp)) and fault.at is not None:
                act = self._cut if isinstance(fault, Cut) else self._caller_leaves
                channel.timeline.at(milliseconds(fault.at), act)

    # ---- the connection ----

    @property
    def readable(self) -> bool:
        """Whether something has arrived that Asterisk has not taken yet."""
        return bool(self._arrived) or self._ended

    @property
    def idle(self) -> bool:
        """Whether it is the script's turn."""
        return not self.over and not self._in_command

    def feed(self, data: bytes) -> None:
        """Take what the script sent."""
        if not self.over and not self._ended:
            self._arrived += data
            self._channel.happen_line()
            self._proceed()

    def end(self) -> None:
        """Note that the script has closed its end."""
        if not self.over and not self._ended:
            self._ended = True
            self._channel.happen_line()
            self._proceed()

    def take(self) -> bytes:
        """Give what Asterisk has sent since the last time."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def take_signals(self) -> int:
        """Give how many SIGHUPs are to be sent, once."""
        count, self.signals = self.signals, 0
        return count

    @property
    def ended(self) -> bool:
        """Whether the script has closed its end."""
        return self._ended

    def say(self, line: str) -> None:
        """Send a line, which may hold line feeds of its own."""
        self._out += line.encode("utf-8", "surrogateescape") + b"\n"
        for part in line.split("\n"):
            self._channel.note("asterisk", part)

    def _line(self) -> bytes | None:
        """Take a line; None when it is not whole yet, and nothing at the end."""
        limit = self._channel.exchange.release.line_size - 1
        while True:
            end = self._taken.find(b"\n", 0, limit)
            if end >= 0:
                return self._cut_off(end + 1)
            if len(self._taken) >= limit:
                return self._cut_off(limit)
            if self._arrived:
                self._taken += self._arrived[:_BUFFER]
                del self._arrived[:_BUFFER]
            elif self._ended:
                return self._cut_off(len(self._taken))
            else:
                return None

    def _cut_off(self, size: int) -> bytes:
        line = bytes(self._taken[:size])
        del self._taken[:size]
        return line

    # ---- commands ----

    def _proceed(self) -> None:
        """Do commands as long as there are some to do."""
        if self._proceeding:
            return
        self._proceeding = True
        try:
            while self.readable and self.idle:
                line = self._line()
                if line is None:
                    return
                if not line:
                    self._close(by_script=True)
                    return
                self._handle(line)
        finally:
            self._proceeding = False

    def _handle(self, line: bytes) -> None:
        channel = self._channel
        # What stands behind a zero is not seen; over a network its line feed neither.
        line, zero, _ = (self._unfinished + line.removesuffix(b"\n")).partition(b"\0")
        self._unfinished = line if zero and self._network else b""
        channel.note("script", tokens.text_of(line))
        if self._unfinished:
            return
        if channel.hung_up and not self.dead:
            self._notify()
            if self.over:
                return
        if line[:7].lower() == b"failure":
            self._failed = True
            self._close(by_script=False)
            return
        words = tokens.split(line)
        command = channel.exchange.release.find(words)
        if command is None or command.module in channel.exchange.missing_modules:
            self.say(UNKNOWN)
            return
        self._counts[command.name] += 1
        self._counts[""] += 1
        self._begin(command, words[len(command.name.split()) :])

    def _begin(self, command: Command, arguments: list[str]) -> None:
        channel = self._channel
        release = channel.exchange.release
        answered: Answered | None = None
        for fault in self._with(command):
            match fault:
                case Forbidden():
                    self.say(UNKNOWN)
                    return
                case Answered():
                    answered = fault
                case Cut() if fault.at is None:
                    self._cut()
                    return
                case _:
                    pass
        if channel.hung_up and not command.dead:
            self.say(release.dead_text)
            return
        rule = self._rule(command)
        if not rule.least <= len(arguments) <= release.most_words(command):
            self._refuse(command)
            return
        self._in_command = True
        self.hangup_asked = False
        self._arrange(command)
        channel.command_begins(command.name)
        channel.run(
            self._do(command, arguments, answered),
            lambda answer: self._finished(command, answer),
        )

    def _rule(self, command: Command) -> Rule:
        known = RULES.get(command.name)
        if known is not None:
            return known
        return rule_of(command, self._channel.exchange.answers.get(command.name))

    def _with(self, command: Command) -> list[Fault]:
        found: list[Fault] = []
        for fault in self._faults:
            count = self._counts["" if not fault.command else command.name]
            if fault.concerns(command.name, count):
                found.append(fault)
        return found

    def _arrange(self, command: Command) -> None:
        """Arrange for what is to happen during a command."""
        channel = self._channel
        for fault in self._with(command):
            if isinstance(fault, HungUp) and fault.at is None:
                channel.timeline.after(milliseconds(fault.after), self._caller_leaves)
            elif isinstance(fault, Steered):
                channel.timeline.after(
                    milliseconds(fault.after), partial(channel.steer, fault.control)
                )

    def _do(
        self, command: Command, arguments: list[str], answered: Answered | None
    ) -> Activity[Answer]:
        if answered is not None:
            answer = Answer(answered.reply, failed=answered.fails)
        else:
            try:
                result = self._rule(command).handle(self._channel, arguments)
                if isinstance(result, Generator):
                    answer = yield from result
                else:
                    answer = result
            except UsageError:
                answer = Answer(None, usage=True)
        for fault in self._with(command):
            if isinstance(fault, Delayed):
                yield Wait(self._channel.now + milliseconds(fault.seconds), deaf=True)
        return answer

    def _finished(self, command: Command, answer: Answer) -> None:
        channel = self._channel
        self._in_command = False
        channel.command_ends()
        if self.over:
            return
        if answer.line is not None:
            self.say(answer.line)
        if answer.usage:
            self._refuse(command)
        if answer.failed and (self.dead or not channel.hung_up):
            # A failure that the hangup did not bring.
            self._failed = True
        if self.hangup_asked:
            channel.hang_up("script", 0)
        if channel.hung_up and not self.dead and self._notice is None:
            if answer.notice:
                self._notify()
            else:
                self._notice = channel.timeline.after(_NOTICE, self._notify)
        self._proceed()

    def _refuse(self, command: Command) -> None:
        exchange = self._channel.exchange
        self.say(exchange.release.usage(command, documented=exchange.documented))

    # ---- the end ----

    def _caller_leaves(self) -> None:
        if not self._channel.hung_up:
            self._channel.note("caller", "hangs up")
            self._channel.hang_up("caller")

    def channel_hung_up(self) -> None:
        """Note that the call is over; called by the channel."""
        if self.idle and not self.dead and self._notice is None and not self.hangup_asked:
            self._notify()

    def _notify(self) -> None:
        """Notice the hangup, and tell the script."""
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
        if self.over or self.dead:
            return
        self.dead = self._told_hangup = True
        self._tell()
        if self._leaves_on_hangup:
            self._close(by_script=False)

    def _tell(self) -> None:
        if not self._tells_hangup:
            return
        if self._network:
            self.say("HANGUP")
        else:
            self.signals += 1
            self._channel.note("asterisk", "SIGHUP")

    def _close(self, *, by_script: bool) -> None:
        # A script that has closed its end itself is waited for, and not told.
        if self._network or not by_script:
            self._tell()
        self._leave()

    def _cut(self) -> None:
        if not self.over:
            self.cut = True
            self._channel.note("call", "the connection is cut")
            self._leave()

    def hang_there(self) -> None:
        """End a session in which both ends wait for the other, as if the connection was lost."""
        self._cut()

    def _leave(self) -> None:
        self.over = True
        self.speech = None
        channel = self._channel
        # The dialplan goes on; after a hangup only in the `h` extension.
        if not channel.hung_up or self._began_dead:
            here = channel.location
            channel.location = here._replace(priority=here.priority + 1)
        self._lost = channel.hung_up and not self.dead
        channel.variables["AGISTATUS"] = self.status

    def exited(self, status: int) -> None:
        """Note what the script exited with."""
        self.exit_status = status
        self._channel.variables["AGISTATUS"] = self.status

    @property
    def status(self) -> AGIStatus:
        """What AGISTATUS is, or would be if the session ended now."""
        if self.not_found:
            return "NOTFOUND"
        if self._failed:
            return "FAILURE"
        lost = self._lost if self.over else self._channel.hung_up and not self.dead
        if self._told_hangup or lost:
            return "HANGUP"
        return "FAILURE" if self.exit_status else "SUCCESS"
