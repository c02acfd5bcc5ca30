"""Peers that a server must survive: ``python -m tests.faults.attack NAME PORT COUNT``.

Each prints two JSON objects: one when it is in full force, with the connections that it holds, and
one when it is over, with what it has seen. All are bounded in count and in time.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ATTACKS", "block", "connect", "reset"]

HOST = "127.0.0.1"
#: No attack lasts longer, in seconds.
LIMIT = 12.0
#: Seconds that those last that end by themselves.
WHILE = 1.0


def block(script: str) -> bytes:
    """Give the variables of a call."""
    names = {
        "network": "yes",
        "network_script": script,
        "channel": "PJSIP/fault-1",
        "language": "en",
    }
    names |= {"version": "22.10.1", "callerid": "666", "context": "default", "accountcode": ""}
    return "".join([f"agi_{name}: {value}\n" for name, value in names.items()]).encode() + b"\n"


def connect(port: int) -> socket.socket:
    """Connect, however busy the server is."""
    connection = socket.create_connection((HOST, port), timeout=LIMIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def reset(connection: socket.socket) -> None:
    """Close with a reset, as a host that dies and comes back does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def say(event: str, **what: object) -> None:
    print(json.dumps({"event": event, **what}), flush=True)


def wait_for_ends(
    connections: Iterable[socket.socket],
    meanwhile: Callable[[socket.socket], None] | None = None,
) -> Counter[str]:
    """Wait until the server has ended the connections; count how."""
    seen: Counter[str] = Counter()
    left = set(connections)
    until = time.monotonic() + LIMIT
    with selectors.DefaultSelector() as selector:
        for connection in left:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, connection)
        while left and time.monotonic() < until:
            for key, _ in selector.select(0.05):
                ended: socket.socket = key.data
                with contextlib.suppress(ConnectionError):
                    if ended.recv(65_536):
                        continue
                seen["turned out"] += 1
                selector.unregister(ended)
                left.discard(ended)
                ended.close()
            if meanwhile is not None:
                for connection in left:
                    with contextlib.suppress(OSError):
                        meanwhile(connection)
    seen["never turned out"] = len(left)
    for connection in left:
        connection.close()
    return seen


def half_open(port: int, count: int) -> Counter[str]:
    """Connect and say nothing, or something, but never all of the variables."""
    beginnings = itertools.cycle([b"", block("talk")[:40], block("talk")[:-1]])
    connections: list[socket.socket] = []
    for beginning in itertools.islice(beginnings, count):
        connections.append(connect(port))
        connections[-1].sendall(beginning)
    say("begun", flying=count)
    return wait_for_ends(connections)


def drip(port: int, count: int) -> Counter[str]:
    """Send the variables a byte at a time, and too slowly to ever be done."""
    connections = [connect(port) for _ in range(count)]
    left = {connection: iter(block("talk" * 500)) for connection in connections}
    say("begun", flying=count)

    def send(connection: socket.socket) -> None:
        connection.send(bytes([next(left[connection])]))

    return wait_for_ends(connections, send)


def garbage(port: int, count: int) -> Counter[str]:
    """Speak anything but AGI."""
    chance = random.Random(7)
    words = [
        b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n",
        bytes.fromhex("16030100c8010000c40303") + chance.randbytes(190),
        chance.randbytes(4000),
        b"\0" * 4000,
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + block("talk"),
        b"agi_\xff\xfe\0: \x80\x81\n" * 50 + b"\n",
        b"agi_network_script: " + b"%ff%00/../" * 50 + b"?" + b"&=" * 500 + b"\n\n",
        b"\n\n\n\n",
        b"OPTIONS sip:100@pbx SIP/2.0\r\nVia: SIP/2.0/TCP probe\r\n\r\n",
    ]
    connections: list[socket.socket] = []
    for word in itertools.islice(itertools.cycle(words), count):
        connections.append(connect(port))
        with contextlib.suppress(ConnectionError):
            connections[-1].sendall(word)
    say("begun", flying=count)
    return wait_for_ends(connections)


def giants(port: int, count: int) -> Counter[str]:
    """Send lines that do not end: as a variable, as a reply, as notices before one."""
    seen: Counter[str] = Counter()
    say("begun", flying=1)
    for number in range(count):
        connection = connect(port)
        try:
            if number % 4 == 0:
                connection.sendall(b"agi_request: " + b"x" * 4_000_000)
            else:
                connection.sendall(block("talk"))
                connection.recv(4096)
                head, body = [
                    (b"200 result=1 (", b"x" * 65_536),
                    (b"520-Invalid command syntax.  Proper usage follows:\n", b"usage\n" * 10_000),
                    (b"", b"100 Trying...\n" * 5_000),
                ][number % 4 - 1]
                connection.sendall(head)
                for _ in range(64):
                    connection.sendall(body)
            seen += wait_for_ends([connection])
        except ConnectionError:
            seen["turned out"] += 1
        connection.close()
    return seen


def probes(port: int, count: int) -> Counter[str]:
    """Connect and leave, as a port scanner and a simple health check do."""
    say("begun", flying=1)
    for number in range(count):
        connection = connect(port)
        if number % 2:
            reset(connection)
        else:
            connection.close()
    return Counter(probes=count)


def deaf(port: int, count: int) -> Counter[str]:
    """Answer before anything was asked, without an end, and read nothing at all."""
    connections = [connect(port) for _ in range(count)]
    for connection in connections:
        connection.sendall(block("talk"))
        connection.setblocking(False)
    say("begun", flying=count)
    flood = b"200 result=1 (deaf)\n" * 500
    seen: Counter[str] = Counter()
    until = time.monotonic() + 2 * WHILE
    while connections and time.monotonic() < until:
        for connection in list(connections):
            try:
                seen["bytes sent"] += connection.send(flood)
            except BlockingIOError:
                continue
            except ConnectionError:
                seen["turned out"] += 1
                connections.remove(connection)
        time.sleep(0.001)
    for connection in connections:
        reset(connection)
    return seen


def resets(port: int, count: int) -> Counter[str]:
    """Leave at every stage of a call, with a reset or without."""
    whole = block("talk")
    stages: list[list[bytes]] = [
        [],
        [whole[:1]],
        [whole[:50]],
        [whole[:-1]],
        [whole],
        [whole, b""],
        [whole, b"2"],
        [whole, b"200 res"],
        [whole, b"200 result=1 (half"],
        [whole, b"200 result=1\n"],
        [whole, b"200 result=1\n", b"200 result=1 (x)\n"],
        [whole, b"200 result=1\n", b"200 result=1 (x)\n", b"200 result=0\n", b"HANGUP\n"],
    ]
    say("begun", flying=1)
    for number in range(count):
        for stage in stages:
            connection = connect(port)
            for index, piece in enumerate(stage):
                if index:
                    connection.recv(4096)  # the command
                connection.sendall(piece)
            if number % 2:
                reset(connection)
            else:
                connection.close()
    return Counter(connections=count * len(stages))


def hog(port: int, count: int) -> Counter[str]:
    """Hold more connections than the server has descriptors."""
    connections = [connect(port) for _ in range(count)]
    say("begun", flying=count)
    time.sleep(WHILE)
    for connection in connections:
        connection.close()
    return Counter(held=count)


def failing(port: int, count: int) -> Counter[str]:
    """Call the handler that raises."""
    connections: list[socket.socket] = []
    for _ in range(count):
        connections.append(connect(port))
        connections[-1].sendall(block("fail"))
    say("begun", flying=count)
    return wait_for_ends(connections)


def stuck(port: int, count: int) -> Counter[str]:
    """Call the handler that does not return, and hang up."""
    connections: list[socket.socket] = []
    for _ in range(count):
        connections.append(connect(port))
        connections[-1].sendall(block("stuck"))
        connections[-1].recv(4096)
        connections[-1].sendall(b"200 result=1\n")
    say("begun", flying=count)
    time.sleep(WHILE)
    for number, connection in enumerate(connections):
        reset(connection) if number % 2 else connection.close()
    return Counter(stuck=count)


ATTACKS: dict[str, Callable[[int, int], Counter[str]]] = {
    attack.__name__: attack
    for attack in (
        half_open, drip, garbage, giants, probes, deaf, resets, hog, failing, stuck,
    )
}  # fmt: skip


if __name__ == "__main__":
    found = ATTACKS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
    say("over", seen=found)
