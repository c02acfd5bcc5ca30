"""A port closes without taking along who is connected."""

from __future__ import annotations

import asyncio
import errno
import itertools
import select
import socket
import sys
from collections import deque

import pytest

from pystrix_typed.agi.aio.accepting import Acceptor
from pystrix_typed.agi.limits import Limits
from pystrix_typed.agi.listening import hear_again, turn_deaf

PATIENCE = 30.0
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux drops what asks to connect")


def connecting(listener: socket.socket) -> socket.socket:
    """Begin to connect."""
    peer = socket.socket(listener.family)
    peer.setblocking(False)
    peer.connect_ex(listener.getsockname())
    return peer


def outcome(peer: socket.socket) -> int:
    """Wait until a connection is there, or is not to be; give the system's error, or 0."""
    _, ready, _ = select.select([], [peer], [], PATIENCE)
    assert ready
    return peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_deaf_listener_keeps_what_is_complete_and_begins_nothing(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.setblocking(False)
        with connecting(listener) as early:
            assert turn_deaf(listener)
            with connecting(listener) as late:
                accepted, address = listener.accept()
                accepted.close()
                assert address == early.getsockname()
                with pytest.raises(BlockingIOError):
                    listener.accept()
                listener.close()
                # It asks again, and is refused: it never was connected.
                assert outcome(late) == errno.ECONNREFUSED


@linux
def test_a_deaf_listener_can_hear_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert turn_deaf(listener)
        with connecting(listener) as peer:
            hear_again(listener)
            assert outcome(peer) == 0


def test_where_nothing_can_be_dropped_few_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "another")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not turn_deaf(listener)
        hear_again(listener)


def test_an_acceptor_that_stops_loses_no_connection() -> None:
    taken: list[socket.socket] = []

    async def accept_and_stop(steps: int, listener: socket.socket) -> None:
        acceptor = Acceptor(asyncio.get_running_loop(), listener, taken.append, None)
        with connecting(listener):
            for _ in range(steps):
                await asyncio.sleep(0)
            acceptor.stop()
            await asyncio.sleep(0)
            if not taken:  # then it waits for somebody else
                taken.append(listener.accept()[0])
        assert len(taken) == 1
        taken.pop().close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        for steps in range(5):
            asyncio.run(accept_and_stop(steps, listener))


@linux
def test_a_peer_that_never_reads_does_not_keep_a_sender_for_ever() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        connection, _ = listener.accept()
        with connection:
            Limits(keepalive=0.5).prepare(connection)
            connection.settimeout(3 * PATIENCE)
            pieces = itertools.repeat(bytes(65_536))
            with pytest.raises(TimeoutError) as caught:
                deque(map(connection.send, pieces), 0)
            # The system's word, not the test's own timeout.
            assert caught.value.errno == errno.ETIMEDOUT
