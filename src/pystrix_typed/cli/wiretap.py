"""Listening in on one FastAGI call: a relay between the exchange and the server.

It passes every byte on as it comes and keeps the lines. A line is kept before it is passed on, so
whoever has seen its effect finds it here: after `execute` has returned, the command and its reply
are both on record.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Heard", "Wiretap"]

_CHUNK = 65_536


class Heard(NamedTuple):
    """One line of the dialogue."""

    from_exchange: bool
    text: str


class Wiretap:
    """Relays one call to a FastAGI server.

    Args:
        server: Where the server listens.

    Attributes:
        address: Where the exchange is to call instead.
        commands: The commands that were sent to the exchange, in order; None when the call is over.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.commands: SimpleQueue[str | None] = SimpleQueue()
        self._server = server
        self._heard: list[Heard] = []
        self._lock = threading.Lock()
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._relay, name="wiretap", daemon=True)
        self._thread.start()

    def take(self) -> list[Heard]:
        """Give what was said since the last time."""
        with self._lock:
            heard, self._heard = self._heard, []
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        # A connection of one's own ends the wait for a call that never came.
        self._closing = True
        with contextlib.suppress(OSError), socket.create_connection(self.address, 1):
            pass
        self._thread.join(1)
        self._listener.close()

    def _relay(self) -> None:
        exchange, _ = self._listener.accept()
        if self._closing:
            exchange.close()
            return
        with exchange, socket.create_connection(self._server) as server:
            commands = threading.Thread(target=self._pass, args=(server, exchange), daemon=True)
            commands.start()
            self._pass(exchange, server, from_exchange=True)
            commands.join()

    def _pass(
        self, source: socket.socket, sink: socket.socket, *, from_exchange: bool = False
    ) -> None:
        """Pass on what one side says, until it has no more to say."""
        rest = b""
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._keep(from_exchange, line.decode("utf-8", "backslashreplace"))
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        if not from_exchange:
            self.commands.put(None)

    def _keep(self, from_exchange: bool, text: str) -> None:
        with self._lock:
            self._heard.append(Heard(from_exchange, text))
        if not from_exchange:
            self.commands.put(text)
