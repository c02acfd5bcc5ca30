"""Handlers that would never end: they are found out, told of a hangup, and stopped.

Such a handler is a mistake that a test is to show, and not to hang in. It goes on for ever without
time passing (commands that take none, a loop that takes a hangup for any other error), or time
passes and nothing else does (a loop that sleeps, a wait for what never comes). First the caller
hangs up, which ends most of them in order. One that goes on even then is stopped.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, SupportsIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pystrix_typed.testing.call import SimulatedCall

__all__ = ["MOST_COMMANDS", "HandlerStoppedError", "Watch", "virtual_sleep"]

#: Commands of one call while no time passes, beyond which its handler is taken never to end.
MOST_COMMANDS = 10_000
#: Seconds that a handler gets to end in, after the hangup.
_GRACE = 60.0
#: Real seconds that other threads get while a handler sleeps in virtual time.
_FOR_OTHERS = 0.01


class HandlerStoppedError(BaseException):
    """Stops a handler that goes on for ever; no `except Exception` of its own holds it up."""


class Watch:
    """Watches over one handler.

    Args:
        call: Its call.

    Attributes:
        stopped: Whether the handler had to be stopped.
    """

    def __init__(self, call: SimulatedCall) -> None:
        self.stopped: bool = False
        self._call = call
        self._moment = -1.0
        self._count = 0
        self._given_up_at: float | None = None

    def command(self) -> None:
        """Count a command that the handler gives.

        Raises:
            HandlerStoppedError: It goes on and on even after the hangup.
        """
        now = self._call.now
        if now != self._moment:
            self._moment, self._count = now, 0
        self._count += 1
        if self._count > MOST_COMMANDS:
            self._count = 0
            if not self.give_up(
                f"the handler goes on for ever: {MOST_COMMANDS:,} commands while no time passed"
            ):
                self.stop()

    def reach(self, moment: float | None) -> bool:
        """Look at the moment to which time is to go on while the handler does something else.

        Args:
            moment: In seconds since the call began; None when nothing at all is going to happen.

        Returns:
            Whether the caller has just hung up for it: the handler is to be told first.

        Raises:
            HandlerStoppedError: It goes on and on even after the hangup.
        """
        limit = self._call.limit
        if moment is not None and moment <= max(limit, (self._given_up_at or 0.0) + _GRACE):
            return False
        if self.give_up(
            "the handler waits for something that never comes, and so does the caller"
            if moment is None
            else f"the call has lasted for {limit:g} seconds and goes on"
        ):
            return True
        self.stop()
        return False

    def give_up(self, why: str) -> bool:
        """Have the caller hang up; False when that has been tried."""
        if self._given_up_at is not None:
            return False
        self._given_up_at = self._call.now
        self._call.give_up(why)
        return True

    def stop(self) -> None:
        """Stop the handler.

        Raises:
            HandlerStoppedError: Always.
        """
        self.stopped = True
        raise HandlerStoppedError("the handler was stopped: it would never have ended")


# ---- sleeping ----

_lock = threading.Lock()
_sleepers: dict[int, list[Callable[[float], None]]] = {}
_real_sleep = time.sleep


@contextmanager
def virtual_sleep(rest: Callable[[float], None]) -> Generator[None, None, None]:
    """Have `time.sleep` in this thread do something else, which lets virtual time pass.

    What a test, or gevent, has put in its place stays there.
    """
    global _real_sleep  # noqa: PLW0603 - a process has one `time.sleep`
    own = threading.get_ident()
    with _lock:
        if isinstance(time.sleep, BuiltinFunctionType):
            _real_sleep = time.sleep
            time.sleep = _sleep
        _sleepers.setdefault(own, []).append(rest)
    try:
        yield
    finally:
        with _lock:
            rests = _sleepers[own]
            rests.pop()
            if not rests:
                del _sleepers[own]
            # If somebody has put something else in its place meanwhile it is not ours to remove.
            if not _sleepers and time.sleep is _sleep:
                time.sleep = _real_sleep


def _sleep(seconds: float | SupportsIndex, /) -> None:
    rests = _sleepers.get(threading.get_ident())
    if rests is None:
        _real_sleep(seconds)
        return
    if not isinstance(seconds, (int, float)) or not 0 <= seconds <= threading.TIMEOUT_MAX:
        _real_sleep(seconds)  # it says what is wrong with that
        return
    # A handler may be waiting for a thread of its own.
    alone = threading.active_count() == 1
    _real_sleep(0 if alone else min(seconds, _FOR_OTHERS))
    rests[-1](seconds)
