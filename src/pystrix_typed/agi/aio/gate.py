"""How an asyncio server opens its port, and leaves it without losing a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi.aio.accepting import Acceptor
from pystrix_typed.agi.listening import SETTLE, hear_again, turn_deaf

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from pystrix_typed.agi.port import Port

__all__ = ["Gate"]


class Gate:
    """Accepts what connects to the port, or not; from the loop's thread only.

    Args:
        port: The port.
        backlog: Connections that wait to be accepted.
        take: Called with each connection.
        has_room: Tells whether one more connection would be served at once.
        changed: Called when the port was left.
    """

    def __init__(
        self,
        port: Port,
        backlog: int,
        take: Callable[[socket.socket], object],
        has_room: Callable[[], bool],
        changed: Callable[[], object],
    ) -> None:
        self._port = port
        self._backlog = backlog
        self._take = take
        self._has_room = has_room
        self._changed = changed
        self._acceptor: Acceptor | None = None
        #: What closes the port in a moment; None while it is open, or closed.
        self._leaving: asyncio.TimerHandle | None = None

    @property
    def is_leaving(self) -> bool:
        """Whether the port is about to close."""
        return self._leaving is not None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen and accept.

        Raises:
            OSError: The address is taken, say.
        """
        port = self._port
        if not port.adopted:
            port.bind(self._backlog)
        if port.listener is None:
            return  # whoever owns the socket gives it again
        if self._leaving is not None:
            self._stay()
            hear_again(port.listener)
        else:
            has_room = self._has_room if port.adopted else None
            self._acceptor = Acceptor(loop, port.listener, self._take, has_room)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop listening, as soon as that loses no call."""
        if self._port.adopted:
            self._stop_accepting()  # others accept what waits there
        elif self._port.listener is not None and self._leaving is None:
            if turn_deaf(self._port.listener):
                self._leaving = loop.call_later(SETTLE, self.stop_listening)
            else:
                self.stop_listening()

    def stop_listening(self) -> None:
        """Close the listening socket, behind the last connection that the system completed."""
        self._stay()
        listener, acceptor = self._port.listener, self._acceptor
        if listener is None or self._port.adopted:
            return
        self._port.listener = None
        if acceptor is not None:
            acceptor.accept_all()
            self._stop_accepting()
        listener.close()
        self._changed()

    def release(self) -> None:
        """Give up the listening socket."""
        self._stop_accepting()
        if self._port.listener is not None:
            self._port.listener.close()
            self._port.listener = None

    def close(self) -> None:
        """Close the port for good, at once."""
        self._stay()
        self._stop_accepting()
        self._port.close()

    def _stay(self) -> None:
        """Do not close the port in a moment."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _stop_accepting(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
            self._acceptor = None
