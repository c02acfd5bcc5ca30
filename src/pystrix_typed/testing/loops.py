"""Virtual time for asyncio: the running loop's clock stands still, and jumps where it would wait.

`asyncio.sleep`, `asyncio.timeout` and the deadlines of a session then all go by the call's time.
What is done outside of the loop, in a thread or over a socket, takes no virtual time: it is waited
for, as long as it seems to go on.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["VirtualTime"]

#: Real seconds that work outside of the loop gets before time jumps: what the loop itself has given
#: to a thread; sockets and other threads; and those that were silent for so long before.
_WORK, _OTHERS, _SILENT = 1.0, 0.3, 0.05
#: Real seconds that it gets when nothing is arranged in virtual time.
_LAST_PATIENCE = 10.0
#: Rounds of the loop, while no time passes and nothing comes from outside, after which it is taken
#: to turn for ever.
_MOST_ROUNDS = 50_000

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
        self._real_run: Callable[..., asyncio.Future[Any]] = loop.run_in_executor
        self._looks: list[Callable[[float | None], bool]] = []
        #: What runs in threads.
        self._at_work: set[asyncio.Future[Any]] = set()
        # What is outside of the loop from the beginning; and that from which nothing came.
        self._before: set[int] = set()
        self._silent: set[int] | None = None
        self._rounds = 0

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

    def on_jump(self, look: Callable[[float | None], bool]) -> None:
        """Have something called before time jumps.

        It is given the moment to which time is to jump, None when nothing is arranged at all, and
        tells whether it has arranged something else.
        """
        self._looks.append(look)

    def off_jump(self, look: Callable[[float | None], bool]) -> None:
        """Have it called no more."""
        self._looks.remove(look)

    def __enter__(self) -> Self:
        self._users += 1
        if self._users == 1:
            self._now = self._loop.time()
            self._before = {id(thread) for thread in threading.enumerate()}
            self._loop.time = self._time
            self._selector.select = self._select
            self._loop.run_in_executor = self._run
        return self

    def __exit__(self, *_details: object) -> None:
        self._users -= 1
        if not self._users:
            del self._loop.time
            del self._selector.select
            del self._loop.run_in_executor
            _patched.pop(self._loop, None)

    def _time(self) -> float:
        return self._now

    def _run(self, executor: object, work: Callable[..., object], *args: object) -> object:
        future = self._real_run(executor, work, *args)
        self._at_work.add(future)
        future.add_done_callback(self._at_work.discard)
        return future

    def _select(self, timeout: float | None = None) -> list[object]:
        if timeout is not None and timeout <= 0:
            events = self._real_select(0)
            self._rounds = 0 if events else self._rounds + 1
            if self._rounds > _MOST_ROUNDS:
                self._rounds = 0
                self._look(None)
            return events
        self._rounds = 0
        events = self._from_outside(timeout)
        if events:
            self._silent = None
            return events
        moment = None if timeout is None else self._now + timeout
        if self._look(moment):
            return []
        if moment is None:
            return self._real_select(None)
        self._now = moment
        return []

    def _look(self, moment: float | None) -> bool:
        changes = [look(moment) for look in self._looks]
        return any(changes)

    def _from_outside(self, timeout: float | None) -> list[object]:
        """Give what comes from threads and sockets, after a wait in which it can."""
        others = self._others()
        if not self._at_work and not others:
            return self._real_select(0)
        if timeout is None:
            return self._real_select(_LAST_PATIENCE)
        if not self._at_work and others == self._silent:
            return self._real_select(_SILENT)
        events = self._real_select(_WORK if self._at_work else _OTHERS)
        self._silent = others
        return events

    def _others(self) -> set[int]:
        """Give what has come up outside of the loop: sockets, and threads that are not its own."""
        no_map: Callable[[], Mapping[int, object]] = dict[int, object]
        get_map: Callable[[], Mapping[int, object]] = getattr(self._selector, "get_map", no_map)
        sockets: set[int] = set(get_map())
        pool: Any = getattr(self._loop, "_default_executor", None)
        own: Iterable[threading.Thread] = getattr(pool, "_threads", ())
        threads = {id(thread) for thread in threading.enumerate()}
        threads -= self._before | {id(thread) for thread in own}
        # One descriptor is the loop's own, by which threads and signals wake it.
        return threads if len(sockets) <= 1 else threads | sockets
