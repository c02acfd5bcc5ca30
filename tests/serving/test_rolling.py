"""Restarts on top of each other, deaths in the middle of one, and ports that nobody keeps open."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.servers.stage import Peer

from .service import alive, service, write
from .test_serve import KINDS, refused, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: Comes after a program that has begun to be imported: it waits until there is a file ``go``.
HELD = """
import pathlib, time
here = pathlib.Path(__file__).parent
(here / f"held-{os.getpid()}").touch()
while not (here / "go").exists():
    time.sleep(0.01)
"""


def hold(folder: Path, kind: str = "blocking") -> None:
    """Have programs that are imported from now on wait."""
    write(folder, kind)
    with (folder / "app.py").open("a") as file:
        file.write(HELD)


def held(folder: Path, count: int) -> list[int]:
    """Wait until so many processes wait in their imports; give them in their order."""
    until(lambda: len(list(folder.glob("held-*"))) >= count)
    found = sorted(folder.glob("held-*"), key=lambda path: path.stat().st_mtime_ns)
    return [int(path.name.partition("-")[2]) for path in found]


def test_a_restart_during_a_restart_begins_it_anew(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--workers=2") as running:
        address = running.address
        old = running.workers()
        hold(tmp_path)
        running.signal(signal.SIGHUP)
        first = held(tmp_path, 1)[0]
        # It may have read the code before the last change.
        running.signal(signal.SIGHUP)
        second = held(tmp_path, 2)[1]
        until(lambda: not alive(first))
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")
        (tmp_path / "go").touch()
        running.wait("serving app on", 2)
        until(lambda: len(running.workers()) == 2)
        assert second in running.workers()
        assert set(running.workers()).isdisjoint(old)
        assert running.end() == 0


def test_a_worker_that_dies_while_it_is_replaced_is_replaced_once(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path) as running:
        running.wait("serving app on")
        (old,) = running.workers()
        hold(tmp_path)
        running.signal(signal.SIGHUP)
        (new,) = held(tmp_path, 1)
        os.kill(old, signal.SIGKILL)
        running.wait("was killed by SIGKILL")
        (tmp_path / "go").touch()
        running.wait("serving app on", 2)
        # Nobody else was started for the one that died.
        running.signal(signal.SIGHUP)
        running.wait("serving app on", 3)
        until(lambda: len(running.workers()) == 1 and new not in running.workers())
        assert running.found("another one begins") == []
        assert running.end() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_drains_does_not_keep_the_port_open(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    with service(tmp_path, "--drain=60") as running:
        address = running.address
        with Peer(address, "talk?n=0") as old, Peer(address, "talk?n=0") as other:
            old.line()
            other.line()
            running.signal(signal.SIGHUP)
            running.wait("serving app on", 2)
            running.signal(signal.SIGTERM)
            running.wait("ending")
            until(lambda: refused(address))
            old.send(b"200 result=1\n")
            assert old.ends()
            # The worker that drains hears the second order, too.
            running.signal(signal.SIGTERM)
            other.ends()
            assert running.process.wait(5) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_begins_does_not_keep_the_port_open(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    with service(tmp_path, "--max-calls=1") as running:
        address = running.address
        hold(tmp_path, kind)
        running.signal(signal.SIGHUP)
        held(tmp_path, 1)
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")
            running.wait("full: not listening")
            until(lambda: refused(address))
            (tmp_path / "go").touch()
            running.wait("not full any more$")
            with Peer(address, "talk?n=0") as another:
                assert another.line().startswith(b"VERBOSE")
        assert running.end() == 0


def test_a_port_that_somebody_took_is_opened_once_it_is_free(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--max-calls=1") as running:
        address = running.address
        with Peer(address, "talk?n=0") as peer:
            peer.line()
            running.wait("full: not listening")
            until(lambda: refused(address))
            thief = socket.create_server(address)
            peer.send(b"200 result=1\n")
            assert peer.ends()
        with thief:
            running.wait("cannot be opened again: Address already in use")
        running.wait("not full any more$")
        with Peer(address, "talk?n=0") as peer:
            assert peer.line().startswith(b"VERBOSE")
        assert len(running.found("cannot be opened again")) < 5
        assert running.end() == 0


def test_a_restart_that_fails_leaves_the_old_ones_replaceable(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--workers=2") as running:
        running.wait("serving app on")
        old = running.workers()
        write(tmp_path, "import os\nos._exit(9)\n")
        running.signal(signal.SIGHUP)
        running.wait("the restart is given up.*status 9")
        running.wait("serving app on", 2)
        assert running.workers() == old
        write(tmp_path, "blocking")
        running.signal(signal.SIGHUP)
        running.wait("serving app on", 3)
        until(lambda: len(running.workers()) == 2)
        assert set(running.workers()).isdisjoint(old)
        assert running.end() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_stuck_does_not_keep_the_port_open(kind: str, tmp_path: Path) -> None:
    write(tmp_path, kind)
    options = ["--workers=2", "--max-calls=1", "--log-level=debug"]
    with service(tmp_path, *options) as running:
        address = running.address
        with Peer(address, "talk?n=0") as one:
            stuck = int(one.line().split(b'"')[1].split()[1])
            running.wait(rf"\(process {stuck}\) is full")  # the master knows
            os.kill(stuck, signal.SIGSTOP)
            try:
                with Peer(address, "talk?n=0") as two:
                    assert two.line().startswith(b"VERBOSE")
                    running.wait("full: not listening until")
                    # It cannot be asked for its copy of the port.
                    until(lambda: refused(address))
                    two.send(b"200 result=1\n")
                    assert two.ends()
                running.wait("not full any more$")
                with Peer(address, "talk?n=0") as three:
                    assert three.line().startswith(b"VERBOSE")
                    three.send(b"200 result=1\n")
                    assert three.ends()
            finally:
                os.kill(stuck, signal.SIGCONT)
            one.send(b"200 result=1\n")
            assert one.ends()
        assert running.end() == 0
