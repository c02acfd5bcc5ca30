"""The asyncio session over TCP."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from pystrix_typed.agi.aio.link import Link
from pystrix_typed.agi.aio.session import Session
from pystrix_typed.agi.protocol import Protocol

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["FastAGI"]


class FastAGI(Session):
    """The session of one FastAGI connection.

    Args:
        connection: A connected socket, or the transport of one; the session owns it from here on,
            and closes it.
        debug: Write the dialogue to stderr.
        timeout: The deadline of a command in seconds (or a `timedelta`), unless `execute` names
            another; None for none.
        handshake_timeout: Seconds to wait for the variables at the start.
        resync_timeout: Seconds that an abandoned command may take to end before the session is
            given up.
        verify_values: Ask Asterisk to prove the end of every value, at one round trip each.
        max_environment: Bytes that the variables may take.
        max_reply: Bytes that one reply may take.
        received: What came from a transport already: the variables whole.
    """

    def __init__(
        self,
        connection: socket.socket | asyncio.Transport,
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
        protocol = Protocol(
            resync_timeout=resync_timeout,
            verify_values=verify_values,
            max_environment=max_environment,
            max_reply=max_reply,
        )
        super().__init__(protocol, timeout, handshake_timeout, debug)
        self._connection: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        if isinstance(connection, socket.socket):
            self._connection = connection
            return
        # Of whatever class: uvloop's transports have no base in asyncio.
        self._transport = connection
        self._link = Link(protocol)
        self._link.trace = self._trace
        # From here on no byte goes elsewhere.
        connection.set_protocol(self._link)
        protocol.now = asyncio.get_running_loop().time()
        self._variables = protocol.started(received)

    async def _connect(self) -> Link:
        assert self._connection is not None
        self._connection.setblocking(False)
        loop = asyncio.get_running_loop()
        link = Link(self._protocol)
        # The variables may come before this returns (uvloop): they are for the exchange to come.
        link.busy = True
        transport, _ = await loop.connect_accepted_socket(lambda: link, self._connection)
        self._transport = transport
        return link

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def _disconnect(self) -> None:
        if self._transport is not None and self._link is not None:
            self._transport.close()
            await self._link.closed
        elif self._connection is not None:
            self._connection.close()
