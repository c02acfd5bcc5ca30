"""What the servers behind the balancer run: a call flow that goes on until it is released.

Asterisk counts: at the beginning and at the end a call leaves a mark on its side, the first with
the name of the server and the peer that the server saw.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pystrix_typed import agi
from pystrix_typed.agi import core

if TYPE_CHECKING:
    from pystrix_typed.agi import Request

NAME = os.environ.get("DEPLOY_NAME", "")

blocking = agi.FastAGIServer()
asynchronous = agi.aio.FastAGIServer()


def _begin(request: Request) -> core.SetVariable:
    folder = f"/mnt/fleets/{request.query['fleet']}"
    peer = request.peer
    mark = f"{NAME} {peer.host} {peer.port}"
    return core.SetVariable(f"FILE({folder}/begun/{request.arguments[0]})", mark)


def _ask(request: Request) -> core.GetFullVariable:
    return core.GetFullVariable(f"${{GLOBAL(RELEASED{request.query['fleet']})}}")


@blocking.script("hold")
def hold(session: agi.FastAGI, request: Request) -> None:
    """Hold the call."""
    session.execute(_begin(request))
    while not session.execute(_ask(request)).value:
        session.execute(core.Exec("Wait", ["0.5"]))
    session.execute(core.SetVariable("FINISHED", NAME))


@asynchronous.script("hold")
async def hold_too(session: agi.aio.FastAGI, request: Request) -> None:
    """Hold the call."""
    await session.execute(_begin(request))
    while not (await session.execute(_ask(request))).value:
        await session.execute(core.Exec("Wait", ["0.5"]))
    await session.execute(core.SetVariable("FINISHED", NAME))
