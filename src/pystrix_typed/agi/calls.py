"""The calls of a server: which there are, what each asks for, and how it ends."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pystrix_typed.agi.routing import Request, Route, Router, request_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from pystrix_typed.agi.core.environment import Environment
    from pystrix_typed.agi.logs import CallLog
    from pystrix_typed.agi.observing import Call, CommandEvent, Observers

__all__ = ["Calls", "ServedSession", "look_every"]


class ServedSession(Protocol):
    """What a server asks of a session, blocking or not."""

    on_command: Callable[[CommandEvent], object] | None

    @property
    def trace(self) -> Callable[[bool, bytes], object] | None:
        """Called with each piece of the dialogue, and whether it was sent."""
        ...

    @trace.setter
    def trace(self, trace: Callable[[bool, bytes], object] | None) -> None: ...

    @property
    def environment(self) -> Environment:
        """The call's variables."""
        ...

    @property
    def idle_since(self) -> float | None:
        """When the last command ended; None while one is under way."""
        ...


S = TypeVar("S", bound=ServedSession)
T = TypeVar("T")


def look_every(limit: float) -> float:
    """Give the seconds between two looks for calls that were idle for `limit` seconds."""
    return min(limit / 4, 60.0)


class Calls(Generic[S, T]):
    """The calls under way, whose owner this is; whoever runs them enters and removes them.

    Args:
        router: Knows the handlers.
        observers: See the calls.
        log: Logs what may hold what callers keyed in.
        on_command: Called with a call and each command of it that has ended.

    Attributes:
        lock: To hold while `live` and `aborted` change, where there are several threads.
        live: The calls, the oldest first. Those that wait for a thread have no session yet.
        aborted: Those of them that the server has ended.
        log: See above.
    """

    def __init__(
        self,
        router: Router[S, T],
        observers: Observers,
        log: CallLog,
        on_command: Callable[[Call, CommandEvent], object] | None,
    ) -> None:
        self._router = router
        self._observers = observers
        self._on_command = on_command
        self.log: CallLog = log
        # A signal handler may ask for the calls in the middle of anything.
        self.lock: threading.RLock = threading.RLock()
        self.live: dict[Call, S | socket.socket] = {}
        self.aborted: set[Call] = set()

    def __len__(self) -> int:
        return len(self.live)

    @property
    def all(self) -> tuple[Call, ...]:
        """The calls under way and those that wait for their turn, the oldest first."""
        with self.lock:
            return tuple(self.live)

    def start(self, call: Call, session: S) -> tuple[Request, Route[S, T] | None]:
        """Find out what a call asks for, and who handles it, and have it seen from now on."""
        environment = session.environment
        request = request_of(environment, call.peer)
        route, match = self._router.find(request.path)
        if match is not None:
            request = Request(
                request.path, request.query, request.arguments, call.peer, match, environment
            )
        if route is not None and route.pattern is not None:
            call.pattern = route.pattern.pattern
        call.request = request
        session.on_command = self._observers.commands_of(call, self._on_command)
        session.trace = self._wire(call, session.trace)
        self._observers.started(call)
        return request, route

    def _wire(
        self, call: Call, shown: Callable[[bool, bytes], object] | None
    ) -> Callable[[bool, bytes], object] | None:
        """Give what a session tells its bytes to, `shown` included; None when nobody asks."""
        observers = self._observers
        if not observers.see_wire:
            return shown

        def tell(sent: bool, data: bytes) -> None:
            if shown is not None:
                shown(sent, data)
            observers.wire(call, sent, data)

        return tell

    def aborted_or(self, call: Call, outcome: str) -> str:
        """Give how a call ended: by the server, whatever came of that, or with `outcome`."""
        return "aborted" if call in self.aborted else outcome

    def note_end(self, call: Call, outcome: str, error: BaseException | None) -> None:
        """Take note of a call's end, and have it seen."""
        call.ended = monotonic()
        call.outcome, call.error = outcome, error
        self._observers.ended(call)

    def idle(self, kind: type[S], limit: float, now: float) -> Iterator[Call]:
        """Give the calls whose handlers have had no command for more than `limit` seconds."""
        for call, session in list(self.live.items()):
            if isinstance(session, kind) and call not in self.aborted:
                since = session.idle_since
                if since is not None and call.request is not None and now - since > limit:
                    yield call
