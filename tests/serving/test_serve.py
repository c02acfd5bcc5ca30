"""The life of a service: restarts, deaths, a full house, the end, and what it says of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.servers.stage import Peer

from .service import PATIENCE, alive, load, service, write

if TYPE_CHECKING:
    from pathlib import Path

    from .service import Service

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

KINDS = ["blocking", "asyncio"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_rolling_restart_loses_no_call(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    with service(tmp_path, "--workers=2", "--drain=30") as running:
        options = ["--calls=200", "--total=1200", "--think=0.05", "--script=talk?n=10"]
        with load(running.address, *options) as client:
            running.wait("completed")
            old = running.workers()
            running.signal(signal.SIGHUP)
            running.wait("serving app on", 2)
            result = client.result()
        assert result["completed"] == 1200
        assert result["lost_by_reason"] == {}
        assert set(running.workers()).isdisjoint(old)
        # Old and new ones took part.
        assert len(result["workers"]) == 4
        assert running.end() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_worker_loses_its_own_calls_alone(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    with (
        service(tmp_path, "--workers=2") as running,
        load(
            running.address,
            "--calls=200",
            "--think=0.1",
            "--script=talk?n=100000",
            "--end=hangup",
            "--steered",
        ) as client,
    ):
        assert client.event()["event"] == "up"
        victim = running.workers()[0]
        os.kill(victim, signal.SIGKILL)
        running.wait("was killed by SIGKILL")
        client.say("end")
        result = client.result()
        mine = result["workers"][str(victim)]
        assert mine["calls"] > 20
        assert result["lost"] == mine["calls"]
        assert result["completed"] == result["started"] - mine["calls"]
        # Another one is there again.
        running.wait("the server is serving", 3)
        assert len(running.workers()) == 2


def refused(address: tuple[str, int]) -> bool:
    try:
        # One that is asked for while the port closes is asked for again after a second.
        socket.create_connection(address, 10).close()
    except ConnectionRefusedError:
        return True
    return False


def until(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_service_closes_its_port(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    with service(
        tmp_path, "--workers=2", "--max-calls=1", "--health=127.0.0.1:0", "--log-level=debug"
    ) as running:
        address = running.address
        with Peer(address, "talk?n=1") as one, Peer(address, "talk?n=1") as two:
            for peer in (one, two):
                assert peer.line().startswith(b'VERBOSE "worker')
            running.wait("full: not listening")
            until(lambda: refused(address))
        running.wait("not full any more$")
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")
        assert running.end() == 0


def test_what_was_connected_when_it_became_full_is_served(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--workers=1", "--max-calls=1") as running:
        address = running.address
        with Peer(address, "talk?n=0", block=False) as late:
            with Peer(address, "talk?n=0") as first:
                assert first.line().startswith(b"VERBOSE")
                running.wait("full: not listening")
                late.send(b"agi_network: yes\nagi_network_script: talk?n=0\n\n")
                first.send(b"200 result=1\n")
                assert first.ends()
            assert late.line().startswith(b"VERBOSE")
            late.send(b"200 result=1\n")
            assert late.ends()


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_waits_for_calls_and_a_second_order_does_not(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    with service(tmp_path, "--workers=2", "--drain=60") as running:
        address = running.address
        with Peer(address, "talk?n=0") as finishing, Peer(address, "talk?n=0") as lasting:
            finishing.line()
            lasting.line()
            running.signal(signal.SIGTERM)
            running.wait("ending: calls have 60 seconds")
            until(lambda: refused(address))
            finishing.send(b"200 result=1\n")
            assert finishing.ends()
            assert running.process.poll() is None
            running.signal(signal.SIGINT)
            lasting.ends()
            assert running.process.wait(PATIENCE) == 0


def test_workers_end_with_their_master(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--workers=2", "--drain=1") as running:
        running.wait("serving app on")
        workers = running.workers()
        running.signal(signal.SIGKILL)
        running.process.wait(PATIENCE)
        running.wait("<end>")
        assert [pid for pid in workers if alive(pid)] == []


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_the_port_goes_with_the_master_and_calls_go_on(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind)
    with service(tmp_path, "--workers=2", "--drain=60") as running:
        address = running.address
        with Peer(address, "talk?n=1") as peer:
            peer.line()
            running.signal(signal.SIGKILL)
            running.process.wait(PATIENCE)
            until(lambda: refused(address))
            peer.send(b"200 result=1\n")
            assert peer.line() == b"WAIT FOR DIGIT 100\n"
            peer.send(b"200 result=0\n")
            assert peer.ends()
        running.wait("<end>")


def test_workers_are_replaced_after_their_share(tmp_path: Path) -> None:
    write(tmp_path, "asyncio")
    with service(tmp_path, "--recycle-after=5") as running:
        with load(
            running.address, "--calls=3", "--total=150", "--think=0.01", "--script=talk?n=3"
        ) as client:
            result = client.result()
        assert result["completed"] == 150
        assert len(result["workers"]) >= 3
        assert running.end() == 0


def test_broken_new_code_leaves_the_old_in_place(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path) as running:
        address = running.address
        write(tmp_path, "import there_is_none\n")
        running.signal(signal.SIGHUP)
        running.wait("the restart is given up.*there_is_none")
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")


def test_a_changed_file_restarts_it(tmp_path: Path) -> None:
    write(tmp_path, "raise SystemExit('not yet')\n")
    with service(tmp_path, "--reload") as running:
        running.wait("not yet.*waiting for the program to change")
        write(tmp_path, "blocking")
        address = running.address
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")
        write(tmp_path, "syntax error\n")
        running.wait("the restart is given up.*SyntaxError")
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")


def test_a_worker_that_dies_at_once_is_not_started_at_once_again(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with (tmp_path / "app.py").open("a") as file:
        file.write("\nimport threading\nthreading.Timer(0.05, os._exit, [7]).start()\n")
    with service(tmp_path) as running:
        pauses = [running.wait(r"another one begins in ([\d.]+)", n)[1] for n in (1, 2, 3)]
    assert pauses == ["0.1", "0.2", "0.4"]
    assert running.found("ended by itself, with status 7")


def get(running: Service, path: str) -> tuple[int, str]:
    host, port = running.wait(r"health on http://(\S+):(\d+)").groups()
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_it_tells_how_it_is(tmp_path: Path) -> None:
    write(tmp_path, "asyncio")
    with service(
        tmp_path, "--max-calls=2", "--health=127.0.0.1:0", "--metrics", "--drain=30"
    ) as running:
        address = running.address
        assert get(running, "/healthz")[0] == 200
        assert get(running, "/readyz") == (200, "serving\n")
        with load(address, "--calls=1", "--total=20", "--script=talk?n=1") as client:
            assert client.result()["completed"] == 20
        text = get(running, "/metrics")[1]
        counted = [
            line for line in text.splitlines() if "_calls_total" in line and "completed" in line
        ]
        assert sum(float(line.rpartition(" ")[2]) for line in counted) == 20
        with Peer(address, "talk?n=0") as one, Peer(address, "talk?n=0") as two:
            one.line()
            two.line()
            running.wait("full: not listening")
            until(lambda: get(running, "/readyz") == (503, "full\n"))
            running.signal(signal.SIGTERM)
            running.wait("ending")
            assert get(running, "/readyz") == (503, "draining\n")


def test_systemd_is_told(tmp_path: Path, short_folder: Path) -> None:
    write(tmp_path, "blocking")
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        path = short_folder / "notify"
        notices.bind(str(path))
        notices.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"}
        with service(tmp_path, environment=environment) as running:

            def wait(word: str) -> None:
                while not any(word in each for each in told):
                    told.append(notices.recv(4096).decode())

            wait("READY=1")
            wait("WATCHDOG=1")
            told.clear()
            running.signal(signal.SIGHUP)
            wait("RELOADING=1")
            assert "MONOTONIC_USEC=" in told[-1]
            wait("READY=1")
            running.signal(signal.SIGTERM)
            wait("STOPPING=1")


def test_a_socket_may_be_handed_over(tmp_path: Path) -> None:
    write(tmp_path, "asyncio")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # What systemd does: descriptor 3, and the id of the process that it starts.
        moved = (
            f"import os, sys; os.dup2({listener.fileno()}, 3); "
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        wrapper = [sys.executable, "-c", moved]
        with service(
            tmp_path, "--max-calls=1", wrapper=wrapper, pass_fds=[listener.fileno()]
        ) as running:
            address = running.address
            assert address == listener.getsockname()
            with Peer(address, "talk?n=0") as first:
                assert first.line().startswith(b"VERBOSE")
                running.wait("full: 1 calls; the listening socket is not this server's")
                second = Peer(address, "talk?n=0")  # connects, and waits
                first.send(b"200 result=1\n")
                assert first.ends()
            with second:
                assert second.line().startswith(b"VERBOSE")
            running.signal(signal.SIGTERM)
            assert running.process.wait(PATIENCE) == 0
        assert not refused(address)


@pytest.mark.parametrize(
    ("program", "target", "message"),
    [
        ("", "nothing_there:server", "there is no module 'nothing_there'"),
        ("", "app:server", "has no 'server'"),
        ("server = 5", "app", "app is no FastAGIServer, but of the type int"),
        ("def make(): return 5", "app:make", "app:make gave no FastAGIServer"),
        ("def make(): 1/0", "app:make", "calling app:make failed: ZeroDivisionError"),
        ("import not_there", "app", "importing 'app' failed: ModuleNotFoundError"),
        ("1/0", "app", r"ZeroDivisionError: division by zero \(.*app.py, line 1\)"),
        ("def f(:", "app", r"SyntaxError: invalid syntax \(\S+app.py, line 1"),
        ("raise KeyboardInterrupt", "app", "importing 'app' failed: KeyboardInterrupt"),
        ("raise ValueError('two\\nlines')", "app", "ValueError: two lines"),
        ("", "sys:exit", "calling sys:exit failed: SystemExit"),
        ("", "app server", "is not of the form"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(
    program: str, target: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path, program)
    with service(tmp_path, "--workers=2", target=target) as running:
        assert running.process.wait(PATIENCE) == 1
        running.wait(message)
        running.wait("<end>")
    assert "Traceback" not in "\n".join(running.lines)
    (line,) = [line for line in running.lines if line != "<end>"]
    assert line.startswith("pystrix-typed: ")


def test_a_program_that_serves_by_itself_is_told(tmp_path: Path) -> None:
    write(tmp_path, "from pystrix_typed import agi\nagi.FastAGIServer(port=0).serve_forever()\n")
    with service(tmp_path) as running:
        running.wait("still imports the program .* serve_forever")
        assert running.end() == 0


def test_an_address_in_use_is_said_in_a_line(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with service(tmp_path, f"--port={port}") as running:
            assert running.process.wait(PATIENCE) == 1
            running.wait(f"cannot listen on 127.0.0.1:{port}: Address already in use$")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--allow=10.0.0.1/8", "10.0.0.1/8"),
        ("--health=nowhere", "'nowhere' is not of the form host:port"),
        ("--metrics", "--metrics needs --health"),
        ("--workers=0", "workers"),
        ("--drain=nan", "drain"),
        ("--host=", "interface must be an address"),
        ("--handshake-timeout=nan", "handshake-timeout"),
        ("--keepalive=40000", "keepalive"),
    ],
)
def test_wrong_options_are_told(option: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, option) as running:
        assert running.process.wait(PATIENCE) == 2
        running.wait(message)


def test_a_program_may_make_its_server(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with (tmp_path / "app.py").open("a") as file:
        file.write("\ndef make():\n    return server\n")
    with (
        service(tmp_path, target="app:make") as running,
        Peer(running.address, "talk?n=0") as peer,
    ):
        assert peer.line().startswith(b"VERBOSE")


def test_threads_of_tests_are_gone() -> None:
    assert [each for each in threading.enumerate() if each.name.startswith("FastAGI")] == []
