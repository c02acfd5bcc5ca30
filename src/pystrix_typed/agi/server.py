"""The blocking FastAGI server: a call has a thread of its own, out of a pool."""

from __future__ import annotations

import contextlib
import logging
import threading
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from pystrix_typed.agi.exceptions import AGIException
from pystrix_typed.agi.fastagi import FastAGI
from pystrix_typed.agi.handlers import check_result, outcome_of
from pystrix_typed.agi.handshake import FRESH
from pystrix_typed.agi.listening import SETTLE, hear_again, turn_deaf
from pystrix_typed.agi.observing import Call, current_call
from pystrix_typed.agi.options import check_drain, check_hook, limits_of
from pystrix_typed.agi.pool import Pool
from pystrix_typed.agi.reception import LONGEST_WAIT, Reception
from pystrix_typed.agi.service import Service
from pystrix_typed.agi.signals import Signals, Turns

if TYPE_CHECKING:
    import re
    import socket
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self, TypeAlias

    from pystrix_typed.agi.limits import NetworkLike
    from pystrix_typed.agi.observing import CommandEvent, Observer
    from pystrix_typed.agi.routing import Request

    #: What handles a call: ``handler(agi, args, kwargs, match, path)``. What it returns is ignored.
    Handler: TypeAlias = Callable[
        [FastAGI, tuple[str, ...], dict[str, list[str]], re.Match[str] | None, str], object
    ]
    #: What handles a call, as `FastAGIServer.script` registers it.
    ScriptHandler: TypeAlias = Callable[[FastAGI, Request], object]
    Script = TypeVar("Script", bound=ScriptHandler)
else:
    from collections.abc import Callable as Handler
    from collections.abc import Callable as ScriptHandler

__all__ = ["FastAGIServer", "Handler", "ScriptHandler"]

_log = logging.getLogger(__name__)

#: Seconds that handlers have to return once the server has ended their calls.
_GRACE = 5.0


class FastAGIServer(Service[FastAGI, object]):
    """Serves calls that Asterisk sends with ``AGI(agi://host:port/path?query)``.

    ::

        server = agi.FastAGIServer()

        @server.script("greet")
        def greet(session: agi.FastAGI, request: agi.Request) -> None:
            session.execute(core.Answer())

        server.serve_forever()

    FastAGI has no authentication: whoever reaches the port can pretend to be an exchange, so the
    server listens on loopback unless it is told otherwise.

    A connection costs a thread once its variables have come, not before: a probe that connects and
    leaves costs next to nothing. `pystrix_typed.agi.limits.Limits` describes the limits.

    Args:
        interface: The address to listen on; ``"0.0.0.0"`` for all, ``"::"`` for all of IPv6.
        port: The TCP port; 0 for any free one, which `server_address` then tells.
        daemon_threads: Do not wait for calls under way when the program ends.
        debug: Write every dialogue to stderr as it is, with what callers key in; `logs.WireTrace`
            hides that.
        max_calls: Calls at a time.
        queue: Calls beyond them that wait for their turn.
        max_handshakes: Connections at a time that have not sent their variables.
        handshake_timeout: Seconds that a peer has for sending its variables.
        max_environment: Bytes that they may take.
        max_reply: Bytes that one reply may take.
        idle_timeout: Seconds without a command after which a call is ended.
        command_timeout: The deadline of each command in seconds, unless `execute` names another.
        keepalive: Seconds of silence after which TCP looks whether the peer is still there.
        backlog: Connections that wait to be accepted.
        allowed_networks: Who may connect; empty for everyone.
        proxies: Balancers that send a PROXY protocol header.
        verify_values: See `FastAGI`.
        observers: What sees the calls. A `logs.CallLog` among them takes the place of the one that
            logs how each call ended.
        on_command: Called with a call and each command of it that has ended.
        on_error: Called with the session, the request and the exception when a handler raises one
            (an `AGIHangup` apart), before the call ends: ``SetPriority`` may send it elsewhere.
        listener: A listening socket to adopt, see `adopt`.

    Attributes:
        timeout: Seconds that `handle_request` waits for a call; None for as long as it takes.

    Raises:
        TypeError: An option is not of its type.
        ValueError: An option is out of range.
    """

    def __init__(
        self,
        interface: str = "127.0.0.1",
        port: int = 4573,
        daemon_threads: bool = True,
        debug: bool = False,
        *,
        max_calls: int = 1000,
        queue: int = 0,
        max_handshakes: int = 1000,
        handshake_timeout: float | None = 10.0,
        max_environment: int = 65_536,
        max_reply: int = 1_048_576,
        idle_timeout: float | None = 3600.0,
        command_timeout: float | None = None,
        keepalive: float | None = 60.0,
        backlog: int = 1024,
        allowed_networks: Iterable[NetworkLike] | str = (),
        proxies: Iterable[NetworkLike] | str = (),
        verify_values: bool = False,
        observers: Iterable[Observer] = (),
        on_command: Callable[[Call, CommandEvent], object] | None = None,
        on_error: Callable[[FastAGI, Request, Exception], object] | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        limits = limits_of(
            max_calls=max_calls,
            queue=queue,
            max_handshakes=max_handshakes,
            handshake_timeout=handshake_timeout,
            max_environment=max_environment,
            max_reply=max_reply,
            idle_timeout=idle_timeout,
            command_timeout=command_timeout,
            keepalive=keepalive,
            backlog=backlog,
            allowed_networks=allowed_networks,
            proxies=proxies,
        )
        super().__init__(interface, port, limits, verify_values, observers, on_command)
        self.timeout: float | None = None
        self.daemon_threads = daemon_threads
        check_hook("on_error", on_error)
        self.debug = debug
        self._on_error = on_error
        self._arrange()
        #: The thread that serves; 0 while none does.
        self._serving = 0
        self._done = threading.Event()
        self._done.set()
        self._stopping = False
        self._ended = threading.Event()
        #: When draining ends; None while the calls under way are left alone.
        self._drain_until: float | None = None
        #: Given up, and yet to be closed by the thread that serves.
        self._released: list[tuple[socket.socket, threading.Event]] = []
        #: When to look for calls that their handlers have forgotten.
        self._look_at_idle = 0.0
        #: When to try to listen again.
        self._retry_at = 0.0
        #: When to close the port; 0 while it stays open, or closed.
        self._leave_at = 0.0
        if listener is not None:
            self.adopt(listener)

    def _arrange(self) -> None:
        self._pool = Pool(self.limits.max_calls, "FastAGI", self.daemon_threads)
        self._reception = Reception(self.limits, self._observers, self._begin)

    def script(self, pattern: str | re.Pattern[str] | None) -> Callable[[Script], Script]:
        """Register the function below for the calls whose whole path matches.

        ::

            @server.script(r"menu/(?P<language>[a-z]{2})")
            def menu(session: agi.FastAGI, request: agi.Request) -> None: ...

        Args:
            pattern: A pattern for the path without its leading slash and query; None for the paths
                that nothing matches, whose handler it replaces.

        Raises:
            re.error: The pattern is no regular expression.
            TypeError: The function is asynchronous, which is for `pystrix_typed.agi.aio`, or a
                generator function, which is for nobody.
            ValueError: The pattern has a handler already.
        """

        def register(handler: Script) -> Script:
            self._add_script(pattern, handler)
            return handler

        return register

    # ---- serving ----

    def serve_forever(self, *, signals: bool = False, drain: float = 30.0) -> None:
        """Accept calls until `shutdown`, each served in a thread.

        Args:
            signals: Take SIGTERM and SIGINT as the wish to shut down with `drain`, a second one as
                the wish to do so now, and SIGHUP as the wish to reload (see `on_reload`).
            drain: Seconds that calls under way have then.

        Raises:
            OSError: The address is taken, or not one of this machine.
            RuntimeError: Another thread serves already.
            ValueError: Signals were asked for outside of the main thread, or `drain` is negative.
        """
        check_drain(drain)
        with self._lock:
            if self._stopping:
                return
            if self._serving:
                raise RuntimeError("the server is serving already")
            self.bind()
            self._reception.open()
            self._serving = threading.get_ident()
            self._done.clear()
        turns = Turns(lambda: self.shutdown(drain), lambda: self.shutdown(0.0), self._reload)
        try:
            with Signals(turns, self._reception.wakeup) if signals else contextlib.nullcontext():
                self._change("serving")
                while not self._asked_to_stop():
                    self._step(None)
                self._drain()
        finally:
            self._serving = 0
            if self._asked_to_stop():
                self._close()
            self._done.set()

    def handle_request(self) -> None:
        """Accept one call and have it served; return without one after `timeout` seconds.

        Raises:
            OSError: The address is taken, or not one of this machine.
            RuntimeError: The server was shut down.
        """
        if self._asked_to_stop():
            raise RuntimeError("the server was shut down")
        self.bind()
        self._reception.open()
        self._change("serving")
        until = None if self.timeout is None else monotonic() + self.timeout
        while not self._asked_to_stop():
            if self._step(until) or (until is not None and monotonic() >= until):
                return

    def shutdown(self, drain: float | None = None) -> None:
        """Stop accepting, wait for `serve_forever` to return, and close the listening socket.

        A server that was shut down is not started again. It may be called from anywhere; in a
        handler (with `drain`), or in the thread that serves (a signal handler there), it does not
        wait.

        Args:
            drain: Seconds that the calls under way have to end by themselves; then the server ends
                them, the oldest first. None lets them go on by themselves.

        Raises:
            ValueError: `drain` is negative.
        """
        if drain is not None:
            check_drain(drain)
        with self._lock:
            self._stopping = True
            if drain is not None:
                until = monotonic() + drain
                self._drain_until = min(until, self._drain_until or until)
        self._reception.wake()
        if self._serving == threading.get_ident():
            return  # it closes when it returns
        if self._serving:
            if drain is None or current_call.get() not in self._live:
                self._done.wait()
        else:
            self._drain()
            self._close()

    def release(self) -> None:
        """Give up the listening socket, and go on with the calls; `adopt` gives another one.

        It waits until the socket is closed.
        """
        with self._lock:
            listener, self._listener = self._listener, None
            if listener is None:
                return
            closed = threading.Event()
            self._released.append((listener, closed))
        if self._serving and self._serving != threading.get_ident():
            self._reception.wake()
            closed.wait()
        else:
            self._close_released()

    def _close_released(self) -> None:
        while self._released:
            listener, closed = self._released.pop()
            self._reception.unwatch(listener)
            listener.close()
            closed.set()

    def adopt(self, listener: socket.socket | None) -> None:
        """See `Service.adopt`."""
        super().adopt(listener)
        self._reception.at_once = 1
        self._reception.wake()

    def take(self, connection: socket.socket) -> None:
        """Serve a connection that somebody else has accepted.

        Raises:
            RuntimeError: The server was shut down.
        """
        if self._stopping:
            raise RuntimeError("the server was shut down")
        self._reception.give(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown(drain=0.0)

    def _asked_to_stop(self) -> bool:
        return self._stopping

    def _step(self, until: float | None) -> int:
        """Wait for something to happen, and see to it; give how many calls began."""
        self._close_released()
        now = monotonic()
        if self._state == "full" and len(self._live) < self.limits.accepted:
            self._open(now)
        if self._leave_at and now >= self._leave_at:
            self._stop_listening()
        moments = [] if until is None else [until]
        if self._state == "serving":
            listener = self._listener
            if self._adopted and len(self._live) + self._reception.fresh(now) >= (
                self.limits.accepted
            ):
                # Another server on the same port may have room at once.
                listener = None
                moments.append(now + FRESH)
            self._reception.watch(listener)
        if self._state == "full" and self._retry_at > now:
            moments.append(self._retry_at)
        if self._leave_at:
            moments.append(self._leave_at)
        if self.limits.idle_timeout is not None and self._live:
            moments.append(now + min(self.limits.idle_timeout / 4, 60.0))
        began = self._reception.step(min(moments) if moments else None)
        if self._state == "serving" and len(self._live) >= self.limits.accepted:
            self._fill()
        self._end_idle_calls(monotonic())
        return began

    def _fill(self) -> None:
        """Take no further call: have connecting fail, so that ``hagi://`` tries another server.

        What the system has completed is accepted first: those calls would be lost.
        """
        calls = len(self._live)
        self._leave_port()
        if self._adopted:
            _log.warning(
                "full: %d calls; the listening socket is not this server's, so that further ones "
                "connect, and wait, unless another process takes them or closes it",
                calls,
            )
        else:
            _log.warning("full: %d calls; not listening until there is room", calls)
        self._change("full")

    def _open(self, now: float) -> None:
        """Take calls again."""
        if now < self._retry_at:
            return
        try:
            if self._leave_at and self._listener is not None:
                self._leave_at = 0.0
                hear_again(self._listener)
            if not self._adopted:
                self.bind()
        except OSError as error:
            _log.error("there is room, but the port cannot be opened again: %s", error)
            self._retry_at = now + 1.0
            return
        _log.info("not full any more: %d calls", len(self._live))
        self._change("serving")

    def _leave_port(self) -> None:
        """Stop listening, as soon as that loses no call."""
        if self._adopted:
            self._reception.watch(None)  # others accept what waits there
        elif self._listener is not None and not self._leave_at:
            if turn_deaf(self._listener) and self._reception.is_open:
                self._leave_at = monotonic() + SETTLE
            else:
                self._stop_listening()

    def _stop_listening(self) -> None:
        """Close the listening socket, behind the last connection that the system completed."""
        self._leave_at = 0.0
        if self._listener is None or self._adopted:
            return
        listener, self._listener = self._listener, None
        self._reception.watch(listener)
        self._reception.accept_all()
        self._reception.watch(None)
        listener.close()

    def _drain(self) -> None:
        """Let the calls under way end, as far as they have time for it."""
        if self._drain_until is None:
            return
        self._leave_port()
        self._change("draining")
        while (self._under_way or self._leave_at) and monotonic() < self._drain_until:
            self._wait(min(self._drain_until, self._leave_at or self._drain_until))
            if self._leave_at and monotonic() >= self._leave_at:
                self._stop_listening()
        self._stop_listening()
        self._reception.turn_out()
        for call in self.calls:
            self._end(call, "the server shuts down")
        until = monotonic() + _GRACE
        while self._under_way and monotonic() < until:
            self._wait(until)
        for call in self.calls:
            _log.warning("the handler of %r has not returned", call)

    def _wait(self, until: float) -> None:
        """Wait for a call to end or to begin, until a moment at most."""
        if self._reception.is_open:
            self._reception.step(until)
        else:
            self._ended.wait(min(max(0.0, until - monotonic()), LONGEST_WAIT))
            self._ended.clear()

    @property
    def _under_way(self) -> bool:
        """Whether there is a call, or something that may become one, to wait for."""
        own = current_call.get() in self._live  # a handler that shuts down is not waited for
        return bool(self._reception.arrivals or len(self._live) > own)

    def _close(self) -> None:
        with self._lock:
            if self._state == "stopped":
                return
            self._close_released()
            self._reception.watch(None)
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            self._reception.close()
            self._change("stopped")
        self._pool.stop(busy=len(self._live))

    # ---- calls ----

    def _begin(self, call: Call, connection: socket.socket, received: bytes) -> None:
        """Have a call served by the next thread."""
        with self._lock:
            self._live[call] = connection
        try:
            if not self._pool.run(lambda: self._serve(call, connection, received)):
                _log.warning("%s waits for its turn: %d calls", call.peer, len(self._live))
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
            session = self._session(call, connection, received)
            with session:
                outcome, error = self._handle(call, session)
        except (AGIException, OSError) as failure:
            connection.close()
            outcome, error = self._aborted_or(call, "handshake"), failure
        except BaseException as failure:  # noqa: BLE001 - not even a fault of the server's may end a thread
            self._call_log.failure(call, "the server's own part of it failed", failure)
            error = failure
        finally:
            self._finish(call, outcome, error)
            current_call.reset(token)

    def _session(self, call: Call, connection: socket.socket, received: bytes) -> FastAGI:
        session = FastAGI(
            connection,
            self.debug,
            timeout=self.limits.command_timeout,
            verify_values=self.verify_values,
            max_environment=self.limits.max_environment,
            max_reply=self.limits.max_reply,
            received=received,
        )
        with self._lock:
            self._live[call] = session
            if call in self._aborted:
                session.close("the server shuts down")
        return session

    def _handle(self, call: Call, session: FastAGI) -> tuple[str, BaseException | None]:
        """Run a call's handler; give the call's outcome and what was raised."""
        request, route = self._route(call, session.environment)
        session.on_command = self._observers.commands_of(call, self._on_command)
        session.trace = self._wire(call, session.trace)
        self._observers.started(call)
        if route is None:
            return "unrouted", None
        try:
            check_result(route.regex, route.run(session, request), awaited=False)
        except SystemExit:
            pass  # a script's way to end; here it ends this call alone
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            outcome = self._aborted_or(call, outcome_of(error))
            if outcome == "error" and isinstance(error, Exception):
                self._tell_error(call, session, request, error)
            return outcome, error
        return self._aborted_or(call, "hangup" if session.hung_up else "completed"), None

    def _tell_error(self, call: Call, session: FastAGI, request: Request, error: Exception) -> None:
        if self._on_error is None:
            return
        try:
            self._on_error(session, request, error)
        except SystemExit:
            pass  # as of a handler
        except BaseException as failure:  # noqa: BLE001 - a hook may raise anything, as a handler may
            if outcome_of(failure) == "error":
                self._call_log.failure(call, "on_error failed, too", failure)

    def _end(self, call: Call, why: str) -> None:
        """End a call from outside of its handler."""
        with self._lock:
            session = self._live.get(call)
            self._aborted.add(call)
        if session is None:
            self._aborted.discard(call)
        elif isinstance(session, FastAGI):
            session.close(why)
        else:
            session.close()

    def _end_idle_calls(self, now: float) -> None:
        limit = self.limits.idle_timeout
        if limit is None or now < self._look_at_idle:
            return
        # Not at every step: looking at each of a thousand calls whenever one begins adds up.
        self._look_at_idle = now + min(limit / 4, 60.0)
        for call, session in list(self._live.items()):
            if isinstance(session, FastAGI) and call not in self._aborted:
                since = session.idle_since
                if since is not None and now - since > limit:
                    _log.warning("%r has had no command for %g seconds: it ends", call, limit)
                    self._end(call, f"no command came for {limit:g} seconds")

    def _finish(self, call: Call, outcome: str, error: BaseException | None) -> None:
        """Take note of a call's end."""
        try:
            self._note_end(call, outcome, error)
        finally:
            with self._lock:
                self._live.pop(call, None)
                self._aborted.discard(call)
            self._ended.set()
            if self._state != "serving":
                self._reception.wake()
