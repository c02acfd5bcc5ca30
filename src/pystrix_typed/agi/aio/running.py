"""Running the calls of an asyncio server: each from its task's beginning to its end."""

from __future__ import annotations

import asyncio
import logging
from inspect import isawaitable
from typing import TYPE_CHECKING

from pystrix_typed.agi.aio.fastagi import FastAGI
from pystrix_typed.agi.calls import look_every
from pystrix_typed.agi.exceptions import AGIProtocolError
from pystrix_typed.agi.handlers import check_result, outcome_of
from pystrix_typed.agi.observing import Call, current_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from pystrix_typed.agi.calls import Calls
    from pystrix_typed.agi.routing import Request

__all__ = ["Runner"]

_log = logging.getLogger("pystrix_typed.agi.server")

#: Seconds that handlers have to return once the server has ended their calls, before they are
#: cancelled, and the same again after that.
_GRACE = 2.5


class Runner:
    """Runs calls in tasks, which it owns.

    Args:
        calls: Where the calls under way are entered.
        seats: How many of them may run at a time.
        session: Makes a session of a transport and what came from it.
        on_error: Called when a handler has raised; see `FastAGIServer`.
        do: Has something done besides.
        changed: Called when a call was entered, or is none any more.
    """

    def __init__(
        self,
        calls: Calls[FastAGI, Awaitable[object]],
        seats: int,
        session: Callable[[asyncio.Transport, bytes], FastAGI],
        on_error: Callable[[FastAGI, Request, Exception], object] | None,
        do: Callable[[Coroutine[None, None, None]], object],
        changed: Callable[[], object],
    ) -> None:
        self._calls = calls
        self._seats = asyncio.Semaphore(seats)
        self._session = session
        self._on_error = on_error
        self._do = do
        self._changed = changed
        self._tasks: dict[Call, asyncio.Task[None]] = {}

    def begin(self, call: Call, transport: asyncio.Transport, received: bytes) -> None:
        """Have a call served by a task of its own."""
        try:
            session = self._session(transport, received)
        except AGIProtocolError as error:
            transport.abort()
            self._calls.note_end(call, "handshake", error)
            return
        self._calls.live[call] = session
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._serve(call, session), name=f"FastAGI {call.peer}")
        self._tasks[call] = task
        self._changed()

    async def _serve(self, call: Call, session: FastAGI) -> None:
        """Serve one call; whatever goes wrong ends this call alone."""
        current_call.set(call)
        outcome: str = "error"
        error: BaseException | None = None
        try:
            if self._seats.locked():
                _log.warning("%s waits for its turn: %d calls", call.peer, len(self._calls))
            async with session, self._seats:
                outcome, error = await self._handle(call, session)
        except asyncio.CancelledError:
            outcome = "aborted"
            raise
        except Exception as failure:  # noqa: BLE001 - not even a fault of the server's is others'
            self._calls.log.failure(call, "the server's own part of it failed", failure)
            error = failure
        finally:
            self._calls.live.pop(call, None)
            self._tasks.pop(call, None)
            self._calls.note_end(call, outcome, error)
            self._calls.aborted.discard(call)
            self._changed()

    async def _handle(self, call: Call, session: FastAGI) -> tuple[str, BaseException | None]:
        """Run a call's handler; give the call's outcome and what was raised."""
        request, route = self._calls.start(call, session)
        if route is None:
            return "unrouted", None
        try:
            running = route.run(session, request)
            check_result(route.regex, running, awaited=True)
            await running
        except SystemExit:
            pass  # a script's way to end; out of a task it would end the loop, and every call
        except (KeyboardInterrupt, GeneratorExit):
            raise  # meant for the loop, which may be running this of all tasks
        except BaseException as error:
            if _is_cancelled(error):
                raise
            outcome = self._calls.aborted_or(call, outcome_of(error))
            if outcome == "error" and isinstance(error, Exception):
                await self._tell_error(call, session, request, error)
            return outcome, error
        return self._calls.aborted_or(call, "hangup" if session.hung_up else "completed"), None

    async def _tell_error(
        self, call: Call, session: FastAGI, request: Request, error: Exception
    ) -> None:
        if self._on_error is None:
            return
        try:
            found = self._on_error(session, request, error)
            if isawaitable(found):
                await found
        except SystemExit:
            pass  # as of a handler
        except Exception as failure:  # noqa: BLE001 - a hook may raise anything, as a handler may
            if outcome_of(failure) == "error":
                self._calls.log.failure(call, "on_error failed, too", failure)

    def end(self, call: Call, why: str) -> None:
        """End a call from outside of its handler."""
        session, task = self._calls.live.get(call), self._tasks.get(call)
        if not isinstance(session, FastAGI) or task is None:
            return
        self._calls.aborted.add(call)
        if call.request is None:
            task.cancel()  # it waits for its turn
            return
        self._do(session.close(why))

    async def end_all(self, why: str) -> None:
        """End every call, and wait for the handlers to return, as far as they do."""
        for call in self._calls.all:
            self.end(call, why)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_GRACE)
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_GRACE)
        for call in self._calls.all:
            _log.warning("the handler of %r has not returned", call)

    async def end_idle(self, limit: float) -> None:
        """End the calls that have had no command for `limit` seconds, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(look_every(limit))
            for call in self._calls.idle(FastAGI, limit, loop.time()):
                _log.warning("%r has had no command for %g seconds: it ends", call, limit)
                self.end(call, f"no command came for {limit:g} seconds")


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether an exception is the wish to end this task, and not one of the handler's own."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
