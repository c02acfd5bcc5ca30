"""The blocking FastAGI server: routing, calls, and its end."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.observing import Call as LiveCall
from pystrix_typed.agi.observing import Observer

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from pystrix_typed.agi import Handler

Call = tuple[tuple[str, ...], dict[str, list[str]], re.Match[str] | None, str]


def ignore(
    session: agi.FastAGI,
    args: tuple[str, ...],
    kwargs: dict[str, list[str]],
    match: re.Match[str] | None,
    path: str,
) -> None:
    """Do nothing."""


@contextmanager
def serving(**options: float | bool | None) -> Generator[agi.FastAGIServer, None, None]:
    with agi.FastAGIServer(port=0, **options) as server:  # type: ignore[arg-type]  # any option
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
    # Nothing outlives its test, a last word in the log included.
    for each in [thread, *(t for t in threading.enumerate() if t.name.startswith("FastAGI"))]:
        each.join(5)
        assert not each.is_alive()


def dial(server: agi.FastAGIServer, script: str | None = None, *args: str) -> socket.socket:
    connection = socket.create_connection(server.server_address, timeout=5)
    lines = ["agi_network: yes"]
    lines += [] if script is None else [f"agi_network_script: {script}"]
    lines += ["agi_channel: SIP/test-1", "agi_version: 22.10.1", "agi_accountcode: "]
    lines += [f"agi_arg_{number}: {arg}" for number, arg in enumerate(args, 1)]
    connection.sendall("\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    return connection


def ended(connection: socket.socket) -> bytes:
    """Read until the server has closed."""
    with connection:
        data = b""
        while chunk := connection.recv(4096):
            data += chunk
        return data


@pytest.mark.parametrize(
    ("script", "path", "kwargs"),
    [
        (None, "/", {}),
        ("menu", "menu", {}),
        ("a/b?x=1&y=2&x=3", "a/b", {"x": ["1", "3"], "y": ["2"]}),
        ("menu?blank=&x=a%20b+c", "menu", {"blank": [""], "x": ["a b c"]}),
        ("menu?x=%FF", "menu", {"x": ["\udcff"]}),
        ("menu?", "menu", {}),
    ],
)
def test_a_handler_is_told_what_was_asked_for(
    script: str | None, path: str, kwargs: dict[str, list[str]]
) -> None:
    calls: list[Call] = []

    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        calls.append((args, kwargs, match, path))

    with serving() as server:
        server.register_script_handler(None, handle)
        assert ended(dial(server, script, "one", "two words", "")) == b""
    assert calls == [(("one", "two words", ""), kwargs, None, path)]


def named(name: str) -> Handler:
    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> str:
        return name

    handle.__name__ = name
    return handle


def test_handlers_are_tried_in_order_and_the_default_comes_last() -> None:
    with agi.FastAGIServer(port=0) as server:
        first, second, default = named("first"), named("second"), named("default")
        assert server.get_script_handler("menu") == (None, None)
        server.register_script_handler(r"men", first)
        server.register_script_handler(re.compile(r"menu/(\d+)"), second)
        server.register_script_handler(None, default)
        handler, match = server.get_script_handler("menu/7")
        assert handler is first
        assert match is not None
        assert match.group() == "men"
        server.unregister_script_handler("men")
        handler, match = server.get_script_handler("menu/7")
        assert handler is second
        assert match is not None
        assert match.group(1) == "7"
        # At the start of the path, as re.match does.
        assert server.get_script_handler("a/menu/7") == (default, None)
        server.clear_script_handlers()
        assert server.get_script_handler("menu/7") == (default, None)
        server.register_script_handler(None, None)
        assert server.get_script_handler("menu/7") == (None, None)


def test_a_pattern_keeps_its_first_handler(caplog: pytest.LogCaptureFixture) -> None:
    with agi.FastAGIServer(port=0) as server:
        first = named("first")
        server.register_script_handler("menu", first)
        server.register_script_handler("menu", named("second"))
        assert server.get_script_handler("menu")[0] is first
    assert "menu" in caplog.text


def test_what_cannot_be_a_handler_is_refused() -> None:
    with agi.FastAGIServer(port=0) as server:
        with pytest.raises(re.error):
            server.register_script_handler("(", ignore)
        for wrong in (5, b"menu", re.compile(b"menu")):
            pattern: Any = wrong
            with pytest.raises(TypeError, match="a pattern must be a str"):
                server.register_script_handler(pattern, ignore)
            with pytest.raises(TypeError, match="a pattern must be a str"):
                server.unregister_script_handler(pattern)
        with pytest.raises(TypeError, match="menu"):
            server.register_script_handler("menu", None)
        with pytest.raises(TypeError, match="menu"):
            server.register_script_handler("menu", "text")  # type: ignore[arg-type]  # on purpose


def test_a_failing_handler_ends_its_own_call_alone(caplog: pytest.LogCaptureFixture) -> None:
    other = threading.Event()

    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        if path == "fail":
            raise LookupError("of mine")
        other.wait(5)
        session.execute(core.Noop())

    with serving() as server:
        server.register_script_handler(None, handle)
        waiting = dial(server, "wait")
        assert ended(dial(server, "fail")) == b""
        other.set()
        assert waiting.recv(100) == b"NOOP\n"
        waiting.sendall(b"200 result=0\n")
        assert ended(waiting) == b""
    assert "SIP/test-1" in caplog.text
    assert "of mine" in caplog.text


def test_a_hangup_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        session.execute(core.WaitForDigit())

    over = threading.Event()

    class Over(Observer):
        def ended(self, call: LiveCall) -> None:
            over.set()

    with agi.FastAGIServer(port=0, observers=[Over()]) as server:
        threading.Thread(target=server.serve_forever).start()
        server.register_script_handler(None, handle)
        connection = dial(server)
        assert connection.recv(100) == b"WAIT FOR DIGIT -1\n"
        connection.close()
        assert over.wait(20)
    assert {record.levelname for record in caplog.records} <= {"INFO"}


@pytest.mark.parametrize(
    "garbage", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"agi_x" * 20_000]
)
def test_what_is_no_call_is_dropped_quietly(
    garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serving() as server:
        server.register_script_handler(None, ignore)
        with socket.create_connection(server.server_address, timeout=5) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):  # when not all was read
                assert connection.recv(10) == b""
        assert ended(dial(server)) == b""
    told = [record for record in caplog.records if vars(record).get("outcome") == "handshake"]
    assert len(told) == bool(garbage)
    assert {record.levelname for record in caplog.records} <= {"INFO"}


def test_a_slow_peer_is_given_up() -> None:
    with (
        serving(handshake_timeout=0.05) as server,
        socket.create_connection(server.server_address, timeout=5) as connection,
    ):
        connection.sendall(b"agi_network: yes\n")
        assert connection.recv(10) == b""


def test_a_path_without_a_handler_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        assert ended(dial(server, "nowhere")) == b""
    assert "nowhere" in caplog.text


def test_handle_request_waits_as_long_as_it_is_told() -> None:
    with agi.FastAGIServer(port=0) as server:
        server.timeout = 0.01
        server.handle_request()
        server.timeout = 5
        server.register_script_handler(None, ignore)
        connection = dial(server)
        server.handle_request()
        assert ended(connection) == b""
    with pytest.raises(RuntimeError, match="shut down"):
        server.handle_request()


def test_shutdown_before_serving_and_twice() -> None:
    server = agi.FastAGIServer(port=0)
    server.shutdown()
    server.serve_forever()
    server.shutdown()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.server_address, timeout=1).close()


def test_shutdown_in_a_handler() -> None:
    server = agi.FastAGIServer(port=0)

    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        server.shutdown()
        session.execute(core.Noop())

    server.register_script_handler(None, handle)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = dial(server)
    assert connection.recv(100) == b"NOOP\n"
    connection.sendall(b"200 result=0\n")
    assert ended(connection) == b""
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_shutdown_in_a_signal_handler() -> None:
    server = agi.FastAGIServer(port=0)

    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def terminate(number: int, frame: FrameType | None) -> None:
        server.shutdown()

    server.register_script_handler(None, handle)
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        connection = dial(server)
        server.serve_forever()
        assert ended(connection) == b""
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_two_threads_cannot_serve() -> None:
    with serving() as server:
        assert ended(dial(server)) == b""  # it serves
        with pytest.raises(RuntimeError, match="already"):
            server.serve_forever()


def test_the_address_in_use_is_refused() -> None:
    with agi.FastAGIServer(port=0) as server, pytest.raises(OSError, match="in use"):
        agi.FastAGIServer(port=server.server_address[1]).bind()


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with agi.FastAGIServer("::1", 0) as server:
        assert server.server_address[0] == "::1"


def test_many_calls_at_once_leave_no_thread_behind() -> None:
    before = threading.active_count()

    def handle(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        session.execute(core.SetVariable("PATH", path))

    with serving() as server:
        server.register_script_handler(None, handle)
        connections = [dial(server, f"call/{number}") for number in range(50)]
        for number, connection in enumerate(connections):
            assert connection.recv(100) == f'SET VARIABLE "PATH" "call/{number}"\n'.encode()
        for connection in reversed(connections):
            connection.sendall(b"200 result=1\n")
            assert ended(connection) == b""
    assert threading.active_count() == before
