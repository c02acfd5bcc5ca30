"""What a command costs, counted: a stopwatch would be flaky (``nox -s bench`` has several).

System calls, Python calls and blocks of memory are the same on every machine. A change that makes
a command dearer has to change a number here, and say why.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Self

import pytest

from pystrix_typed import agi

if TYPE_CHECKING:
    from types import FrameType

    from pystrix_typed.agi.record import AnyAction

VARIABLES = b"agi_channel: PJSIP/1\nagi_version: 22.10.1\n\n"
STREAM = agi.core.StreamFile("prompt", "#")
REPLY = b"200 result=0 endpos=8000\n"
COMMANDS = 50

#: Python functions and generators that are entered for one command, the action's own three (its
#: words, what its reply means, its result) among them.
BLOCKING_CALLS = 22
ASYNCIO_CALLS = 22


class Counting(socket.socket):
    """A socket that counts what is asked of it."""

    reads = writes = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.reads += 1
        return super().recv(size, flags)

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]  # of any buffer
        self.writes += 1
        return super().send(data, flags)


class Peer(threading.Thread):
    """The other end of a connection: answers every line with the same reply."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        ours, self.connection = socket.socketpair()
        self.counting = Counting(fileno=ours.detach())
        self.connection.sendall(VARIABLES)

    def run(self) -> None:
        while self.connection.recv(4096):
            self.connection.sendall(REPLY)
        self.connection.close()


@pytest.mark.parametrize("action", [STREAM, agi.core.Answer(), agi.core.Noop("x")])
def test_blocking_command_is_one_write_and_one_read(action: AnyAction) -> None:
    peer = Peer()
    peer.start()
    with agi.FastAGI(peer.counting) as session:
        counting = peer.counting
        counting.reads = counting.writes = 0
        for _ in range(COMMANDS):
            session.execute(action)
        assert (counting.writes, counting.reads) == (COMMANDS, COMMANDS)
    peer.join()


def test_asyncio_command_is_one_write_and_one_read() -> None:
    peer = Peer()
    peer.start()

    async def talk() -> tuple[int, int]:
        async with agi.aio.FastAGI(peer.counting) as session:
            counting = peer.counting
            counting.reads = counting.writes = 0
            for _ in range(COMMANDS):
                await session.execute(STREAM)
            return counting.writes, counting.reads

    assert asyncio.run(talk()) == (COMMANDS, COMMANDS)
    peer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such descriptors")
def test_script_command_is_one_write_and_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where the session calls the system, for pipes as Asterisk makes them."""
    to_script, ours = os.pipe()
    theirs, from_script = os.pipe()
    counts = {"read": 0, "write": 0}
    read, write = os.read, os.write

    def answer() -> None:
        while read(theirs, 4096):
            write(ours, REPLY)

    def counted_read(descriptor: int, size: int) -> bytes:
        counts["read"] += 1
        return read(descriptor, size)

    def counted_write(descriptor: int, data: bytes) -> int:
        counts["write"] += 1
        return write(descriptor, data)

    write(ours, VARIABLES)
    peer = threading.Thread(target=answer, daemon=True)
    peer.start()
    session = agi.AGI(
        stdin=to_script, stdout=from_script, redirect_stdout=False, handle_sighup=False
    )
    session._listens = False  # pyright: ignore[reportPrivateUsage] - as with redirect_stdout
    with session, monkeypatch.context() as patch:
        patch.setattr(os, "read", counted_read)
        patch.setattr(os, "write", counted_write)
        for _ in range(COMMANDS):
            session.execute(STREAM)
    assert counts == {"read": COMMANDS, "write": COMMANDS}
    os.close(from_script)
    peer.join()
    for descriptor in (to_script, ours, theirs):
        os.close(descriptor)


class Calls:
    """Counts the Python functions that this thread enters."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self.count = 0
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _see(self, _frame: FrameType, event: str, _what: object) -> None:
        if event == "call":
            self.count += 1


def test_blocking_command_enters_so_many_functions() -> None:
    peer = Peer()
    peer.start()
    with agi.FastAGI(peer.counting) as session:
        session.execute(STREAM)
        with Calls() as calls:
            session.execute(STREAM)
        assert calls.count == BLOCKING_CALLS
    peer.join()


def test_asyncio_command_enters_so_many_functions() -> None:
    """The loop's own part is not counted: the reply is handed over."""

    class Transport(asyncio.Transport):
        link: asyncio.Protocol

        def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
            assert isinstance(protocol, asyncio.Protocol)
            self.link = protocol

        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes | bytearray | memoryview) -> None:
            asyncio.get_running_loop().call_soon(self.link.data_received, REPLY)

        def close(self) -> None:
            self.link.connection_lost(None)

    async def talk() -> int:
        async with agi.aio.FastAGI(Transport(), received=VARIABLES) as session:
            await session.execute(STREAM)
            entered = 0

            def see(frame: FrameType, event: str, _what: object) -> None:
                nonlocal entered
                entered += event == "call" and "pystrix_typed" in frame.f_code.co_filename

            sys.setprofile(see)
            await session.execute(STREAM)
            sys.setprofile(None)
            return entered

    assert asyncio.run(talk()) == ASYNCIO_CALLS


def test_commands_leave_nothing_behind() -> None:
    """A call may last for hours: whatever one command kept would add up."""
    peer = Peer()
    peer.start()
    with agi.FastAGI(peer.counting) as session:

        def blocks() -> int:
            for _ in range(COMMANDS):
                session.execute(STREAM)
            gc.collect()
            return sys.getallocatedblocks()

        blocks()
        # The peer's thread allocates as well, so a few blocks come and go.
        assert max(blocks() - blocks() for _ in range(5)) > -COMMANDS
    peer.join()
