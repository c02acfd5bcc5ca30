"""Signals: the first drains, a second ends at once, SIGHUP reloads; in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from .stage import Peer

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

PROGRAMS = {
    "blocking": """
        import logging
        from pystrix_typed import agi

        logging.basicConfig(level="INFO", format="%(message)s")
        server = agi.FastAGIServer(port=0)

        @server.script("hold")
        def hold(session, request):
            while True:
                session.execute(agi.core.WaitForDigit(1000))

        server.on_reload(lambda: print("reloaded", flush=True))
        server.on_state(lambda state: print(state, flush=True))
        print(server.server_address[1], flush=True)
        server.serve_forever(signals=True, drain=60)
        print("returned", flush=True)
    """,
    "asyncio": """
        import asyncio
        import logging
        from pystrix_typed import agi

        logging.basicConfig(level="INFO", format="%(message)s")
        server = agi.aio.FastAGIServer(port=0)

        @server.script("hold")
        async def hold(session, request):
            while True:
                await session.execute(agi.core.WaitForDigit(1000))

        server.on_reload(lambda: print("reloaded", flush=True))
        server.on_state(lambda state: print(state, flush=True))
        print(server.server_address[1], flush=True)
        asyncio.run(server.serve_forever(signals=True, drain=60))
        print("returned", flush=True)
    """,
}


class Program:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


@contextmanager
def running(kind: str) -> Generator[Program, None, None]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAMS[kind])], stdout=subprocess.PIPE, text=True
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains(kind: str, number: int) -> None:
    with running(kind) as program:
        assert program.line() == "serving"
        with Peer(("127.0.0.1", program.port)) as peer:
            assert peer.line() == b"WAIT FOR DIGIT 1000\n"
            program.signal(number)
            assert program.line() == "draining"
            # The call goes on.
            peer.send(b"200 result=0\n")
            assert peer.line() == b"WAIT FOR DIGIT 1000\n"
        assert program.line() == "stopped"
        assert program.line() == "returned"
        assert program.process.wait(10) == 0


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_second_signal_ends_at_once(kind: str) -> None:
    with running(kind) as program:
        assert program.line() == "serving"
        with Peer(("127.0.0.1", program.port)) as peer:
            peer.line()
            program.signal(signal.SIGTERM)
            assert program.line() == "draining"
            program.signal(signal.SIGINT)
            peer.ends()
            assert program.line() == "stopped"
            assert program.line() == "returned"
            assert program.process.wait(10) == 0


@pytest.mark.parametrize("kind", PROGRAMS)
def test_sighup_reloads(kind: str) -> None:
    with running(kind) as program:
        assert program.line() == "serving"
        program.signal(signal.SIGHUP)
        assert program.line() == "reloaded"
        program.signal(signal.SIGTERM)
        assert program.line() in {"draining", "stopped"}
