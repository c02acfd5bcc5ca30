"""Where a blocking server accepts calls: one thread waits for them all.

A connection is handed on once its variables have come. Until then it costs a descriptor and a few
hundred bytes, so that nobody who connects and says nothing, or only drop by drop, keeps a thread
from a call.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
from time import monotonic
from typing import TYPE_CHECKING

from pystrix_typed.agi.exceptions import AGIProtocolError
from pystrix_typed.agi.handshake import FRESH, Handshake, peer_of
from pystrix_typed.agi.observing import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from pystrix_typed.agi.limits import Limits
    from pystrix_typed.agi.observing import Observers, Peer

__all__ = ["LONGEST_WAIT", "Reception"]

_log = logging.getLogger("pystrix_typed.agi.server")

#: Seconds to let go by when no connection can be accepted (no descriptors left, say): the
#: listener stays readable meanwhile, and trying at once again would burn the processor.
_PAUSE = 0.1
#: Seconds to wait at a time, whatever there is to wait for: systems count these in few bits.
LONGEST_WAIT = 3600.0
_AT_ONCE = 64
_CHUNK = 65_536


class _Arrival:
    """A connection whose variables are not all there yet."""

    __slots__ = ("call", "connection", "handshake", "until")

    def __init__(self, connection: socket.socket, peer: Peer, limits: Limits) -> None:
        self.call = Call(peer)
        self.connection = connection
        self.handshake = Handshake(peer, limits)
        seconds = limits.handshake_timeout
        self.until = None if seconds is None else self.call.started + seconds


class Reception:
    """Accepts connections, and reads their variables.

    Only one thread may call it, `wake` and `give` apart.

    Args:
        limits: What peers may take.
        observers: Are told of connections, refusals, and ends.
        begin: Called with each call: the connection, and what was read from it.
    """

    def __init__(
        self,
        limits: Limits,
        observers: Observers,
        begin: Callable[[Call, socket.socket, bytes], object],
    ) -> None:
        self._limits = limits
        self._observers = observers
        self._begin = begin
        # In the order of their deadlines, which all are equally far from their beginnings.
        self._arrivals: dict[socket.socket, _Arrival] = {}
        self._given: list[socket.socket] = []
        #: Connections to accept before looking at the others again.
        self.at_once = _AT_ONCE
        self._listener: socket.socket | None = None
        self._resume_at = 0.0
        self._selector: selectors.BaseSelector = selectors.SelectSelector()
        self._waker: socket.socket | None = None
        self._woken: socket.socket | None = None

    def open(self) -> None:
        """Begin; twice does no harm."""
        if self._waker is None:
            self._selector = selectors.DefaultSelector()
            self._waker, self._woken = socket.socketpair()
            self._waker.setblocking(False)
            self._woken.setblocking(False)
            self._selector.register(self._woken, selectors.EVENT_READ)

    @property
    def arrivals(self) -> int:
        """How many connections have not sent their variables yet."""
        return len(self._arrivals) + len(self._given)

    @property
    def is_open(self) -> bool:
        """Whether `step` can be called."""
        return self._waker is not None and self._waker.fileno() >= 0

    @property
    def wakeup(self) -> int:
        """The descriptor that has `step` return when something is written to it."""
        return -1 if self._waker is None else self._waker.fileno()

    def wake(self) -> None:
        """Have `step` return."""
        waker = self._waker
        if waker is not None:
            with contextlib.suppress(OSError):  # it will anyway, or was closed
                waker.send(b".")

    def give(self, connection: socket.socket) -> None:
        """Take a connection that somebody else has accepted."""
        self._given.append(connection)
        self.wake()

    def watch(self, listener: socket.socket | None) -> None:
        """Accept what connects to a listening socket from now on; None: nothing."""
        if listener is not self._listener:
            if self._listener is not None and not self._resume_at:
                self._selector.unregister(self._listener)
            self._resume_at = 0.0
            self._listener = listener
            if listener is not None:
                self._selector.register(listener, selectors.EVENT_READ)

    def fresh(self, now: float) -> int:
        """Give how many connections have just come, and are likely to be calls."""
        count = 0
        for arrival in reversed(self._arrivals.values()):
            if now - arrival.call.started > FRESH:
                break
            count += 1
        return count

    def unwatch(self, listener: socket.socket) -> None:
        """Accept nothing more of a listening socket, if it is the one."""
        if self._listener is listener:
            self.watch(None)

    def step(self, until: float | None) -> int:
        """Wait for something to happen until a moment at most; give how many calls began."""
        began = 0
        woken = self._woken
        assert woken is not None, "open it first"
        for key, _ in self._selector.select(self._patience(until)):
            if key.fileobj is woken:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(_CHUNK)
            elif key.fileobj is self._listener:
                self.accept(self.at_once)
            else:
                began += self._read(key.data)
        while self._given:
            connection = self._given.pop(0)
            with contextlib.suppress(OSError):  # it is gone already
                self._arrive(connection, connection.getpeername())
        now = monotonic()
        if self._resume_at and now >= self._resume_at and self._listener is not None:
            self._resume_at = 0.0
            self._selector.register(self._listener, selectors.EVENT_READ)
        self._give_up(now)
        return began

    def _patience(self, until: float | None) -> float | None:
        """Give for how many seconds nothing has to be done."""
        moments = [] if until is None else [until]
        if self._arrivals:
            first = next(iter(self._arrivals.values())).until
            if first is not None:
                moments.append(first)
        if self._resume_at:
            moments.append(self._resume_at)
        return min(max(0.0, min(moments) - monotonic()), LONGEST_WAIT) if moments else None

    def accept(self, most: int) -> bool:
        """Accept connections that are there; tell whether there were fewer than `most`."""
        assert self._listener is not None
        for _ in range(most):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return True
            except ConnectionError:
                continue  # that peer is gone already
            except OSError as error:
                _log.error("cannot accept a call: %s", error)
                if not self._resume_at:
                    self._selector.unregister(self._listener)
                    self._resume_at = monotonic() + _PAUSE
                return True
            with contextlib.suppress(OSError):  # it is gone already
                self._arrive(connection, address)
        return False

    def accept_all(self) -> None:
        """Accept what the system has completed, before the listening socket is closed."""
        while not self.accept(_AT_ONCE):
            pass

    def _arrive(self, connection: socket.socket, address: object) -> None:
        peer = peer_of(address)
        if not self._limits.admits(peer.host):
            connection.close()
            self._refuse(peer)
            return
        try:
            self._limits.prepare(connection)
            arrival = _Arrival(connection, peer, self._limits)
            self._selector.register(connection, selectors.EVENT_READ, arrival)
        except OSError:
            connection.close()
            raise
        self._arrivals[connection] = arrival
        self._observers.connected(arrival.call)
        if len(self._arrivals) > self._limits.max_handshakes:
            self._fail(
                next(iter(self._arrivals.values())),
                AGIProtocolError("it sent no variables, and others came"),
            )

    def _refuse(self, peer: Peer) -> None:
        self._observers.refused(peer, "network")

    def _read(self, arrival: _Arrival) -> int:
        """Read from a connection; tell (1 or 0) whether it became a call."""
        if arrival.connection.fileno() < 0:
            return 0  # given up a moment ago
        handshake = arrival.handshake
        try:
            data = arrival.connection.recv(_CHUNK)
            if not data:
                self._fail(arrival, None)
                return 0
            whole = handshake.feed(data)
        except PermissionError:
            self._fail(arrival, None)
            self._refuse(handshake.peer)
            return 0
        except (AGIProtocolError, OSError) as error:
            self._fail(arrival, error)
            return 0
        arrival.call.peer = handshake.peer
        if not whole:
            return 0
        self._forget(arrival)
        self._begin(arrival.call, arrival.connection, bytes(handshake.received))
        return 1

    def _forget(self, arrival: _Arrival) -> None:
        del self._arrivals[arrival.connection]
        self._selector.unregister(arrival.connection)

    def _fail(self, arrival: _Arrival, error: Exception | None) -> None:
        """Close a connection that does not become a call."""
        self._forget(arrival)
        arrival.connection.close()
        call = arrival.call
        call.outcome, call.error = "handshake", error
        call.ended = monotonic()
        self._observers.ended(call)

    def _give_up(self, now: float) -> None:
        """Close what has taken too long."""
        while self._arrivals:
            first = next(iter(self._arrivals.values()))
            if first.until is None or first.until > now:
                return
            self._fail(first, TimeoutError("its variables did not come in time"))

    def turn_out(self) -> None:
        """Close every connection that is no call yet."""
        while self._given:
            self._given.pop().close()
        while self._arrivals:
            self._fail(next(iter(self._arrivals.values())), None)

    def close(self) -> None:
        """End: nothing is accepted or read any more. The listening socket stays as it is."""
        self.turn_out()
        self._selector.close()
        for end in (self._waker, self._woken):
            if end is not None:
                end.close()
