"""The asyncio session of a simulated call in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pystrix_typed.agi import aio
from pystrix_typed.agi.aio.link import Link
from pystrix_typed.testing.endless import HandlerStoppedError, Watch
from pystrix_typed.testing.loops import VirtualTime
from pystrix_typed.testing.repeatable import RepeatableProtocol

if TYPE_CHECKING:
    from datetime import timedelta

    from pystrix_typed.testing.call import SimulatedCall

__all__ = ["SimulatedSession"]


class SimulatedSession(aio.FastAGI):
    """The asyncio session of a simulated call, in a loop whose time is virtual meanwhile.

    Args:
        call: The call; it begins when the session does.
        timeout: The deadline of a command in seconds, unless `execute` names another.
        verify_values: See `pystrix_typed.agi.aio.FastAGI`.
    """

    def __init__(
        self,
        call: SimulatedCall,
        *,
        timeout: float | timedelta | None = None,
        verify_values: bool = False,
    ) -> None:
        #: Sees that the handler comes to an end.
        self.watch: Watch = Watch(call)
        protocol = RepeatableProtocol(self.watch, verify_values=verify_values)
        # Not FastAGI's own: there is no connection.
        aio.Session.__init__(self, protocol, timeout, None, debug=False)
        self._call = call
        self._handler: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._time: VirtualTime | None = None

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        self._time = VirtualTime.of(loop)
        self._time.__enter__()
        self._time.on_jump(self._look)
        self._handler = asyncio.current_task()
        self._began = loop.time()
        link = Link(self._protocol)
        self._link = link
        self._call.begin()
        # Not before the session listens.
        loop.call_soon(self._deliver, link)
        return link

    def _look(self, moment: float | None) -> bool:
        """See whether the call has come to a point where nothing more can happen.

        Args:
            moment: When the loop has something to do next; None for never.
        """
        call, link = self._call, self._link
        if link is None:
            return False
        if moment is None and not (call.over or call.scripts_turn or call.next_moment is not None):
            call.get_unstuck()
            self._deliver(link)
            return True
        try:
            told = self.watch.reach(None if moment is None else moment - self._began)
        except HandlerStoppedError:
            # It cannot be raised where the handler waits; but the handler can be cancelled.
            return self._handler is not None and self._handler.cancel("it would never have ended")
        if told:
            self._deliver(link)
        return told

    def _write(self, data: bytes) -> None:
        if self._link is not None and not self._call.over:
            self._keep_time()
            self._call.feed(data)
            # As over a connection: the answer comes when the loop goes on.
            asyncio.get_running_loop().call_soon(self._deliver, self._link)

    def _keep_time(self) -> None:
        self._call.advance_to(asyncio.get_running_loop().time() - self._began)

    def _tick(self) -> None:
        self._timer = None
        if self._link is not None:
            self._keep_time()
            self._deliver(self._link)

    def _deliver(self, link: Link) -> None:
        """Give the session what Asterisk has said, and arrange for what happens next."""
        data = self._call.output()
        if data and not self._call.dialogue.cut:
            link.data_received(data)
        if self._call.over:
            link.connection_lost(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self._call.next_moment
        if moment is not None and not self._call.over and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._began + moment, self._tick)

    async def _disconnect(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._time is not None:
            self._keep_time()
            self._call.end()
            self._time.off_jump(self._look)
            self._time.__exit__()
            self._time = None
