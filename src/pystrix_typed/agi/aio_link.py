"""The end of a connection that an asyncio session holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pystrix_typed.agi.protocol import Protocol

__all__ = ["Link"]


class Link(asyncio.Protocol):
    """What arrives from Asterisk, kept until the exchange under way asks for it."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.inbox = bytearray()
        self.ended = False
        self.busy = False
        self.waiter: asyncio.Future[None] | None = None
        self.trace: Callable[[bool, bytes], object] | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Keep what came for the exchange under way, or tell the protocol."""
        if self.trace is not None:
            self.trace(False, data)
        if self.busy:
            self.inbox += data
            self.wake()
        else:
            self.protocol.received(data)

    def eof_received(self) -> bool:
        """Note the end, and have the transport closed."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note the end, whatever brought it."""
        self._end()
        if not self.closed.done():
            self.closed.set_result(None)

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            if self.busy:
                self.wake()
            else:
                self.protocol.received(b"")

    def wake(self) -> None:
        """Go on with the exchange that waits, if one does."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def read(self, until: float | None) -> bytes | None:
        """Give what comes, ``b""`` at the end of the stream, None when the moment passed."""
        if not self.inbox and not self.ended:
            loop = asyncio.get_running_loop()
            self.waiter = loop.create_future()
            timer = None if until is None else loop.call_at(until, self.wake)
            try:
                await self.waiter
            finally:
                self.waiter = None
                if timer is not None:
                    timer.cancel()
        if self.inbox:
            data = bytes(self.inbox)
            self.inbox.clear()
            return data
        return b"" if self.ended else None

    def settle(self) -> None:
        """End an exchange: what came and was not asked for goes to the protocol."""
        self.busy = False
        if self.inbox:
            data = bytes(self.inbox)
            self.inbox.clear()
            self.protocol.received(data)
        if self.ended:
            self.protocol.received(b"")
