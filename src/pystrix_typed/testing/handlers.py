"""Calling the code under test: the shapes that a handler may have, and what it is given."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, TypeAlias, cast

from pystrix_typed.agi import aio
from pystrix_typed.agi.aio.server import FastAGIServer as AsyncFastAGIServer
from pystrix_typed.agi.fastagi import FastAGI
from pystrix_typed.agi.observing import Peer
from pystrix_typed.agi.routing import Request, request_of
from pystrix_typed.agi.server import FastAGIServer
from pystrix_typed.testing.aio import SimulatedSession as AsyncSession
from pystrix_typed.testing.endless import HandlerStoppedError, virtual_sleep
from pystrix_typed.testing.sessions import SimulatedSession

if TYPE_CHECKING:
    from datetime import timedelta

    from pystrix_typed.agi.core.environment import Environment
    from pystrix_typed.testing.call import SimulatedCall

__all__ = ["AsyncHandler", "Handler", "call_handler", "drive", "drive_async"]

_Arguments: TypeAlias = tuple[str, ...]
_Keywords: TypeAlias = dict[str, list[str]]
_Match: TypeAlias = re.Match[str] | None

#: A blocking handler: ``handler(session)``, ``handler(session, request)``, or pystrix's
#: ``handler(session, args, kwargs, match, path)``; or a server: its handler
#: for the path.
Handler: TypeAlias = (
    Callable[[FastAGI], object]
    | Callable[[FastAGI, Request], object]
    | Callable[[FastAGI, _Arguments, _Keywords, _Match, str], object]
    | FastAGIServer
)
#: The same for asyncio.
AsyncHandler: TypeAlias = (
    Callable[[aio.FastAGI], Awaitable[object]]
    | Callable[[aio.FastAGI, Request], Awaitable[object]]
    | Callable[[aio.FastAGI, _Arguments, _Keywords, _Match, str], Awaitable[object]]
    | AsyncFastAGIServer
)

PEER = Peer("127.0.0.1", 4573)


def call_handler(
    handler: Callable[..., object] | FastAGIServer | AsyncFastAGIServer,
    session: object,
    environment: Environment,
    pattern: str | re.Pattern[str] | None,
) -> object:
    """Call a handler as a server does.

    Args:
        handler: In one of the three shapes; or a server.
        session: What it is to steer.
        environment: What Asterisk told.
        pattern: What it would be registered for; None for the default handler.

    Raises:
        TypeError: It has another shape.
        LookupError: The server has no handler for the path.
        ValueError: The pattern does not match the path that the call asks for.
    """
    __tracebackhide__ = True
    request = request_of(environment, PEER)
    match: re.Match[str] | None = None
    if isinstance(handler, (FastAGIServer, AsyncFastAGIServer)):
        found, match = handler.get_script_handler(request.path)
        if not callable(found):
            raise LookupError(f"the server has no handler for the path {request.path!r}")
        handler = found
    elif pattern is not None:
        match = re.match(pattern, request.path)
        if match is None:
            raise ValueError(f"pattern={pattern!r} does not match the path {request.path!r}")
    if match is not None:
        request = Request(
            request.path, request.query, request.arguments, PEER, match, request.environment
        )
    count = _positional(handler)
    if count <= 1:
        return handler(session)
    if count == 2:
        return handler(session, request)
    if count == 5:
        return handler(
            session, request.arguments, request.query.lists(), request.match, request.path
        )
    raise TypeError(
        f"{handler!r} takes {count} arguments; a handler takes (session), (session, request) or "
        f"(session, args, kwargs, match, path)"
    )


def drive(
    made: SimulatedCall,
    handler: Handler,
    *,
    pattern: str | re.Pattern[str] | None = None,
    timeout: float | timedelta | None = None,
    verify_values: bool = False,
) -> None:
    """Let a blocking handler have a call, to its end; what it raises is in the call's `error`."""
    __tracebackhide__ = True
    session = SimulatedSession(made, timeout=timeout, verify_values=verify_values)
    try:
        with session, virtual_sleep(session.rest):
            result = call_handler(handler, session, session.environment, pattern)
            if isinstance(result, Awaitable):
                if isinstance(result, Coroutine):
                    result.close()
                raise TypeError(f"{handler!r} is for asyncio: call it with call_async")
    except HandlerStoppedError:
        pass  # the call's `failure` says why
    except SystemExit:
        pass  # to a server, and so here, it is a return
    except Exception as error:  # noqa: BLE001 - it is the test's to judge
        made.error = error
    made.finish()


def _require_asyncio() -> None:
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "an asyncio handler needs asyncio's loop, and this is another one's, such as trio's; "
            "with anyio, give the tests a fixture anyio_backend that returns 'asyncio'"
        ) from None


async def drive_async(
    made: SimulatedCall,
    handler: AsyncHandler,
    *,
    pattern: str | re.Pattern[str] | None = None,
    timeout: float | timedelta | None = None,
    verify_values: bool = False,
) -> None:
    """Let an asyncio handler have a call, as `drive` does."""
    __tracebackhide__ = True
    _require_asyncio()
    session = AsyncSession(made, timeout=timeout, verify_values=verify_values)
    try:
        async with session:
            result = call_handler(handler, session, session.environment, pattern)
            if not isinstance(result, Awaitable):
                raise TypeError(f"{handler!r} is no coroutine function: call it with call")
            await cast("Awaitable[object]", result)
    except SystemExit:
        pass  # as in `drive`
    except Exception as error:  # noqa: BLE001 - it is the test's to judge
        made.error = error
    except BaseException:
        if not session.watch.stopped:
            raise
        # It was stopped, by cancelling it or by an exception; the call's `failure` says why.
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
    made.finish()


def _positional(handler: Callable[..., object]) -> int:
    """Count the arguments that a handler must be given."""
    kinds = inspect.Parameter
    parameters = inspect.signature(handler).parameters.values()
    fixed = [
        each
        for each in parameters
        if each.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    if not fixed and any(each.kind is kinds.VAR_POSITIONAL for each in parameters):
        return 5
    return sum(each.default is kinds.empty for each in fixed)
