"""The program that the files of this folder serve; put yours in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed import agi
from pystrix_typed.agi import core

if TYPE_CHECKING:
    from pystrix_typed.agi import Request

server = agi.FastAGIServer()


@server.script("welcome")
def welcome(session: agi.FastAGI, request: Request) -> None:
    """Welcome the caller, and tell the dialplan that it went well."""
    session.execute(core.Answer())
    session.execute(core.StreamFile("vm-intro"))
    session.execute(core.SetVariable("SERVED", request.path))
