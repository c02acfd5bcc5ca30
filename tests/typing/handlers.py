"""Handlers and servers: what may be registered where, and what a handler is given."""

import re
from typing import assert_type

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.observing import Call
from pystrix_typed.agi.routing import Query, Request

server = agi.FastAGIServer(port=0)
loop_server = agi.aio.FastAGIServer(port=0)


@server.script(r"menu/(\d+)")
def menu(session: agi.FastAGI, request: Request) -> str:
    assert_type(request.path, str)
    assert_type(request.query, Query)
    assert_type(request.query.all("lang"), tuple[str, ...])
    assert_type(request.query.lists(), dict[str, list[str]])
    assert_type(request.arguments, tuple[str, ...])
    assert_type(request.match, re.Match[str] | None)
    assert_type(request.environment, agi.Environment)
    session.execute(core.Answer())
    return "what it returns is nobody's business"


@loop_server.script(None)
async def loop_menu(session: agi.aio.FastAGI, request: Request) -> None:
    await session.execute(core.Answer(), timeout=5)


# The decorator gives back what it was given.
def called_directly(session: agi.FastAGI, request: Request) -> None:
    assert_type(menu(session, request), str)


def failed(session: agi.FastAGI, request: Request, error: Exception) -> None:
    session.execute(core.SetPriority("failed"))


async def loop_failed(session: agi.aio.FastAGI, request: Request, error: Exception) -> None:
    await session.execute(core.SetPriority("failed"))


def options() -> None:
    agi.FastAGIServer(max_calls=10, queue=5, allowed_networks=["10.0.0.0/8"], on_error=failed)
    agi.aio.FastAGIServer(idle_timeout=60.0, on_error=loop_failed)
    assert_type(server.server_address, tuple[str, int])
    assert_type(server.calls, tuple[Call, ...])
    assert_type(server.ready, bool)
    assert_type(server.serve_forever(signals=True, drain=10), None)
    assert_type(server.shutdown(drain=1.5), None)


async def running() -> None:
    async with agi.aio.FastAGIServer(port=0) as running_server:
        assert_type(running_server, agi.aio.FastAGIServer)
        assert_type(await running_server.serve_forever(), None)


async def waits(session: agi.FastAGI, request: Request) -> None: ...


async def waits_in_a_loop(
    session: agi.aio.FastAGI,
    args: tuple[str, ...],
    kwargs: dict[str, list[str]],
    match: re.Match[str] | None,
    path: str,
) -> None: ...


def takes_text(session: agi.FastAGI, request: str) -> None: ...


def alone(session: agi.FastAGI) -> None: ...


def wrong() -> None:
    loop_server.register_script_handler("x", waits_in_a_loop)
    loop_server.script("x")(menu)  # mypy: type-var; pyright: reportArgumentType
    loop_server.script("x")(waits)  # mypy: type-var; pyright: reportArgumentType
    server.script("x")(takes_text)  # mypy: type-var; pyright: reportArgumentType
    server.script("x")(alone)  # mypy: type-var; pyright: reportArgumentType
    server.script(7)  # mypy: arg-type; pyright: reportArgumentType
    register = server.register_script_handler
    register("x", waits_in_a_loop)  # mypy: arg-type; pyright: reportArgumentType
    agi.FastAGIServer(max_calls="many")  # mypy: arg-type; pyright: reportArgumentType
    agi.FastAGIServer(on_error=alone)  # mypy: arg-type; pyright: reportArgumentType
    agi.FastAGIServer(allowed_network=["10.0.0.0/8"])  # mypy: call-arg; pyright: reportCallIssue


async def forgotten(session: agi.aio.FastAGI) -> None:
    session.execute(core.Answer())  # mypy: unused-coroutine; pyright: reportUnusedCoroutine
    with agi.aio.FastAGIServer(port=0):  # mypy: attr-defined; pyright: reportGeneralTypeIssues
        pass
