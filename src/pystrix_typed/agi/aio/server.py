"""The asyncio FastAGI server: a call is a task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeVar

from pystrix_typed.agi.aio.accepting import Acceptor
from pystrix_typed.agi.aio.fastagi import FastAGI
from pystrix_typed.agi.aio.reception import Reception
from pystrix_typed.agi.exceptions import AGIProtocolError
from pystrix_typed.agi.handlers import check_result, outcome_of
from pystrix_typed.agi.listening import SETTLE, hear_again, turn_deaf
from pystrix_typed.agi.observing import Call, current_call
from pystrix_typed.agi.options import check_drain, check_hook, limits_of
from pystrix_typed.agi.service import Service
from pystrix_typed.agi.signals import ENDING, RELOADING, Turns

if TYPE_CHECKING:
    import re
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
    from types import TracebackType
    from typing import Self, TypeAlias

    from pystrix_typed.agi.limits import NetworkLike
    from pystrix_typed.agi.observing import CommandEvent, Observer
    from pystrix_typed.agi.routing import Request

    #: What handles a call: ``await handler(agi, args, kwargs, match, path)``.
    Handler: TypeAlias = Callable[
        [FastAGI, tuple[str, ...], dict[str, list[str]], re.Match[str] | None, str],
        Awaitable[object],
    ]
    #: What handles a call, as `FastAGIServer.script` registers it.
    ScriptHandler: TypeAlias = Callable[[FastAGI, Request], Awaitable[object]]
    Script = TypeVar("Script", bound=ScriptHandler)
else:
    from collections.abc import Callable as Handler
    from collections.abc import Callable as ScriptHandler

__all__ = ["FastAGIServer", "Handler", "ScriptHandler"]

_log = logging.getLogger("pystrix_typed.agi.server")

#: Seconds that handlers have to return once the server has ended their calls, before they are
#: cancelled, and the same again after that.
_GRACE = 2.5


class FastAGIServer(Service[FastAGI, "Awaitable[object]"]):
    """Serves calls that Asterisk sends with ``AGI(agi://host:port/path?query)``, in one event loop.

    ::

        server = agi.aio.FastAGIServer()

        @server.script("greet")
        async def greet(session: agi.aio.FastAGI, request: agi.Request) -> None:
            await session.execute(core.Answer())

        asyncio.run(server.serve_forever(signals=True))

    It has the names and the options of the blocking `pystrix_typed.agi.FastAGIServer`; handlers are
    asynchronous. What a handler does between two awaits holds up every other call.

    Args:
        interface: The address to listen on; ``"0.0.0.0"`` for all, ``"::"`` for all of IPv6.
        port: The TCP port; 0 for any free one, which `server_address` then tells.
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
            (an `AGIHangup` apart), before the call ends; what it returns is awaited if it can be.
        listener: A listening socket to adopt, see `adopt`.

    Raises:
        TypeError: An option is not of its type.
        ValueError: An option is out of range.
    """

    _awaits = True

    def __init__(
        self,
        interface: str = "127.0.0.1",
        port: int = 4573,
        debug: bool = False,
        *,
        max_calls: int = 10_000,
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
        check_hook("on_error", on_error)
        self.debug = debug
        self._on_error = on_error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._acceptor: Acceptor | None = None
        #: What closes the port in a moment; None while it is open, or closed.
        self._leaving: asyncio.TimerHandle | None = None
        self._tasks: dict[Call, asyncio.Task[None]] = {}
        #: What the server itself is doing: connecting, closing.
        self._chores: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._done = asyncio.Event()
        self._arrange()
        self._opening = False
        #: When draining ends, on the loop's clock; None while the calls are left alone.
        self._drain_until: float | None = None
        if listener is not None:
            self.adopt(listener)

    def _arrange(self) -> None:
        self._seats = asyncio.Semaphore(self.limits.max_calls)
        self._reception = Reception(self.limits, self._observers, self._begin, self._changed.set)

    def script(self, pattern: str | re.Pattern[str] | None) -> Callable[[Script], Script]:
        """Register the function below for the calls whose whole path matches.

        ::

            @server.script(r"menu/(?P<language>[a-z]{2})")
            async def menu(session: agi.aio.FastAGI, request: agi.Request) -> None: ...

        Args:
            pattern: A pattern for the path without its leading slash and query; None for the paths
                that nothing matches, whose handler it replaces.

        Raises:
            re.error: The pattern is no regular expression.
            TypeError: The function is annotated to give nothing that could be awaited, which is for
                the blocking server, or a generator function, which is for nobody.
            ValueError: The pattern has a handler already.
        """

        def register(handler: Script) -> Script:
            self._add_script(pattern, handler)
            return handler

        return register

    # ---- serving ----

    async def serve_forever(self, *, signals: bool = False, drain: float = 30.0) -> None:
        """Accept calls until `shutdown`, each served in a task. Cancelling it ends the calls.

        Args:
            signals: Take SIGTERM and SIGINT as the wish to shut down with `drain`, a second one as
                the wish to do so now, and SIGHUP as the wish to reload (see `on_reload`).
            drain: Seconds that calls under way have then.

        Raises:
            OSError: The address is taken, or not one of this machine.
            RuntimeError: It is serving already, or signals were asked for outside of the main
                thread.
            ValueError: `drain` is negative.
        """
        check_drain(drain)
        if self._stopping.is_set():
            return
        if self._loop is not None:
            raise RuntimeError("the server is serving already")
        loop = self._loop = asyncio.get_running_loop()
        turns = Turns(lambda: self.stop(drain), lambda: self.stop(0.0), self._reload)
        watch: asyncio.Task[None] | None = None
        try:
            with _signals(loop, turns) if signals else contextlib.nullcontext():
                self._start_listening()
                self._change("serving")
                if self.limits.idle_timeout is not None:
                    watch = loop.create_task(self._end_idle_calls(self.limits.idle_timeout))
                await self._stopping.wait()
                await self._drain()
        except asyncio.CancelledError:
            self.stop(0.0)
            await self._drain()
            raise
        finally:
            if watch is not None:
                watch.cancel()
            self._close()

    def stop(self, drain: float | None = None) -> None:
        """Begin to shut down, without waiting for the end; from the loop's thread only.

        Args:
            drain: See `shutdown`.
        """
        if drain is not None:
            check_drain(drain)
            until = asyncio.get_running_loop().time() + drain
            self._drain_until = min(until, self._drain_until or until)
        self._stopping.set()
        self._changed.set()

    async def shutdown(self, drain: float | None = None) -> None:
        """Stop accepting, wait for `serve_forever` to return, and close the listening socket.

        A server that was shut down is not started again. It may be called from a handler, and then
        does not wait.

        Args:
            drain: Seconds that the calls under way have to end by themselves; then the server ends
                them, the oldest first. None lets them go on by themselves.
        """
        self.stop(drain)
        if self._loop is None:
            self._close()
        elif self._done.is_set():
            await self._drain()  # of calls that were left alone before
        elif current_call.get() not in self._live:
            await self._done.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown(drain=0.0)

    def release(self) -> None:
        """Give up the listening socket, and go on with the calls; `adopt` gives another one.

        From the loop's thread only.
        """
        self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def adopt(self, listener: socket.socket | None) -> None:
        """See `Service.adopt`; while serving, from the loop's thread only."""
        super().adopt(listener)
        if self._state == "serving":
            self._start_listening()

    def take(self, connection: socket.socket) -> None:
        """Serve a connection that somebody else has accepted; from the loop's thread only.

        Raises:
            RuntimeError: The server does not serve.
        """
        if self._loop is None or self._stopping.is_set():
            raise RuntimeError("the server does not serve")
        self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        assert self._loop is not None
        connection.setblocking(False)

        async def connect(loop: asyncio.AbstractEventLoop) -> None:
            try:
                await loop.connect_accepted_socket(self._reception.door, connection)
            except OSError:  # it is gone already
                connection.close()

        self._do(connect(self._loop))

    def _do(self, chore: Coroutine[None, None, None]) -> None:
        """Have something done besides."""
        assert self._loop is not None
        task = self._loop.create_task(chore)
        self._chores.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._chores.discard(task)
            self._changed.set()

        task.add_done_callback(done)

    def _start_listening(self) -> None:
        if not self._adopted:
            self.bind()
        if self._loop is None or self._listener is None:
            return  # whoever owns the socket gives it again
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
            hear_again(self._listener)
        else:
            self._acceptor = Acceptor(
                self._loop, self._listener, self._take, self._has_room if self._adopted else None
            )

    def _stop_accepting(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
            self._acceptor = None

    def _leave_port(self) -> None:
        """Stop listening, as soon as that loses no call."""
        if self._adopted:
            self._stop_accepting()  # others accept what waits there
        elif self._listener is not None and self._leaving is None:
            assert self._loop is not None
            if turn_deaf(self._listener):
                self._leaving = self._loop.call_later(SETTLE, self._stop_listening)
            else:
                self._stop_listening()

    def _has_room(self) -> bool:
        """Tell whether one more call would be served at once, if new connections become calls."""
        expected = len(self._live) + self._reception.fresh() + len(self._chores)
        return expected < self.limits.accepted

    def _stop_listening(self) -> None:
        """Close the listening socket, behind the last connection that the system completed."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        listener, acceptor = self._listener, self._acceptor
        if listener is None or self._adopted:
            return
        self._listener = None
        if acceptor is not None:
            acceptor.accept_all()
            self._stop_accepting()
        listener.close()
        self._changed.set()

    def _look_for_room(self) -> None:
        """Be full, or be so no more."""
        if self._state == "serving" and len(self._live) >= self.limits.accepted:
            self._leave_port()
            if self._adopted:
                _log.warning(
                    "full: %d calls; the listening socket is not this server's, so that further "
                    "ones connect, and wait, unless another process takes them or closes it",
                    len(self._live),
                )
            else:
                _log.warning("full: %d calls; not listening until there is room", len(self._live))
            self._change("full")
        elif (
            self._state == "full"
            and len(self._live) < self.limits.accepted
            and not (self._opening or self._stopping.is_set())
        ):
            self._opening = True
            self._do(self._open())

    async def _open(self) -> None:
        """Take calls again."""
        try:
            while not self._stopping.is_set():
                try:
                    self._start_listening()
                except OSError as error:
                    _log.error("there is room, but the port cannot be opened again: %s", error)
                    await asyncio.sleep(1.0)
                    continue
                _log.info("not full any more: %d calls", len(self._live))
                self._change("serving")
                return
        finally:
            self._opening = False
            self._look_for_room()

    async def _drain(self) -> None:
        """Let the calls under way end, as far as they have time for it."""
        assert self._loop is not None
        if self._drain_until is None:
            return
        self._leave_port()
        self._change("draining")
        while self._live or self._reception.arrivals or self._chores or self._leaving:
            patience = self._drain_until - self._loop.time()
            if patience <= 0 or not await self._change_within(patience):
                break
        self._stop_listening()
        self._reception.turn_out()
        for call in self.calls:
            self._end(call, "the server shuts down")
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_GRACE)
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_GRACE)
        for call in self.calls:
            _log.warning("the handler of %r has not returned", call)

    async def _change_within(self, seconds: float) -> bool:
        """Wait for a call to end, or for an earlier deadline; False when the time is over."""
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _close(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._reception.turn_out()
        self._change("stopped")
        self._done.set()

    # ---- calls ----

    def _begin(self, call: Call, transport: asyncio.Transport, received: bytes) -> None:
        """Have a call served by a task of its own."""
        assert self._loop is not None
        try:
            session = FastAGI(
                transport,
                self.debug,
                timeout=self.limits.command_timeout,
                verify_values=self.verify_values,
                max_environment=self.limits.max_environment,
                max_reply=self.limits.max_reply,
                received=received,
            )
        except AGIProtocolError as error:
            transport.abort()
            self._note_end(call, "handshake", error)
            return
        self._live[call] = session
        task = self._loop.create_task(self._serve(call, session), name=f"FastAGI {call.peer}")
        self._tasks[call] = task
        self._look_for_room()

    async def _serve(self, call: Call, session: FastAGI) -> None:
        """Serve one call; whatever goes wrong ends this call alone."""
        current_call.set(call)
        outcome: str = "error"
        error: BaseException | None = None
        try:
            if self._seats.locked():
                _log.warning("%s waits for its turn: %d calls", call.peer, len(self._live))
            async with session, self._seats:
                outcome, error = await self._handle(call, session)
        except asyncio.CancelledError:
            outcome = "aborted"
            raise
        except Exception as failure:  # noqa: BLE001 - not even a fault of the server's is others'
            self._call_log.failure(call, "the server's own part of it failed", failure)
            error = failure
        finally:
            self._live.pop(call, None)
            self._tasks.pop(call, None)
            self._note_end(call, outcome, error)
            self._aborted.discard(call)
            self._changed.set()
            self._look_for_room()

    async def _handle(self, call: Call, session: FastAGI) -> tuple[str, BaseException | None]:
        """Run a call's handler; give the call's outcome and what was raised."""
        request, route = self._route(call, session.environment)
        session.on_command = self._observers.commands_of(call, self._on_command)
        session.trace = self._wire(call, session.trace)
        self._observers.started(call)
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
            outcome = self._aborted_or(call, outcome_of(error))
            if outcome == "error" and isinstance(error, Exception):
                await self._tell_error(call, session, request, error)
            return outcome, error
        return self._aborted_or(call, "hangup" if session.hung_up else "completed"), None

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
                self._call_log.failure(call, "on_error failed, too", failure)

    def _end(self, call: Call, why: str) -> None:
        """End a call from outside of its handler."""
        session, task = self._live.get(call), self._tasks.get(call)
        if not isinstance(session, FastAGI) or task is None:
            return
        self._aborted.add(call)
        if call.request is None:
            task.cancel()  # it waits for its turn
            return
        self._do(session.close(why))

    async def _end_idle_calls(self, limit: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(limit / 4, 60.0))
            now = loop.time()
            for call, session in list(self._live.items()):
                if not isinstance(session, FastAGI) or call in self._aborted:
                    continue
                since = session.idle_since
                if since is not None and call.request is not None and now - since > limit:
                    _log.warning("%r has had no command for %g seconds: it ends", call, limit)
                    self._end(call, f"no command came for {limit:g} seconds")


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether an exception is the wish to end this task, and not one of the handler's own."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, turns: Turns) -> Generator[None, None, None]:
    """Have signals handled by the loop."""
    numbers = ENDING if RELOADING is None else (*ENDING, RELOADING)
    handled: list[int] = []
    try:
        for number in numbers:
            loop.add_signal_handler(number, turns.take, number)
            handled.append(number)
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
