"""The blocking FastAGI server: a call has a thread of its own, out of a pool."""

from __future__ import annotations

import contextlib
import logging
import threading
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from pystrix_typed.agi.calls import look_every
from pystrix_typed.agi.fastagi import FastAGI
from pystrix_typed.agi.gate import Gate
from pystrix_typed.agi.handshake import FRESH
from pystrix_typed.agi.observing import current_call
from pystrix_typed.agi.options import check_drain, check_hook, limits_of
from pystrix_typed.agi.pool import Pool
from pystrix_typed.agi.reception import LONGEST_WAIT, Reception
from pystrix_typed.agi.running import Runner
from pystrix_typed.agi.service import Service
from pystrix_typed.agi.signals import Signals, Turns

if TYPE_CHECKING:
    import re
    import socket
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self, TypeAlias

    from pystrix_typed.agi.limits import NetworkLike
    from pystrix_typed.agi.observing import Call, CommandEvent, Observer
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
        #: When to try to listen again.
        self._retry_at = 0.0
        if listener is not None:
            self.adopt(listener)

    def _arrange(self) -> None:
        self._pool = Pool(self.limits.max_calls, "FastAGI", self.daemon_threads)
        self._runner = Runner(
            self._calls, self._pool, self._session, self._on_error, self._call_ended
        )
        self._reception = Reception(self.limits, self._observers, self._runner.begin)
        self._gate = Gate(self._port, self._reception, self.limits.backlog)

    def _session(self, connection: socket.socket, received: bytes) -> FastAGI:
        return FastAGI(
            connection,
            self.debug,
            timeout=self.limits.command_timeout,
            verify_values=self.verify_values,
            max_environment=self.limits.max_environment,
            max_reply=self.limits.max_reply,
            received=received,
        )

    def _call_ended(self) -> None:
        self._ended.set()
        if self._state != "serving":
            self._reception.wake()

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
            if drain is None or current_call.get() not in self._calls.live:
                self._done.wait()
        else:
            self._drain()
            self._close()

    def release(self) -> None:
        """Give up the listening socket, and go on with the calls; `adopt` gives another one.

        It waits until the socket is closed.
        """
        closed = self._gate.release()
        if closed is None:
            return
        if self._serving and self._serving != threading.get_ident():
            self._reception.wake()
            closed.wait()
        else:
            self._gate.close_released()

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
        self._gate.close_released()
        now = monotonic()
        if self._state == "full" and len(self._calls) < self.limits.accepted:
            self._open(now)
        gate = self._gate
        if gate.leave_at and now >= gate.leave_at:
            gate.stop_listening()
        moments = [] if until is None else [until]
        if self._state == "serving":
            listener = self._port.listener
            if self._port.adopted and len(self._calls) + self._reception.fresh(now) >= (
                self.limits.accepted
            ):
                # Another server on the same port may have room at once.
                listener = None
                moments.append(now + FRESH)
            self._reception.watch(listener)
        if self._state == "full" and self._retry_at > now:
            moments.append(self._retry_at)
        if gate.leave_at:
            moments.append(gate.leave_at)
        if self.limits.idle_timeout is not None and len(self._calls):
            moments.append(now + look_every(self.limits.idle_timeout))
        began = self._reception.step(min(moments) if moments else None)
        if self._state == "serving" and len(self._calls) >= self.limits.accepted:
            # Have connecting fail, so that ``hagi://`` tries another server. What the system has
            # completed is accepted first: those calls would be lost.
            calls = len(self._calls)
            self._gate.leave()
            self._now_full(calls)
        self._runner.end_idle(self.limits.idle_timeout, monotonic())
        return began

    def _open(self, now: float) -> None:
        """Take calls again."""
        if now < self._retry_at:
            return
        try:
            self._gate.reopen()
        except OSError as error:
            _log.error("there is room, but the port cannot be opened again: %s", error)
            self._retry_at = now + 1.0
            return
        self._full_no_more()

    def _drain(self) -> None:
        """Let the calls under way end, as far as they have time for it."""
        if self._drain_until is None:
            return
        gate = self._gate
        gate.leave()
        self._change("draining")
        while (self._under_way or gate.leave_at) and monotonic() < self._drain_until:
            self._wait(min(self._drain_until, gate.leave_at or self._drain_until))
            if gate.leave_at and monotonic() >= gate.leave_at:
                gate.stop_listening()
        gate.stop_listening()
        self._reception.turn_out()
        for call in self.calls:
            self._runner.end(call, "the server shuts down")
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
        own = current_call.get() in self._calls.live  # a handler that shuts down is not waited for
        return bool(self._reception.arrivals or len(self._calls) > own)

    def _close(self) -> None:
        with self._lock:
            if self._state == "stopped":
                return
            self._gate.close()
            self._reception.close()
            self._change("stopped")
        self._pool.stop(busy=len(self._calls))
