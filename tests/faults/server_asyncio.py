"""The asyncio server that faults are done to."""

from __future__ import annotations

import asyncio
import os
from itertools import count
from typing import TYPE_CHECKING

from pystrix_typed.agi import aio, core

from .hosting import host, options

if TYPE_CHECKING:
    from pystrix_typed.agi import Request

server = aio.FastAGIServer(port=0, **options())
_released = asyncio.Event()


@server.script("talk")
async def talk(session: aio.FastAGI, request: Request) -> None:
    """Talk in rounds of three commands: ``n`` of them, or as long as there is a call."""
    await session.execute(core.Verbose(f"worker {os.getpid()}"))
    rounds = int(request.query.get("n", "0"))
    for _ in range(rounds) if rounds else count():
        token = (await session.execute(core.GetVariable("CALL"))).value
        await session.execute(core.Noop(f"call-{token}"))
        await session.execute(core.WaitForDigit(1000))


@server.script("idle")
async def idle(session: aio.FastAGI, request: Request) -> None:
    """Wait for a caller who does nothing."""
    await session.execute(core.WaitForDigit(-1))


@server.script("fail")
async def fail(session: aio.FastAGI, request: Request) -> None:
    """Raise."""
    raise RuntimeError("on purpose")


@server.script("stuck")
async def stuck(session: aio.FastAGI, request: Request) -> None:
    """Do not return, whatever becomes of the call."""
    await session.execute(core.Verbose("stuck"))
    await _released.wait()


@server.script("release")
async def release(session: aio.FastAGI, request: Request) -> None:
    """Have what is stuck return after all."""
    await session.execute(core.Verbose("release"))
    _released.set()


if __name__ == "__main__":
    host(server.server_address)
    asyncio.run(server.serve_forever(signals=True, drain=5.0))
