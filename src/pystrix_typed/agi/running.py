"""Running the calls of a blocking server: each from its thread's beginning to its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pystrix_typed.agi.calls import look_every
from pystrix_typed.agi.exceptions import AGIException
from pystrix_typed.agi.fastagi import FastAGI
from pystrix_typed.agi.handlers import check_result, outcome_of
from pystrix_typed.agi.observing import Call, current_call

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pystrix_typed.agi.calls import Calls
    from pystrix_typed.agi.pool import Pool
    from pystrix_typed.agi.routing import Request

__all__ = ["Runner"]

_log = logging.getLogger("pystrix_typed.agi.server")


class Runner:
    """Runs calls in the threads of a pool.

    Args:
        calls: Where the calls under way are entered.
        pool: The threads.
        session: Makes a session of a connection and what was read from it.
        on_error: Called when a handler has raised; see `FastAGIServer`.
        ended: Called when a call is none any more.
    """

    def __init__(
        self,
        calls: Calls[FastAGI, object],
        pool: Pool,
        session: Callable[[socket.socket, bytes], FastAGI],
        on_error: Callable[[FastAGI, Request, Exception], object] | None,
        ended: Callable[[], object],
    ) -> None:
        self._calls = calls
        self._pool = pool
        self._session = session
        self._on_error = on_error
        self._ended = ended
        #: When to look for calls that their handlers have forgotten.
        self._look_at_idle = 0.0

    def begin(self, call: Call, connection: socket.socket, received: bytes) -> None:
        """Have a call served by the next thread."""
        with self._calls.lock:
            self._calls.live[call] = connection
        try:
            if not self._pool.run(lambda: self._serve(call, connection, received)):
                _log.warning("%s waits for its turn: %d calls", call.peer, len(self._calls))
        except RuntimeError as error:
            _log.error("cannot serve the call from %s: %s", call.peer, error)
            connection.close()
            self._finish(call, "aborted", error)

    def _serve(self, call: Call, connection: socket.socket, received: bytes) -> None:
        """Serve one call; whatever goes wrong ends this call alone."""
        token = current_call.set(call)
        outcome: str = "error"
        error: BaseException | None = None
        try:
            session = self._session(connection, received)
            with self._calls.lock:
                self._calls.live[call] = session
                if call in self._calls.aborted:
                    session.close("the server shuts down")
            with session:
                outcome, error = self._handle(call, session)
        except (AGIException, OSError) as failure:
            connection.close()
            outcome, error = self._calls.aborted_or(call, "handshake"), failure
        except BaseException as failure:  # noqa: BLE001 - not even a fault of the server's may end a thread
            self._calls.log.failure(call, "the server's own part of it failed", failure)
            error = failure
        finally:
            self._finish(call, outcome, error)
            current_call.reset(token)

    def _handle(self, call: Call, session: FastAGI) -> tuple[str, BaseException | None]:
        """Run a call's handler; give the call's outcome and what was raised."""
        request, route = self._calls.start(call, session)
        if route is None:
            return "unrouted", None
        try:
            check_result(route.regex, route.run(session, request), awaited=False)
        except SystemExit:
            pass  # a script's way to end; here it ends this call alone
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            outcome = self._calls.aborted_or(call, outcome_of(error))
            if outcome == "error" and isinstance(error, Exception):
                self._tell_error(call, session, request, error)
            return outcome, error
        return self._calls.aborted_or(call, "hangup" if session.hung_up else "completed"), None

    def _tell_error(self, call: Call, session: FastAGI, request: Request, error: Exception) -> None:
        if self._on_error is None:
            return
        try:
            self._on_error(session, request, error)
        except SystemExit:
            pass  # as of a handler
        except BaseException as failure:  # noqa: BLE001 - a hook may raise anything, as a handler may
            if outcome_of(failure) == "error":
                self._calls.log.failure(call, "on_error failed, too", failure)

    def _finish(self, call: Call, outcome: str, error: BaseException | None) -> None:
        """Take note of a call's end."""
        try:
            self._calls.note_end(call, outcome, error)
        finally:
            with self._calls.lock:
                self._calls.live.pop(call, None)
                self._calls.aborted.discard(call)
            self._ended()

    def end(self, call: Call, why: str) -> None:
        """End a call from outside of its handler."""
        with self._calls.lock:
            session = self._calls.live.get(call)
            self._calls.aborted.add(call)
        if session is None:
            self._calls.aborted.discard(call)
        elif isinstance(session, FastAGI):
            session.close(why)
        else:
            session.close()

    def end_idle(self, limit: float | None, now: float) -> None:
        """End the calls that have had no command for `limit` seconds."""
        if limit is None or now < self._look_at_idle:
            return
        # Not at every step: looking at each of a thousand calls whenever one begins adds up.
        self._look_at_idle = now + look_every(limit)
        for call in self._calls.idle(FastAGI, limit, now):
            _log.warning("%r has had no command for %g seconds: it ends", call, limit)
            self.end(call, f"no command came for {limit:g} seconds")
