"""The endpoint: what it says, and that nobody can keep it busy."""

from __future__ import annotations

import contextlib
import http.client
import logging
import select
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi.health import HealthServer, readiness

if TYPE_CHECKING:
    from collections.abc import Callable


def yes() -> tuple[bool, str]:
    return True, "serving"


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, bytes, str]:
    client = http.client.HTTPConnection(*server.address, timeout=20)
    with contextlib.closing(client):
        client.request(method, path)
        answer = client.getresponse()
        return answer.status, answer.read(), answer.headers["Content-Type"]


def raw(server: HealthServer, data: bytes) -> bytes:
    """Send anything, and give all that comes back."""
    with socket.create_connection(server.address, timeout=20) as client:
        client.sendall(data)
        answer = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65536):
                answer += piece
        return bytes(answer)


class Fake:
    state = "serving"


def test_it_is_alive_whatever_the_readiness() -> None:
    with HealthServer("127.0.0.1", 0, lambda: (False, "full")) as server:
        assert ask(server, "/healthz") == (200, b"alive\n", "text/plain; charset=utf-8")


@pytest.mark.parametrize("state", ["idle", "full", "draining", "stopped"])
def test_readiness_follows_the_state(state: str) -> None:
    watched = Fake()
    with HealthServer("127.0.0.1", 0, readiness(watched)) as server:
        assert ask(server, "/readyz?from=probe")[:2] == (200, b"serving\n")
        watched.state = state
        assert ask(server, "/readyz")[:2] == (503, f"{state}\n".encode())


def test_metrics_are_given_as_prometheus_reads_them() -> None:
    with HealthServer("127.0.0.1", 0, yes, lambda: b"calls 1\n") as server:
        status, body, kind = ask(server, "/metrics")
    assert (status, body) == (200, b"calls 1\n")
    assert kind == "text/plain; version=0.0.4; charset=utf-8"


def test_head_gives_the_length_and_no_body() -> None:
    with HealthServer("127.0.0.1", 0, yes) as server:
        answer = raw(server, b"HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 8\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 404),
        (b"POST /healthz HTTP/1.1\r\n\r\n", 405),
        (b"agi_network: yes\nagi_request: agi://x\n\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000, 431),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 30000 + b"\r\n\r\n", 431),
    ],
)
def test_anything_else_is_refused(request_: bytes, status: int) -> None:
    with HealthServer("127.0.0.1", 0, yes) as server:
        assert raw(server, request_).startswith(b"HTTP/1.1 %d " % status)
        assert ask(server, "/healthz")[0] == 200


def test_a_request_in_pieces_and_two_at_once() -> None:
    with (
        HealthServer("127.0.0.1", 0, yes) as server,
        socket.create_connection(server.address, timeout=20) as slow,
    ):
        slow.sendall(b"GET /healthz HT")
        assert ask(server, "/healthz")[0] == 200
        slow.sendall(b"TP/1.0\r\n\r\n")
        assert slow.recv(1024).startswith(b"HTTP/1.1 200 OK")


def broken() -> tuple[bool, str]:
    raise LookupError("no such server")


def broken_metrics() -> bytes:
    raise LookupError("no such metrics")


def test_what_cannot_be_told_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    with HealthServer("127.0.0.1", 0, broken, broken_metrics) as server:
        assert ask(server, "/readyz")[0] == 503
        assert ask(server, "/metrics")[0] == 500
        assert ask(server, "/healthz")[0] == 200
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_a_big_answer_arrives_whole_though_the_reader_is_slow() -> None:
    body = b"x" * 8_000_000
    with HealthServer("127.0.0.1", 0, yes, lambda: body) as server:
        answer = raw(server, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n" + body)


def test_who_says_nothing_is_dropped_and_gives_way() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            HealthServer("127.0.0.1", 0, yes, timeout=2.0, max_connections=3)
        )
        silent = [
            stack.enter_context(socket.create_connection(server.address, timeout=20))
            for _ in range(9)
        ]
        assert ask(server, "/healthz")[0] == 200
        for client in silent:
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_who_never_reads_is_dropped() -> None:
    with (
        HealthServer("127.0.0.1", 0, yes, lambda: b"x" * 30_000_000, timeout=2.0) as server,
        socket.socket() as deaf,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(20)
        deaf.connect(server.address)
        deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        poll = select.poll()
        poll.register(deaf, select.POLLHUP | select.POLLERR | select.POLLRDHUP)
        assert poll.poll(20_000), "the server holds on to it"
        assert ask(server, "/healthz")[0] == 200


def test_nothing_is_left_behind() -> None:
    before = threading.active_count()
    server = HealthServer("127.0.0.1", 0, yes)
    server.start()
    address = server.address
    with pytest.raises(RuntimeError, match="already"):
        server.start()
    open_ = socket.create_connection(address, timeout=20)
    assert ask(server, "/healthz")[0] == 200
    server.stop()
    server.stop()
    with open_:
        assert open_.recv(1) == b""
    assert threading.active_count() == before
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(address, timeout=20).close()
    with pytest.raises(RuntimeError, match="does not listen"):
        _ = server.address
    server.start()
    assert ask(server, "/healthz")[0] == 200
    server.stop()


def test_a_taken_port_is_an_error() -> None:
    with HealthServer("127.0.0.1", 0, yes) as server:
        taken = HealthServer("127.0.0.1", server.address[1], yes)
        with pytest.raises(OSError, match="in use"):
            taken.start()
        taken.stop()


def answered(server: HealthServer, client: Callable[[], int]) -> int:
    """Answer in this thread's loop what another thread asks."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(client()))
    thread.start()
    poll = select.poll()
    poll.register(server.fileno(), select.POLLIN)
    while thread.is_alive():
        if poll.poll(20):
            server.handle()
    thread.join()
    return found[0]


def test_it_runs_in_a_loop_of_somebody_elses() -> None:
    server = HealthServer("127.0.0.1", 0, yes)
    with pytest.raises(RuntimeError, match="no descriptor"):
        server.fileno()
    server.bind()
    server.bind()
    before = threading.active_count()
    assert answered(server, lambda: ask(server, "/readyz")[0]) == 200
    assert threading.active_count() == before
    server.close()
    server.handle()


def test_ipv6(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    server = HealthServer("::1", 0, yes)
    try:
        server.start()
    except OSError:
        pytest.skip("no IPv6 here")
    with contextlib.closing(server):
        assert ask(server, "/healthz")[0] == 200
        server.stop()
    assert "health on http://[::1]:" in caplog.text


def test_no_descriptors_left_is_logged_and_survived() -> None:
    code = """if True:
        import os, resource, socket, sys, time
        from pystrix_typed.agi.health import HealthServer
        server = HealthServer("127.0.0.1", 0, lambda: (True, "serving"))
        server.bind()
        clients = [socket.socket() for _ in range(2)]
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        for client in clients:
            client.settimeout(20)
            client.connect(server.address)
        began = time.process_time()
        for _ in range(3):
            server.handle(0.05)
        assert clients[0].recv(1) == b"" and clients[1].recv(1) == b""
        for number in taken:
            os.close(number)
        with socket.create_connection(server.address, timeout=20) as client:
            client.sendall(b"GET /readyz HTTP/1.1\\r\\n\\r\\n")
            for _ in range(3):
                server.handle(0.05)
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        server.close()
    """
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Too many open files") == 2


def test_a_flood_of_silent_connections_in_somebody_elses_loop() -> None:
    server = HealthServer("127.0.0.1", 0, yes, max_connections=3)
    server.bind()
    with contextlib.ExitStack() as stack:
        for _ in range(9):
            stack.enter_context(socket.create_connection(server.address, timeout=20))
            server.handle()
        # It is asked to handle only when it has something to do, and has.
        assert answered(server, lambda: ask(server, "/readyz")[0]) == 200
    server.close()
