#!/usr/bin/env python3
"""Ask a directory over HTTP who calls, while they hear music, and send them where they belong.

In the dialplan::

    exten => 620,1,AGI(agi://127.0.0.1/customer)
     same => n,GotoIf($["${CUSTOMER}" = "gold"]?gold)
     same => n,Queue(everyone)
     same => n,Hangup()
     same => n(gold),Queue(gold)
     same => n,Hangup()

``DIRECTORY_URL=http://directory.example pystrix-typed serve customer:server`` runs it. The
directory answers ``GET /customers/5550123`` with ``{"class": "gold"}``, or with 404. Whatever goes
wrong there, the caller goes on as a stranger: a directory that is down must not stop calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import httpx

from pystrix_typed import agi
from pystrix_typed.agi import core

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds that a caller waits for the directory."""

MUSIC = "demo-instruct"
"""What they hear meanwhile."""

log = logging.getLogger(__name__)


def make_server(directory: httpx.AsyncClient, port: int = 4573) -> agi.aio.FastAGIServer:
    """Make the server; all its calls share the connections to the directory."""
    server = agi.aio.FastAGIServer(port=port)

    @server.script("customer")
    async def customer(session: agi.aio.FastAGI, _request: agi.Request) -> None:
        await session.execute(core.Answer())
        number = session.environment.caller_id
        kind = "stranger"
        if number:
            try:
                async with asyncio.timeout(PATIENCE):
                    kind = await while_holding(session, class_of(directory, number))
            except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                log.warning("the directory does not tell who %s is: %r", number, error)
        await session.execute(core.SetVariable("CUSTOMER", kind))

    return server


async def class_of(directory: httpx.AsyncClient, number: str) -> str:
    """Ask the directory for the class of a customer."""
    # Callers may well choose what stands there.
    answer = await directory.get(f"/customers/{quote(number, safe='')}")
    if answer.status_code == 404:
        return "stranger"
    answer.raise_for_status()
    match answer.json():
        case {"class": str() as kind}:
            return kind
        case other:
            raise ValueError(f"no class in {other!r}")


async def while_holding(session: agi.aio.FastAGI, work: Coroutine[object, object, T]) -> T:
    """Play music until something is known; a caller who leaves ends the wait for it."""
    music = asyncio.create_task(session.execute(core.StreamFile(MUSIC)))
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({music, working}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            with contextlib.suppress(agi.AGIAppError):  # there is no such sound
                await music  # it is over, or the caller is gone: then this raises AGIHangup
        return await working
    finally:
        # Cancelling the command stops the sound; the session stays in step.
        music.cancel()
        working.cancel()
        await asyncio.gather(music, working, return_exceptions=True)


server = make_server(
    httpx.AsyncClient(
        base_url=os.environ.get("DIRECTORY_URL", "http://127.0.0.1:8080"), timeout=None
    )
)

if __name__ == "__main__":
    asyncio.run(server.serve_forever(signals=True))
