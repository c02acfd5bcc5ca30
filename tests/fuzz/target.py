"""What is fuzzed: a peer's bytes, with a few that are events instead.

The first byte of an input has the switches, the next two the sizes of the pieces in which the rest
arrives. In the rest, 0xFC ends the stream, 0xFD stands for the answers to the fences that are out,
0xFE lets the deadline pass, and 0xFF interrupts the command. A find is every exception that is not
documented, a step that is no command line, and a session that goes on forever.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from pystrix_typed.agi.core import Exec, GetVariable, Gosub, Noop, SayNumber, StreamFile
from pystrix_typed.agi.exceptions import AGIException
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.wire import parse, reply_code, speech_results

if TYPE_CHECKING:
    from collections.abc import Generator

    from pystrix_typed.agi.record import AnyAction

__all__ = ["play"]

ACTIONS: list[AnyAction] = [
    Noop(),
    GetVariable("X"),
    Exec("Playback", "beep"),
    SayNumber(1),
    StreamFile("beep"),
    Gosub("a", "b", 1),
    Noop("again"),
]
LIMIT = 2048
STEPS = 20_000
END, FENCES, DEADLINE, INTERRUPT = b"\xfc", b"\xfd", b"\xfe", b"\xff"


class Peer:
    """The other end, and the driver in between.

    Args:
        said: What the peer says, events included.
        sizes: The sizes of the pieces, over and over.
    """

    def __init__(self, protocol: Protocol, said: bytes, sizes: list[int]) -> None:
        self.protocol = protocol
        self.now = 0.0
        self.steps = 0
        self.fences: deque[bytes] = deque()
        self.arriving: deque[bytes] = deque()
        turn = 0
        for part in re.split(rb"([\xfc-\xff])", said):
            if part in (END, FENCES, DEADLINE, INTERRUPT):
                self.arriving.append(part)
                continue
            at = 0
            while at < len(part):
                self.arriving.append(part[at : at + sizes[turn % 2]])
                at += sizes[turn % 2]
                turn += 1

    def drive(self, steps: Generator[tuple[bytes, float | None], bytes | None, object]) -> None:
        """Run one exchange to its end."""
        self.protocol.now = self.now
        try:
            data, until = next(steps)
            while True:
                self.take(data)
                came = self.arrive(until)
                if came == INTERRUPT:
                    steps.close()
                    raise KeyboardInterrupt
                self.protocol.now = self.now
                data, until = steps.send(came)
        except StopIteration:
            return
        except (AGIException, KeyboardInterrupt):
            self.take(self.protocol.abandon(self.now))

    def take(self, data: bytes) -> None:
        """Take what the protocol writes: one line, or nothing."""
        self.steps += 1
        assert self.steps < STEPS, "it goes on forever"
        assert data.count(b"\n") == bool(data), data
        assert data[-1:] in (b"", b"\n"), data
        fence = re.fullmatch(rb'GET FULL VARIABLE "(fence-[0-9a-f]{16}-[0-9]+)"\n', data)
        if fence:
            self.fences.append(b"200 result=1 (%b)\n" % fence[1])
        elif data:
            assert not self.fences, "a command behind a fence that is out"
        self.protocol.sending = False

    def arrive(self, until: float | None) -> bytes | None:
        """Give what comes next."""
        if not self.arriving:
            # The script is over: what is still waited for comes, or never does.
            if not self.fences:
                self.late(until)
                return b"" if until is None else None
            self.arriving.append(FENCES)
        piece = self.arriving.popleft()
        if piece == FENCES:
            piece = b"".join(self.fences)
            self.fences.clear()
            return piece or self.arrive(until)
        if piece == DEADLINE:
            self.late(until)
            return self.arrive(until) if until is None else None
        return b"" if piece == END else piece

    def late(self, until: float | None) -> None:
        """Let the moment pass, if there is one."""
        if until is not None:
            self.now = max(self.now, until)


def play(data: bytes) -> None:
    """Play one input from its start to its end."""
    if len(data) < 3:
        return
    switches, *sizes = data[:3]
    said = data[3:]
    protocol = Protocol(
        verify_values=bool(switches & 1),
        max_environment=LIMIT,
        max_reply=LIMIT,
        resync_timeout=1 if switches & 8 else 0.2,
    )
    peer = Peer(protocol, said, [size or LIMIT for size in sizes])
    if switches & 2:
        peer.arriving.appendleft(b"\n")
    peer.drive(protocol.start(1))
    for action in ACTIONS:
        peer.drive(protocol.execute(action, None if switches & 4 else peer.now + 1))
    for raw in re.split(rb"[\xfc-\xff]", said):
        if reply_code(raw.partition(b"\n")[0]):
            reply = parse(raw, multiline=bool(switches & 1))
            assert reply.raw == raw
            assert reply.shown.isprintable()
            speech_results(reply)
