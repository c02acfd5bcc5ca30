"""Asterisk as an AGI peer, in small: when it reads, what it owes, how it is interrupted.

It is written from Asterisk's side and shares no line with the package. What matters is that it
polls the descriptor but reads through stdio: a line that was read together with the one before it
is only seen when more bytes arrive.

`Wire` puts a protocol on the other end, on a clock that stands still unless somebody waits, so that
a session of hours takes no time and nothing depends on luck. `serve` plays the same peer on real
descriptors.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .tokenizer import words

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from pystrix_typed.agi.protocol import Protocol

__all__ = [
    "ENVIRONMENT",
    "Abandoned",
    "Asterisk",
    "Doing",
    "Hung",
    "Served",
    "Wire",
    "asked",
    "bytewise",
    "scripted",
    "serve",
    "whole",
]

R = TypeVar("R")

ENVIRONMENT = b"".join(
    [
        b"agi_%b: %b\n" % item
        for item in (
            (b"request", b"menu.py"),
            (b"channel", b"PJSIP/alice-00000001"),
            (b"version", b"22.10.1"),
            (b"callerid", b"unknown"),
            (b"extension", b"100"),
            (b"priority", b"1"),
            (b"enhanced", b"0.0"),
            (b"accountcode", b""),
            (b"threadid", b"1"),
        )
    ]
    + [b"\n"]
)
DEAD = b"511 Command Not Permitted on a dead channel or intercept routine\n"
LEGAL_ON_DEAD = (b"GET", b"NOOP", b"EXEC", b"SET VARIABLE", b"VERBOSE", b"DATABASE")


class Doing(NamedTuple):
    """What a command does.

    Attributes:
        reply: What it answers at its end.
        lasts: How long it takes, in seconds.
        interrupted: What it answers when a new command comes; None for one that takes no notice.
    """

    reply: bytes
    lasts: float = 0.0
    interrupted: bytes | None = None


class Asterisk:
    """The peer.

    Args:
        answer: Tells what each command line (without its line feed) does. Fences, and CHANNEL
            STATUS on a dead channel, are not its affair.
        lag: Seconds from the arrival of bytes to their being looked at.
        leaves_after: Close the connection after so many commands.

    Attributes:
        heard: The command lines that were executed, without the fences.
        violations: What the client did that no client may do.
        ignores_fences: Never answer one.
        gone: It has closed the connection.
    """

    def __init__(
        self,
        answer: Callable[[bytes], Doing],
        lag: float = 0.0,
        leaves_after: float = math.inf,
    ) -> None:
        self.answer = answer
        self.lag = lag
        self.leaves_after = leaves_after
        self.heard: list[bytes] = []
        self.fences = 0
        self.violations: list[str] = []
        self.ignores_fences = False
        self.gone = False
        self.dead = False
        self._kernel = bytearray()
        self._stdio = bytearray()
        self._wakes = -math.inf
        self._running: Doing | None = None
        self._ends = math.inf
        self._notices: list[float] = []
        self._leaves = math.inf
        self._planned: list[tuple[float, Callable[[], None]]] = []
        self._unasked: list[tuple[float, bytes]] = []

    # ---- what the test does to it ----

    def hang_up(self, now: float, notices: int = 1, leave: bool = False) -> None:
        """End the call: a command that runs ends with -1 at once, the notice comes later."""
        self.dead = True
        if self._running is not None:
            self._running = Doing(b"200 result=-1\n")
            self._ends = now
        self._notices += [now + 0.04] * notices
        if leave:
            self._leaves = now + 0.04

    def hang_up_at(self, moment: float, notices: int = 1, leave: bool = False) -> None:
        """End the call later."""
        self._planned.append((moment, lambda: self.hang_up(moment, notices, leave)))

    def writes(self, data: bytes, moment: float) -> None:
        """Say something at a moment, unasked."""
        self._unasked.append((moment, data))

    # ---- what the client does to it ----

    def write(self, data: bytes, now: float) -> None:
        """Take bytes from the client."""
        if not self._kernel or self._wakes == math.inf:
            self._wakes = now + self.lag
        if data.count(b"\n") != 1 or not data.endswith(b"\n"):
            self.violations.append(f"not one line: {data!r}")
        elif not _is_fence(data) and self._busy:
            self.violations.append(f"a second command: {data!r}")
        self._kernel += data

    @property
    def _busy(self) -> bool:
        return self._running is not None or bool(self._kernel) or bool(self._stdio)

    # ---- its own life ----

    def next_moment(self, now: float) -> float:
        """Tell when it will do something unless bytes arrive."""
        moments = [self._ends, self._leaves, *self._notices]
        moments += [moment for moment, _ in [*self._planned, *self._unasked]]
        if self._kernel and (self._running is None or self._running.interrupted is not None):
            moments.append(self._wakes)
        return max(min(moments), now)

    def run(self, now: float) -> bytes:
        """Do what is to be done by now, and give what was written."""
        written = bytearray()
        while self._planned and self._planned[0][0] <= now:
            self._planned.pop(0)[1]()
        while self._unasked and self._unasked[0][0] <= now:
            written += self._unasked.pop(0)[1]
        while True:
            readable = bool(self._kernel) and self._wakes <= now
            if self._running is not None:
                if readable and self._running.interrupted is not None:
                    written += self._running.interrupted
                elif self._ends <= now:
                    written += self._running.reply
                else:
                    break
                self._running, self._ends = None, math.inf
            elif readable:
                line = self._fgets()
                if line is None:
                    break
                written += self._execute(line, now)
            else:
                break
        for moment in [moment for moment in self._notices if moment <= now]:
            self._notices.remove(moment)
            written += b"HANGUP\n"
        if self._leaves <= now or (self._running is None and len(self.heard) >= self.leaves_after):
            self.gone, self._leaves = True, math.inf
        return bytes(written)

    def _fgets(self) -> bytes | None:
        if b"\n" not in self._stdio:
            self._stdio += self._kernel
            self._kernel.clear()
        end = self._stdio.find(b"\n")
        if end < 0:
            self._wakes = math.inf
            return None
        line = bytes(self._stdio[:end])
        del self._stdio[: end + 1]
        return line

    def _execute(self, line: bytes, now: float) -> bytes:
        if _is_fence(line):
            self.fences += 1
            return b"" if self.ignores_fences else b"200 result=1 (%b)\n" % words(line)[3]
        self.heard.append(line)
        if self.dead and not line.startswith(LEGAL_ON_DEAD):
            return DEAD
        doing = self.answer(line)
        if doing.lasts:
            self._running, self._ends = doing, now + doing.lasts
            return b""
        return doing.reply


def _is_fence(line: bytes) -> bool:
    return line.startswith(b'GET FULL VARIABLE "fence-')


def scripted(*answers: bytes, status: bytes = b"200 result=6\n") -> Callable[[bytes], Doing]:
    """Answer one command after the other, and CHANNEL STATUS as it is asked for."""
    left = deque(answers)

    def answer(line: bytes) -> Doing:
        if line == b"CHANNEL STATUS":
            return Doing(status)
        return Doing(left.popleft() if left else b"", 0.0)

    return answer


def asked(line: bytes) -> Doing:
    """Answer each command with its own number, after a time that is the number in milliseconds."""
    command, _, rest = line.partition(b" ")
    digits = bytes(byte for byte in rest if chr(byte).isdigit()) or b"0"
    lasts = int(digits) / 1000
    if command == b"NOOP":
        return Doing(b"200 result=0 (%b)\n" % digits)
    if command == b"GET":
        return Doing(b"200 result=1 (%b)\n200 result=1 (x\n%b)\n" % (digits, digits), lasts)
    if command == b"STREAM":
        return Doing(b"200 result=%b endpos=1\n" % digits, lasts, b"")
    if command == b"WAIT":
        return Doing(b"200 result=%b\n" % digits, lasts, b"200 result=1\n")
    if command == b"EXEC":
        return Doing(
            b"200 result=1\n" + b"520 Invalid command syntax.  Proper usage not available.\n", lasts
        )
    return Doing(b"200 result=%b\n" % digits, lasts)


class Hung(AssertionError):
    """Nothing will ever happen again."""


class Abandoned(BaseException):
    """What ends an exchange from outside, as a cancellation or an interrupt does."""


def whole(data: bytes) -> Iterable[bytes]:
    """Let bytes arrive as they were written."""
    return [data] if data else []


def bytewise(data: bytes) -> Iterable[bytes]:
    """Let every byte arrive alone."""
    return [data[at : at + 1] for at in range(len(data))]


class Wire:
    """Drives a protocol against a peer, on a clock of its own.

    Args:
        protocol: One end.
        asterisk: The other.
        cut: Cuts what was written at a time into what arrives at a time.
        greeting: What the peer sends first.
    """

    def __init__(
        self,
        protocol: Protocol,
        asterisk: Asterisk,
        cut: Callable[[bytes], Iterable[bytes]] = whole,
        greeting: bytes = b"",
    ) -> None:
        self.protocol = protocol
        self.asterisk = asterisk
        self.cut = cut
        self.now = 1000.0
        self.arriving = deque(piece for piece in cut(greeting) if piece)

    def drive(
        self, steps: Generator[tuple[bytes, float | None], bytes | None, R], leave: float = math.inf
    ) -> R:
        """Run one exchange as a driver does; at the moment `leave`, abandon it."""
        protocol = self.protocol
        protocol.now = self.now
        try:
            data, until = next(steps)
            while True:
                if data:
                    self.asterisk.write(data, self.now)
                    protocol.sending = False
                came = self._wait(math.inf if until is None else until, leave)
                protocol.now = self.now
                data, until = steps.send(came)
        except StopIteration as end:
            result: R = end.value
            return result
        except BaseException:
            fence = protocol.abandon(self.now)
            if fence:
                self.asterisk.write(fence, self.now)
                protocol.sending = False
            raise

    def pass_time(self, seconds: float, listen: bool = True) -> None:
        """Let time pass between two exchanges; a blocking driver does not listen then."""
        until = self.now + seconds
        while True:
            self._run()
            if listen:
                while self.arriving:
                    self.protocol.received(self.arriving.popleft())
                if self.asterisk.gone:
                    self.protocol.received(b"")
            moment = self.asterisk.next_moment(self.now)
            if moment > until or moment == self.now:
                break
            self.now = moment
        self.now = until

    def _run(self) -> None:
        self.arriving.extend(piece for piece in self.cut(self.asterisk.run(self.now)) if piece)

    def _wait(self, until: float, leave: float) -> bytes | None:
        while True:
            if leave <= self.now:
                raise Abandoned
            self._run()
            if self.arriving:
                return self.arriving.popleft()
            if self.asterisk.gone:
                return b""
            moment = self.asterisk.next_moment(self.now)
            if min(moment, until, leave) == math.inf:
                raise Hung("the client waits for something that never comes")
            if moment <= min(until, leave):
                self.now = max(self.now, moment)
            elif leave <= until:
                self.now = max(self.now, leave)
            else:
                self.now = max(self.now, until)
                return None


class Served:
    """A peer at work in a thread of its own."""

    def __init__(self, waker: int) -> None:
        self.idle = threading.Event()
        self._waker = waker

    def wake(self) -> None:
        """Have the peer look at what a test has told it."""
        os.write(self._waker, b"!")

    def settle(self) -> None:
        """Wait until the peer has written all that it has to say."""
        assert self.idle.wait(20), "the peer does not come to rest"


@contextmanager
def serve(
    asterisk: Asterisk,
    reader: int,
    writer: int,
    greeting: bytes = ENVIRONMENT,
    cut: Callable[[bytes], Iterable[bytes]] = whole,
) -> Generator[Served, None, None]:
    """Play the peer on descriptors, which it closes, in a thread of its own.

    Args:
        asterisk: The peer.
        reader: Where the client's commands come from.
        writer: Where to write, which may be the same.
        greeting: What to send first; it lies there when this begins.
        cut: Cuts what is written.
    """
    woken, waker = os.pipe()
    served = Served(waker)

    def write(data: bytes) -> None:
        for piece in cut(data):
            os.write(writer, piece)

    def play() -> None:
        try:
            while True:
                now = time.monotonic()
                write(asterisk.run(now))
                if asterisk.gone:
                    return
                wait = asterisk.next_moment(now) - now
                if wait:
                    served.idle.set()
                ready, _, _ = select.select(
                    [reader, woken], [], [], None if wait == math.inf else wait
                )
                served.idle.clear()
                if reader in ready:
                    data = os.read(reader, 65536)
                    if not data:
                        return
                    for line in data.splitlines(keepends=True):
                        asterisk.write(line, time.monotonic())
                elif ready and not os.read(woken, 1):
                    return
        except OSError:
            return  # the client has left
        finally:
            os.close(writer)
            if reader != writer:
                os.close(reader)
            served.idle.set()

    os.write(writer, greeting)
    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        os.close(waker)
        thread.join(20)
        os.close(woken)
        assert not thread.is_alive(), "the peer does not end"
