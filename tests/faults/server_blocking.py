"""The blocking server that faults are done to."""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING

from pystrix_typed import agi
from pystrix_typed.agi import core, pool

from .hosting import host, options

if TYPE_CHECKING:
    from pystrix_typed.agi import Request

# Threads without work end sooner, so that leaks are seen without waiting.
setattr(pool, "_IDLE", 0.5)  # noqa: B010 - it is private

server = agi.FastAGIServer(port=0, **options())
_released = threading.Event()


@server.script("talk")
def talk(session: agi.FastAGI, request: Request) -> None:
    """Talk in rounds of three commands: ``n`` of them, or as long as there is a call."""
    session.execute(core.Verbose(f"worker {os.getpid()}"))
    rounds = int(request.query.get("n", "0"))
    for _ in range(rounds) if rounds else count():
        token = session.execute(core.GetVariable("CALL")).value
        session.execute(core.Noop(f"call-{token}"))
        session.execute(core.WaitForDigit(1000))


@server.script("idle")
def idle(session: agi.FastAGI, request: Request) -> None:
    """Wait for a caller who does nothing."""
    session.execute(core.WaitForDigit(-1))


@server.script("fail")
def fail(session: agi.FastAGI, request: Request) -> None:
    """Raise."""
    raise RuntimeError("on purpose")


@server.script("stuck")
def stuck(session: agi.FastAGI, request: Request) -> None:
    """Do not return, whatever becomes of the call."""
    session.execute(core.Verbose("stuck"))
    _released.wait()


@server.script("release")
def release(session: agi.FastAGI, request: Request) -> None:
    """Have what is stuck return after all."""
    session.execute(core.Verbose("release"))
    _released.set()


if __name__ == "__main__":
    host(server.server_address)
    server.serve_forever(signals=True, drain=5.0)
