"""The blocking session over TCP."""

from __future__ import annotations

import sys

from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.session import CHUNK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from datetime import timedelta

__all__ = ["FastAGI"]

# Of Linux (asm-generic/socket.h, linux/sock_diag.h): first the memory that what was received and
# not read takes, the end of the stream included. Not so for Unix sockets, where the sender has it.
_SOL_SOCKET = 1
_SO_MEMINFO = 55
_NOTHING = bytes(4)
# Of Linux (linux/tcp.h): the state is its first byte.
_IPPROTO_TCP = 6
_TCP_INFO = 11
_ESTABLISHED = b"\1"


class FastAGI(Session):
    """The session of one FastAGI connection; `FastAGIServer` makes one for each call.

    Args:
        connection: A connected socket; the session owns it from here on, and closes it.
        debug: Write the dialogue to stderr.
        timeout: The deadline of a command in seconds (or a `timedelta`), unless `execute` names
            another; None for none.
        handshake_timeout: Seconds to wait for the variables at the start.
        resync_timeout: Seconds that an abandoned command may take to end before the session is
            given up.
        verify_values: Ask Asterisk to prove the end of every value, at one round trip each.
        max_environment: Bytes that the variables may take.
        max_reply: Bytes that one reply may take.
        received: What was read from the connection already: the variables whole, or nothing.

    Raises:
        AGITimeoutError: No variables came in time.
        AGIProtocolError: What came is not AGI.
        AGISIGPIPEHangup: The connection ended before the variables did.
    """

    _is_counted = False
    _arrivals: Callable[[int], list[tuple[int, int]]] | None = None

    def __init__(
        self,
        connection: socket.socket,
        debug: bool = False,
        *,
        timeout: float | timedelta | None = None,
        handshake_timeout: float | None = 30.0,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        max_environment: int = 65_536,
        max_reply: int = 1_048_576,
        received: bytes = b"",
    ) -> None:
        connection.setblocking(True)
        self._connection = connection
        import select
        import socket

        inet = connection.family in (socket.AF_INET, socket.AF_INET6)
        self._is_counted = inet and sys.platform == "linux"
        if not self._is_counted and hasattr(select, "poll"):  # not on Windows
            arrivals = select.poll()
            arrivals.register(connection, select.POLLIN)
            self._arrivals = arrivals.poll
        protocol = Protocol(
            resync_timeout=resync_timeout,
            verify_values=verify_values,
            max_environment=max_environment,
            max_reply=max_reply,
        )
        super().__init__(protocol, timeout, handshake_timeout, debug, received)

    def _disconnect(self) -> None:
        if self._turn.taken:
            # Closing alone would leave the thread that is executing a command waiting.
            import contextlib
            import socket

            with contextlib.suppress(OSError):  # the peer was quicker
                self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _send(self, data: bytes) -> Iterable[int]:
        return map(self._connection.send, (data,))

    def _receive(self) -> bytes:
        return self._connection.recv(CHUNK)

    def _has_arrived(self) -> bool:
        if self._is_counted:
            # poll() would tell this, too, but it lets go of the interpreter, and a thousand threads
            # would queue for that once more with each command.
            try:
                return self._connection.getsockopt(_SOL_SOCKET, _SO_MEMINFO, 4) != _NOTHING
            except OSError:
                return True  # closed by another thread, or no such option: reading tells
        return self._arrivals is None or bool(self._arrivals(0))

    def _arrived(self) -> bytes | None:
        if self._is_counted and not self._has_arrived() and self._is_established():
            return None
        return super()._arrived()

    def _is_established(self) -> bool:
        try:
            return self._connection.getsockopt(_IPPROTO_TCP, _TCP_INFO, 1) == _ESTABLISHED
        except OSError:
            return False

    def _fileno(self) -> int:
        return self._connection.fileno()
