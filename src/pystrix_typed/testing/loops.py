"""Virtual time for asyncio: the running loop's clock stands still, and jumps where it would wait.

`asyncio.sleep`, `asyncio.timeout` and the deadlines of a session then all go by the call's time.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

__all__ = ["VirtualTime"]

#: Real seconds that work outside of the loop (a thread, a socket) gets before time jumps.
_GRACE = 0.05

_patched: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, VirtualTime] = (
    weakref.WeakKeyDictionary()
)


class VirtualTime:
    """The virtual time of a loop; as a context manager, for as long as somebody needs it.

    Where the loop would wait for a timer and nothing else is going on, its clock jumps to that
    timer. Where a socket or a thread may have something to say, that is given a moment first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Made by `of`."""
        # The loop's own selector: there is no public way to a clock of one's own.
        selector = getattr(loop, "_selector", None)
        if selector is None or not isinstance(loop, asyncio.BaseEventLoop):
            raise RuntimeError(
                f"a simulated call needs asyncio's own event loop, whose time can be virtual; "
                f"{type(loop).__name__} is another"
            )
        self._loop: Any = loop
        self._selector: Any = selector
        self._users = 0
        self._now = loop.time()
        self._real_select: Callable[[float | None], list[object]] = selector.select
        self._rests: list[Callable[[], bool]] = []
        self._own_descriptors = 0

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> VirtualTime:
        """Give the virtual time of a loop, which all calls in it share.

        Raises:
            RuntimeError: It is not one of asyncio's own loops.
        """
        found = _patched.get(loop)
        if found is None:
            found = _patched[loop] = cls(loop)
        return found

    def on_rest(self, look: Callable[[], bool]) -> None:
        """Have something called when nothing is arranged; it tells whether it has changed that."""
        self._rests.append(look)

    def off_rest(self, look: Callable[[], bool]) -> None:
        """Have it called no more."""
        self._rests.remove(look)

    def __enter__(self) -> Self:
        self._users += 1
        if self._users == 1:
            self._now = self._loop.time()
            self._loop.time = self._time
            self._selector.select = self._select
        return self

    def __exit__(self, *_details: object) -> None:
        self._users -= 1
        if not self._users:
            del self._loop.time
            del self._selector.select
            _patched.pop(self._loop, None)

    def _time(self) -> float:
        return self._now

    def _select(self, timeout: float | None = None) -> list[object]:
        if timeout is not None and timeout <= 0:
            return self._real_select(0)
        events = self._real_select(_GRACE if self._others() else 0)
        if events:
            return events
        if timeout is None:
            changes = [look() for look in self._rests]
            if any(changes):
                return []
            return self._real_select(None)
        self._now += timeout
        return []

    def _others(self) -> bool:
        """Tell whether something outside of the loop may be going on."""
        if getattr(self._loop, "_default_executor", None) is not None:
            return True
        get_map: Callable[[], Sized] = getattr(self._selector, "get_map", tuple)
        # One is the loop's own, by which threads and signals wake it.
        return len(get_map()) > 1
