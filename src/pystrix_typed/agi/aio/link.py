"""What an asyncio session waits for: bytes from Asterisk, and its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context

    from pystrix_typed.agi.protocol import Protocol

__all__ = ["Link", "Turn"]


class Link(asyncio.Protocol):
    """The end of a connection: what arrives is kept until the exchange under way asks for it.

    It can be awaited, by one task at a time: a future that is used again. A future of asyncio's own
    has the loop go round once more before it wakes a task, which costs as much as all that this
    package does for a command. So this one wakes the task from within `data_received`, where no
    other task is running; whoever else wakes it goes through the loop.

    Attributes:
        inbox: What has come and was not asked for yet.
        ended: Whether the other end has said its last.
        busy: Whether an exchange is under way.
        clock: The loop's clock.
        trace: Called with what is received and sent; None for nothing.
        closed: Done when the connection is lost.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_context",
        "_loop",
        "_wakeup",
        "busy",
        "clock",
        "closed",
        "ended",
        "inbox",
        "protocol",
        "trace",
    )

    def __init__(self, protocol: Protocol) -> None:
        loop = asyncio.get_running_loop()
        self.protocol: Protocol = protocol
        self.inbox: bytes = b""
        self.ended: bool = False
        self.busy: bool = False
        # What asyncio's own loops ask, without a call in between.
        own = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
        self.clock: Callable[[], float] = monotonic if own else loop.time
        self.trace: Callable[[bool, bytes], object] | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._asyncio_future_blocking = False
        self._wakeup: Callable[[Link], object] | None = None
        self._context: Context | None = None
        self._cancelled = False

    # ---- what asyncio calls ----

    def data_received(self, data: bytes) -> None:
        """Keep what came for the exchange under way, or tell the protocol."""
        if self.trace is not None:
            self.trace(False, data)
        if not self.busy:
            self.protocol.received(data)
            return
        self.inbox = self.inbox + data if self.inbox else data
        wakeup, context = self._wakeup, self._context
        if wakeup is not None and context is not None:
            if asyncio.current_task(self._loop) is None:
                self._wakeup = None
                context.run(wakeup, self)
            else:
                self.wake()

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

    # ---- the future: what a task asks of what it waits for ----

    def __await__(self) -> Generator[Link, None, None]:
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give the loop that it belongs to."""
        return self._loop

    def add_done_callback(self, wakeup: Callable[[Link], object], *, context: Context) -> None:
        """Take what resumes the task."""
        self._wakeup, self._context = wakeup, context

    def remove_done_callback(self, wakeup: Callable[[Link], object]) -> int:
        """Forget what resumes the task; give how often it was there."""
        found = self._wakeup == wakeup
        if found:
            self._wakeup = None
        return int(found)

    def done(self) -> bool:
        """Tell whether no task waits."""
        return self._wakeup is None

    def result(self) -> None:
        """Resume the task.

        Raises:
            asyncio.CancelledError: It was cancelled while it waited.
        """
        if self._cancelled:
            self._cancelled = False
            raise asyncio.CancelledError

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - asyncio's signature
        """Wake the task to its cancellation."""
        if self._wakeup is None:
            return False
        self._cancelled = True
        self.wake()
        return True

    def wake(self) -> None:
        """Wake the task that waits, if one does, by way of the loop."""
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is not None:
            self._loop.call_soon(wakeup, self, context=self._context)

    # ---- what the driver calls ----

    async def wait(self, until: float) -> None:
        """Wait for something to come, or for a moment."""
        timer = self._loop.call_at(until, self.wake)
        try:
            await self
        finally:
            timer.cancel()

    def take(self) -> bytes | None:
        """Give what came, ``b""`` at the end of the stream, None when there is nothing yet."""
        data = self.inbox
        if data:
            self.inbox = b""
            return data
        return b"" if self.ended else None

    def settle(self) -> None:
        """End an exchange: what came and was not asked for goes to the protocol."""
        self.busy = False
        if self.inbox:
            data, self.inbox = self.inbox, b""
            self.protocol.received(data)
        if self.ended:
            self.protocol.received(b"")


class Turn:
    """The right to send a command, which tasks have in the order in which they asked.

    `asyncio.Lock` does the same; this one costs nothing while nobody waits.

    Attributes:
        taken: Whether somebody has it.
    """

    __slots__ = ("_waiting", "taken")

    def __init__(self) -> None:
        self.taken: bool = False
        self._waiting: deque[asyncio.Future[None]] | None = None

    async def take(self) -> None:
        """Wait for the turn."""
        if not self.taken:
            self.taken = True
            return
        if self._waiting is None:
            self._waiting = deque()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self.give()  # it was this one's turn in the very moment of its cancellation
            raise

    def give(self) -> None:
        """Hand the turn to the next that waits."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.taken = False
