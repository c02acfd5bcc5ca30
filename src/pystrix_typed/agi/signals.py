"""Signals that end or reload a blocking server, for as long as it serves."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Self

__all__ = ["ENDING", "RELOADING", "Signals", "Turns"]

#: The first one ends in order, a second one at once.
ENDING = (signal.SIGTERM, signal.SIGINT)
#: None on Windows.
RELOADING = getattr(signal, "SIGHUP", None)


class Turns:
    """What signals mean: the first of the ending ones is a wish, the next an order.

    Args:
        drain: Called with the first.
        stop: Called with every further one.
        reload: Called with SIGHUP.
    """

    def __init__(
        self,
        drain: Callable[[], object],
        stop: Callable[[], object],
        reload: Callable[[], object],
    ) -> None:
        self._drain = drain
        self._stop = stop
        self._reload = reload
        self._asked = False

    def take(self, number: int) -> None:
        """Do what a signal asks for."""
        if number == RELOADING:
            self._reload()
        elif self._asked:
            self._stop()
        else:
            self._asked = True
            self._drain()


class Signals:
    """Handles signals while it is entered, and puts back what handled them before.

    Args:
        turns: What they mean.
        wakeup: The descriptor to write to when one comes: one that comes in the moment before the
            thread waits would be seen only after the wait. -1 for none.

    Raises:
        ValueError: This is not the main thread, the only one that may handle signals.
    """

    def __init__(self, turns: Turns, wakeup: int = -1) -> None:
        self._turns = turns
        self._wakeup = wakeup
        self._wakeup_before = -1
        self._before: list[
            tuple[int, Callable[[int, FrameType | None], object] | int | signal.Handlers | None]
        ] = []

    def __enter__(self) -> Self:
        numbers = ENDING if RELOADING is None else (*ENDING, RELOADING)
        for number in numbers:
            self._before.append((number, signal.signal(number, self._handle)))
        if self._wakeup >= 0:
            self._wakeup_before = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._wakeup >= 0:
            signal.set_wakeup_fd(self._wakeup_before)
        while self._before:
            number, handler = self._before.pop()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._turns.take(number)
