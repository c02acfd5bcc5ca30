"""The asyncio FastAGI server: a call is a task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, TypeVar

from pystrix_typed.agi.aio.fastagi import FastAGI
from pystrix_typed.agi.aio.gate import Gate
from pystrix_typed.agi.aio.reception import Reception
from pystrix_typed.agi.aio.running import Runner
from pystrix_typed.agi.observing import current_call
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
    from pystrix_typed.agi.observing import Call, CommandEvent, Observer
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
        self._runner = Runner(
            self._calls,
            self.limits.max_calls,
            self._session,
            self._on_error,
            self._do,
            self._calls_changed,
        )
        self._reception = Reception(
            self.limits, self._observers, self._runner.begin, self._changed.set
        )
        self._gate = Gate(
            self._port, self.limits.backlog, self._take, self._has_room, self._changed.set
        )

    def _session(self, transport: asyncio.Transport, received: bytes) -> FastAGI:
        return FastAGI(
            transport,
            self.debug,
            timeout=self.limits.command_timeout,
            verify_values=self.verify_values,
            max_environment=self.limits.max_environment,
            max_reply=self.limits.max_reply,
            received=received,
        )

    def _calls_changed(self) -> None:
        self._changed.set()
        self._look_for_room()

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
                self._gate.open(loop)
                self._change("serving")
                if self.limits.idle_timeout is not None:
                    watch = loop.create_task(self._runner.end_idle(self.limits.idle_timeout))
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
        elif current_call.get() not in self._calls.live:
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
        self._gate.release()

    def adopt(self, listener: socket.socket | None) -> None:
        """See `Service.adopt`; while serving, from the loop's thread only."""
        super().adopt(listener)
        if self._state == "serving" and self._loop is not None:
            self._gate.open(self._loop)

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

    def _has_room(self) -> bool:
        """Tell whether one more call would be served at once, if new connections become calls."""
        expected = len(self._calls) + self._reception.fresh() + len(self._chores)
        return expected < self.limits.accepted

    def _look_for_room(self) -> None:
        """Be full, or be so no more."""
        if self._state == "serving" and len(self._calls) >= self.limits.accepted:
            assert self._loop is not None
            self._gate.leave(self._loop)
            self._now_full(len(self._calls))
        elif (
            self._state == "full"
            and len(self._calls) < self.limits.accepted
            and not (self._opening or self._stopping.is_set())
        ):
            self._opening = True
            self._do(self._open())

    async def _open(self) -> None:
        """Take calls again."""
        assert self._loop is not None
        try:
            while not self._stopping.is_set():
                try:
                    self._gate.open(self._loop)
                except OSError as error:
                    _log.error("there is room, but the port cannot be opened again: %s", error)
                    await asyncio.sleep(1.0)
                    continue
                self._full_no_more()
                return
        finally:
            self._opening = False
            self._look_for_room()

    async def _drain(self) -> None:
        """Let the calls under way end, as far as they have time for it."""
        assert self._loop is not None
        if self._drain_until is None:
            return
        self._gate.leave(self._loop)
        self._change("draining")
        while self._calls.live or self._reception.arrivals or self._chores or self._gate.is_leaving:
            patience = self._drain_until - self._loop.time()
            if patience <= 0 or not await self._change_within(patience):
                break
        self._gate.stop_listening()
        self._reception.turn_out()
        await self._runner.end_all("the server shuts down")

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
        self._gate.close()
        self._reception.turn_out()
        self._change("stopped")
        self._done.set()


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
