"""The load client counts what happened: each way of losing a call is told apart."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0


def place(port: int, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.exchange", "127.0.0.1", str(port), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(found["lost"])
    return found


class Script:
    """A server that serves one connection at a time, by hand."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.serve = serve
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE)
                block = b""
                while not block.endswith(b"\n\n"):
                    block += connection.recv(65536)
                assert block.count(b"\nagi_") >= 20
                self.serve(connection)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)


def ask(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line + b"\n")
    answer = connection.recv(4096)
    assert answer.endswith(b"\n")
    return answer


def good(connection: socket.socket) -> None:
    assert ask(connection, b'VERBOSE "worker one"') == b"200 result=1\n"
    token = ask(connection, b'GET VARIABLE "CALL"').partition(b"(")[2][:-2]
    assert ask(connection, b'NOOP "call-%b"' % token) == b"200 result=0\n"


def reset(connection: socket.socket) -> None:
    ask(connection, b"NOOP")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def leave(connection: socket.socket) -> None:
    pass


def silent(connection: socket.socket) -> None:
    assert connection.recv(1) == b""


def other(connection: socket.socket) -> None:
    connection.sendall(b'NOOP "call-4711"\n')


def twice(connection: socket.socket) -> None:
    connection.sendall(b"WAIT FOR DIGIT 1\nNOOP\n")


def unknown(connection: socket.socket) -> None:
    connection.sendall(b"HELLO\n")


def brief(connection: socket.socket) -> None:
    ask(connection, b"NOOP")


def test_what_goes_well_is_counted() -> None:
    script = Script(good)
    found = place(script.port, "--calls=2", "--total=6", "--commands=3", "--processes=2")
    script.close()
    assert (found["completed"], found["lost"], found["commands"]) == (6, 0, 18)
    assert found["workers"] == {"one": {"calls": 6, "completed": 6, "live": 0}}
    assert found["latency_ms"]["command"]["count"] == 12
    assert 0 < found["latency_ms"]["command"]["p50"] < PATIENCE * 1000


@pytest.mark.parametrize(
    ("serve", "options", "why"),
    [
        (reset, (), "reset"),
        (brief, ("--commands=2",), "closed"),
        (leave, (), "closed"),
        (silent, ("--patience=0.3",), "timeout"),
        (other, (), "dialogue"),
        (twice, ("--think=1",), "dialogue"),
        (unknown, (), "dialogue"),
    ],
)
def test_losses_are_told_apart(
    serve: Callable[[socket.socket], None], options: tuple[str, ...], why: str
) -> None:
    script = Script(serve)
    found = place(script.port, *options)
    script.close()
    assert found["lost_by_reason"] == {why: 1}


def test_a_refusal_is_a_loss() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    assert place(port, "--calls=3")["lost_by_reason"] == {"refused": 3}


def test_a_hangup_ends_what_waits_for_the_caller() -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heard.append(ask(connection, b"WAIT FOR DIGIT -1"))
        heard.append(ask(connection, b"ANSWER"))

    script = Script(serve)
    found = place(script.port, "--think=60", "--hold=0.2", "--end=hangup")
    script.close()
    assert heard == [
        b"200 result=-1\nHANGUP\n",
        b"511 Command Not Permitted on a dead channel or intercept routine\n",
    ]
    assert (found["completed"], found["lost"]) == (1, 0)


def test_a_steered_load_lasts_until_it_is_told() -> None:
    script = Script(good)
    command = [sys.executable, "-m", "benchmarks.exchange", "127.0.0.1", str(script.port)]
    with subprocess.Popen(
        [*command, "--steered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        assert json.loads(load.stdout.readline())["event"] == "up"
        print("tell", file=load.stdin, flush=True)
        assert json.loads(load.stdout.readline())["event"] == "so far"
        print("end", file=load.stdin, flush=True)
        found = json.loads(load.stdout.readline())
    script.close()
    assert found["event"] == "result"
    assert found["completed"] == found["started"] >= 1
