"""The address of a server, and the socket that listens there, whosever it is."""

from __future__ import annotations

import socket
import threading
from typing import cast

from pystrix_typed.agi.options import check_listener

__all__ = ["Port", "name_of"]


def name_of(listener: socket.socket) -> tuple[str, int]:
    """Give the address that a socket is bound to; that of a Unix socket is a path and 0."""
    name: object = listener.getsockname()
    if isinstance(name, tuple):
        host, port, *_ = cast("tuple[str, int]", name)
        return host, port
    return str(name), 0


class Port:
    """Owns the listening socket; a server's gate accepts on it, and leaves it.

    Args:
        interface: The address.
        port: The TCP port; 0 for any free one.

    Attributes:
        address: The address and the port; those of the socket once there is one.
        listener: The socket; None before and after.
        adopted: Whether the socket is somebody else's, who may go on listening.
        lock: To hold while the socket is given up together with something else.
    """

    def __init__(self, interface: str, port: int) -> None:
        self.address: tuple[str, int] = (interface, port)
        self.listener: socket.socket | None = None
        self.adopted: bool = False
        # A signal handler may shut the server down in the middle of anything.
        self.lock: threading.RLock = threading.RLock()
        self._closed = False

    def bind(self, backlog: int) -> None:
        """Listen, unless the port does so or is somebody else's; see `Service.bind`."""
        with self.lock:
            if self.listener is None and not self.adopted:
                if self._closed:
                    raise RuntimeError("the server was shut down")
                self.listener = self._listen(backlog)
                # The port may have been 0: any free one. It stays the same from now on.
                self.address = name_of(self.listener)

    def _listen(self, backlog: int) -> socket.socket:
        interface, port = self.address
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        listener = socket.create_server((interface, port), family=family, backlog=backlog)
        listener.setblocking(False)
        return listener

    def adopt(self, listener: socket.socket | None) -> None:
        """Take over a listening socket; see `Service.adopt`."""
        check_listener(listener)
        with self.lock:
            if self.listener is not None:
                raise RuntimeError("the server listens already")
            self.adopted = True
            if listener is not None:
                listener.setblocking(False)
                self.listener = listener
                self.address = name_of(listener)

    def close(self) -> None:
        """Close the socket for good: nobody binds it again."""
        with self.lock:
            self._closed = True
            if self.listener is not None:
                self.listener.close()
                self.listener = None
