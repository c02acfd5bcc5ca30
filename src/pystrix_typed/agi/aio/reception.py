"""Where an asyncio server accepts calls: connections whose variables are not all there yet."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, cast

from pystrix_typed.agi.exceptions import AGIProtocolError
from pystrix_typed.agi.handshake import FRESH, Handshake, peer_of
from pystrix_typed.agi.observing import Call

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pystrix_typed.agi.limits import Limits
    from pystrix_typed.agi.observing import Observers, Peer

__all__ = ["Door", "Reception"]

_log = logging.getLogger("pystrix_typed.agi.server")


class Reception:
    """Reads the variables of connections, and hands on those that become calls.

    Args:
        limits: What peers may take.
        observers: Are told of connections, refusals, and ends.
        begin: Called with each call: its transport, and what came from it.
        changed: Called when a connection is no arrival any more.
    """

    def __init__(
        self,
        limits: Limits,
        observers: Observers,
        begin: Callable[[Call, asyncio.Transport, bytes], object],
        changed: Callable[[], object],
    ) -> None:
        self.limits = limits
        self.observers = observers
        self.begin = begin
        self.changed = changed
        #: In the order of their arrival.
        self.arrivals: dict[Door, None] = {}

    def door(self) -> Door:
        """Make the protocol of one connection."""
        return Door(self)

    def fresh(self) -> int:
        """Give how many connections have just come, and are likely to be calls."""
        now = monotonic()
        return sum(1 for door in self.arrivals if now - door.since <= FRESH)

    def turn_out(self) -> None:
        """Close every connection that is no call yet."""
        for door in list(self.arrivals):
            door.fail(None)


class Door(asyncio.Protocol):
    """One connection, until its variables are there."""

    __slots__ = ("_call", "_handshake", "_reception", "_timer", "_transport")

    _call: Call
    _handshake: Handshake
    _transport: asyncio.Transport

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look who it is."""
        self._transport = cast("asyncio.Transport", transport)
        reception = self._reception
        peer = peer_of(transport.get_extra_info("peername"))
        if not reception.limits.admits(peer.host):
            self._refuse(peer)
            return
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            try:
                reception.limits.prepare(connection)
            except OSError:  # it is gone already
                self._transport.abort()
                return
        self._call = Call(peer)
        self._handshake = Handshake(peer, reception.limits)
        reception.arrivals[self] = None
        reception.observers.connected(self._call)
        seconds = reception.limits.handshake_timeout
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._give_up)
        if len(reception.arrivals) > reception.limits.max_handshakes:
            first = next(iter(reception.arrivals))
            first.fail(AGIProtocolError("it sent no variables, and others came"))

    @property
    def since(self) -> float:
        """When it was accepted, on the clock of `time.monotonic`."""
        return self._call.started

    def _refuse(self, peer: Peer) -> None:
        _log.debug("%s is not among the allowed networks", peer)
        self._transport.abort()
        self._reception.observers.refused(peer, "network")

    def _give_up(self) -> None:
        self.fail(TimeoutError("its variables did not come in time"))

    def data_received(self, data: bytes) -> None:
        """Collect the variables."""
        if self not in self._reception.arrivals:
            return
        handshake = self._handshake
        try:
            whole = handshake.feed(data)
        except PermissionError:
            self.fail(None)
            self._refuse(handshake.peer)
            return
        except AGIProtocolError as error:
            self.fail(error)
            return
        self._call.peer = handshake.peer
        if whole:
            self._leave()
            self._reception.begin(self._call, self._transport, bytes(handshake.received))
            self._reception.changed()

    def eof_received(self) -> bool:
        """Have the transport closed: the peer has left."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of a peer that has left."""
        self.fail(exc)

    def _leave(self) -> None:
        del self._reception.arrivals[self]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fail(self, error: Exception | None) -> None:
        """Close a connection that does not become a call; one that is none any more stays."""
        if self not in self._reception.arrivals:
            return
        self._leave()
        self._transport.abort()
        call = self._call
        call.outcome, call.error = "handshake", error
        call.ended = monotonic()
        _log.debug("%s did not become a call: %s", call.peer, error or "it has left")
        self._reception.observers.ended(call)
        self._reception.changed()
