"""How a blocking server opens its port, and leaves it without losing a call."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from pystrix_typed.agi.listening import SETTLE, hear_again, turn_deaf

if TYPE_CHECKING:
    import socket

    from pystrix_typed.agi.port import Port
    from pystrix_typed.agi.reception import Reception

__all__ = ["Gate"]


class Gate:
    """Has the reception accept what connects to the port, or not.

    Only one thread may call it (that which serves, if one does), `release` apart.

    Args:
        port: The port.
        reception: Accepts.
        backlog: Connections that wait to be accepted.

    Attributes:
        leave_at: When to call `stop_listening`; 0 while the port stays open, or closed.
    """

    def __init__(self, port: Port, reception: Reception, backlog: int) -> None:
        self._port = port
        self._reception = reception
        self._backlog = backlog
        self.leave_at: float = 0.0
        #: Given up, and yet to be closed by the thread that serves.
        self._released: list[tuple[socket.socket, threading.Event]] = []

    def reopen(self) -> None:
        """Listen again.

        Raises:
            OSError: The address is taken, say.
        """
        if self.leave_at and self._port.listener is not None:
            self.leave_at = 0.0
            hear_again(self._port.listener)
        if not self._port.adopted:
            self._port.bind(self._backlog)

    def leave(self) -> None:
        """Stop listening, as soon as that loses no call."""
        port = self._port
        if port.adopted:
            self._reception.watch(None)  # others accept what waits there
        elif port.listener is not None and not self.leave_at:
            if turn_deaf(port.listener) and self._reception.is_open:
                self.leave_at = monotonic() + SETTLE
            else:
                self.stop_listening()

    def stop_listening(self) -> None:
        """Close the listening socket, behind the last connection that the system completed."""
        self.leave_at = 0.0
        if self._port.listener is None or self._port.adopted:
            return
        listener, self._port.listener = self._port.listener, None
        self._reception.watch(listener)
        self._reception.accept_all()
        self._reception.watch(None)
        listener.close()

    def release(self) -> threading.Event | None:
        """Give up the listening socket; give what is set once it is closed, None without one."""
        with self._port.lock:
            listener, self._port.listener = self._port.listener, None
            if listener is None:
                return None
            closed = threading.Event()
            self._released.append((listener, closed))
            return closed

    def close_released(self) -> None:
        """Close what was given up."""
        while self._released:
            listener, closed = self._released.pop()
            self._reception.unwatch(listener)
            listener.close()
            closed.set()

    def close(self) -> None:
        """Close the port for good, at once."""
        with self._port.lock:
            self.close_released()
            self._reception.watch(None)
            self._port.close()
