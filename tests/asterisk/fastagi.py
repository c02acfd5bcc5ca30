"""The program's side of FastAGI in bare lines: what the tests of the fixtures need, and no more.

`Listener.accept` gives the bare socket too, to put the runtime under test on it.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["LineSession", "Listener"]

PATIENCE = 5.0


class Listener:
    """A socket on the loopback interface that Asterisk connects to.

    Attributes:
        url: What to give to ``AGI()``, as in ``agi://127.0.0.1:40123``; append a path at will.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self.url = f"agi://127.0.0.1:{self._socket.getsockname()[1]}"

    def accept(self) -> socket.socket:
        """Take the next connection; the caller closes it."""
        connection, _address = self._socket.accept()
        connection.settimeout(PATIENCE)
        return connection

    @contextlib.contextmanager
    def session(self) -> Generator[LineSession, None, None]:
        """Take the next connection and read the environment; it is closed at the end."""
        with contextlib.closing(LineSession(self.accept())) as session:
            yield session

    def __enter__(self) -> Self:
        """Return the listener itself; it listens already."""
        return self

    def __exit__(self, *_details: object) -> None:
        """Stop listening."""
        self._socket.close()


class LineSession:
    """One AGI session, a line at a time.

    Attributes:
        environment: What Asterisk sent first, by name.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self.environment: dict[str, str] = {}
        while line := self.read():
            name, _colon, value = line.partition(":")
            self.environment[name] = value.strip()

    def read(self) -> str:
        """Read a line; empty at the end of the environment and of the session."""
        return self._lines.readline().decode().rstrip("\n")

    def write(self, command: str) -> None:
        """Send a command."""
        self._connection.sendall(f"{command}\n".encode())

    def ask(self, command: str) -> str:
        """Send a command and read a line."""
        self.write(command)
        return self.read()

    def close(self) -> None:
        """End the session."""
        self._lines.close()
        self._connection.close()
