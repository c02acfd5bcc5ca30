"""What the blocking and the asyncio server share: address, handlers, limits, state, the log."""

from __future__ import annotations

import importlib
import logging
import threading
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from pystrix_typed.agi import core, handlers
from pystrix_typed.agi.calls import Calls, ServedSession
from pystrix_typed.agi.logs import CallLog
from pystrix_typed.agi.observing import Observers
from pystrix_typed.agi.options import check_address, check_hook, observers_of
from pystrix_typed.agi.port import Port
from pystrix_typed.agi.routing import Request, Route, Router, pattern_of

if TYPE_CHECKING:
    import re
    import socket
    from collections.abc import Callable, Iterable

    from pystrix_typed.agi.limits import Limits
    from pystrix_typed.agi.observing import Call, CommandEvent, Observer

__all__ = ["Service", "State"]

_log = logging.getLogger("pystrix_typed.agi.server")

S = TypeVar("S", bound=ServedSession)
T = TypeVar("T")

#: ``idle`` before it serves, ``full`` when it takes no further call, ``draining`` while the last
#: calls go on, ``stopped`` at the end.
State: TypeAlias = Literal["idle", "serving", "full", "draining", "stopped"]


def _load_everything() -> None:
    """Import what a script imports late, to start fast: a server may run out of descriptors."""
    late = ("arguments", "core.results", "exceptions", "fields", "proxy", "replies", "versions")
    for module in late:
        importlib.import_module(f"pystrix_typed.agi.{module}")
    for module in ("contextlib", "dataclasses", "datetime", "inspect", "select", "urllib.parse"):
        importlib.import_module(module)
    for name in core.__all__:
        getattr(core, name)


class Service(Generic[S, T]):
    """A FastAGI server but for its way of waiting; `S` is its session, `T` what handlers return.

    Attributes:
        limits: What peers may take.
        verify_values: See `FastAGI`.
    """

    #: Whether what handlers give is awaited.
    _awaits: bool = False

    def __init__(
        self,
        interface: str,
        port: int,
        limits: Limits,
        verify_values: bool,
        observers: Iterable[Observer],
        on_command: Callable[[Call, CommandEvent], object] | None,
    ) -> None:
        check_address(interface, port)
        check_hook("on_command", on_command)
        _load_everything()
        self.limits: Limits = limits
        self.verify_values = verify_values
        self._port = Port(interface, port)
        self._router: Router[S, T] = Router()
        given = observers_of(observers)
        logs = [each for each in given if isinstance(each, CallLog)]
        #: Logs how calls ended, and whatever else may hold what callers keyed in.
        self._call_log = logs[0] if logs else CallLog()
        # Last, so that its records come while the others still know the call.
        self._observers = Observers(given if logs else (*given, self._call_log))
        self._calls: Calls[S, T] = Calls(self._router, self._observers, self._call_log, on_command)
        # A signal handler may shut the server down in the middle of anything.
        self._lock = threading.RLock()
        self._state: State = "idle"
        self._on_state: list[Callable[[State], object]] = []
        self._on_reload: list[Callable[[], object]] = []

    # ---- the address ----

    def bind(self) -> None:
        """Listen: from now on a call can connect, and waits until the server serves.

        Serving does this too. Doing it twice does no harm.

        Raises:
            OSError: The address is taken, or not one of this machine.
            RuntimeError: The server was shut down.
        """
        self._port.bind(self.limits.backlog)

    def adopt(self, listener: socket.socket | None) -> None:
        """Serve on a listening socket that belongs to somebody else: a master process, systemd.

        When the server is full it accepts no more, but the port goes on listening: whoever owns
        the socket has to see to that. It may be done while serving, after `release`.

        Args:
            listener: The socket, which the server closes in the end; None: it is adopted later.

        Raises:
            RuntimeError: The server listens already.
            TypeError: It is no socket.
        """
        self._port.adopt(listener)

    def observe(self, *observers: Observer) -> None:
        """Have more observers see the calls.

        Raises:
            RuntimeError: The server serves already.
            TypeError: One is none.
        """
        if self._state != "idle":
            raise RuntimeError("observers are added before the server serves")
        self._observers.add(observers_of(observers))

    @property
    def observers(self) -> tuple[Observer, ...]:
        """What sees the calls, the log of calls included."""
        return self._observers.all

    def configure(self, limits: Limits) -> None:
        """Serve within other limits.

        Raises:
            RuntimeError: The server serves already.
        """
        if self._state != "idle":
            raise RuntimeError("limits are set before the server serves")
        self.limits = limits
        self._arrange()

    def _arrange(self) -> None:
        """Make what depends on the limits."""
        raise NotImplementedError  # abstract

    @property
    def server_address(self) -> tuple[str, int]:
        """The address and the port that the server listens on, from now on at the latest."""
        if self._state == "idle":  # later on it may be closed on purpose
            self.bind()
        return self._port.address

    # ---- handlers ----

    def register_script_handler(
        self,
        regex: str | re.Pattern[str] | None,
        handler: Callable[[S, tuple[str, ...], dict[str, list[str]], re.Match[str] | None, str], T]
        | None,
    ) -> None:
        """Have `handler` called for the calls whose path matches.

        Handlers are tried in the order of their registration, matching at the start of the path,
        so the more specific ones go first. A pattern that is registered already keeps its handler.
        `script` is the shorter way, with a typed request.

        Args:
            regex: A pattern for the path, without its leading slash and query; None registers the
                handler for paths that nothing matches.
            handler: Called with the session, the positional arguments of ``AGI()``, the query's
                values by key (a list each), the match (None for the default handler) and the
                path. None, for the default handler, means that there is none.

        Raises:
            re.error: The pattern is no regular expression.
            TypeError: The handler cannot be called, or is not of the kind that this server runs; or
                the pattern is not for texts.
        """
        if handler is None:
            if regex is not None:
                raise TypeError(f"the handler for {regex!r} must be callable, not None")
            self._router.remove(None)
            return
        handlers.check(regex, handler, awaited=self._awaits)

        def run(session: S, request: Request) -> T:
            return handler(
                session, request.arguments, request.query.lists(), request.match, request.path
            )

        if not self._router.add(Route(pattern_of(regex), False, handler, run)):
            _log.warning("the pattern %r is registered already; it keeps its handler", regex)

    def _add_script(
        self, pattern: str | re.Pattern[str] | None, handler: Callable[[S, Request], T]
    ) -> None:
        handlers.check(pattern, handler, awaited=self._awaits)
        if not self._router.add(Route(pattern_of(pattern), True, handler, handler)):
            raise ValueError(f"the pattern {pattern!r} has a handler already")

    def unregister_script_handler(self, regex: str | re.Pattern[str] | None) -> None:
        """Forget the handler of a pattern (None: the default one); unknown ones do no harm."""
        self._router.remove(regex)

    def clear_script_handlers(self) -> None:
        """Forget every handler but the default one."""
        self._router.clear()

    def get_script_handler(self, script_path: str) -> tuple[object | None, re.Match[str] | None]:
        """Give the handler for a path and the match; the default one (or None) has no match."""
        route, match = self._router.find(script_path)
        return (None if route is None else route.handler), match

    # ---- calls ----

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls under way and those that wait for their turn, the oldest first."""
        return self._calls.all

    @property
    def state(self) -> State:
        """What the server is doing."""
        return self._state

    @property
    def ready(self) -> bool:
        """Whether it takes the next call: serving, and not full."""
        return self._state == "serving"

    def on_state(self, callback: Callable[[State], object]) -> None:
        """Call `callback` with every new state; what it raises is logged."""
        self._on_state.append(callback)

    def on_reload(self, callback: Callable[[], object]) -> None:
        """Call `callback` when SIGHUP asks for it, to read a configuration again, say.

        What it raises is logged. Signals are handled by ``serve_forever(signals=True)``.
        """
        self._on_reload.append(callback)

    def _reload(self) -> None:
        _log.info("SIGHUP: %d reload callbacks", len(self._on_reload))
        for callback in self._on_reload:
            try:
                callback()
            except Exception:  # noqa: BLE001 - the server goes on whatever is raised
                _log.exception("%r failed", callback)

    def _change(self, state: State) -> None:
        with self._lock:
            if self._state in (state, "stopped"):
                return
            self._state = state
        self._observers.state(state)
        for callback in self._on_state:
            try:
                callback(state)
            except Exception:  # noqa: BLE001 - the server goes on whatever is raised
                _log.exception("%r failed", callback)

    def _now_full(self, calls: int) -> None:
        """Take note that no further call is taken, and the port was left."""
        if self._port.adopted:
            _log.warning(
                "full: %d calls; the listening socket is not this server's, so that further ones "
                "connect, and wait, unless another process takes them or closes it",
                calls,
            )
        else:
            _log.warning("full: %d calls; not listening until there is room", calls)
        self._change("full")

    def _full_no_more(self) -> None:
        """Take note that calls are taken again."""
        _log.info("not full any more: %d calls", len(self._calls))
        self._change("serving")
