"""How often threads that wait for the interpreter ask for it.

A thread that waits for the interpreter wakes each 5 ms to demand it (`sys.setswitchinterval`).
Where one thread does that it keeps things fair; where a thousand do, because a thousand callers
were answered at once, the waking alone takes many times what their commands take. So the interval
grows with the threads that serve calls: all of them together ask no more than 10,000 times a
second. Up to fifty threads that is Python's own interval, a thousand wait for up to 0.1 s. It is
the process's, and becomes what it was when the threads are gone.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

__all__ = ["count"]

#: Seconds for each thread.
_EACH: Final = 0.0001
#: Seconds: what a handler that computes may keep the others waiting.
_MOST: Final = 0.1


class _Pace:
    """The interval, as far as it is ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        #: What the program, or Python, has chosen.
        self._chosen = 0.0
        #: What was set here; 0 while nothing is.
        self._ours = 0.0

    def count(self, more: int) -> None:
        """See `count`."""
        with self._lock:
            self._threads += more
            now = sys.getswitchinterval()
            if now != self._ours:  # nobody has changed it so far, or somebody else has
                self._chosen = now
            wanted = max(self._chosen, min(self._threads * _EACH, _MOST))
            if wanted != now:
                sys.setswitchinterval(wanted)
            # As it is kept, in whole microseconds.
            self._ours = sys.getswitchinterval() if wanted != self._chosen else 0.0

    def leave(self) -> None:
        """Give the process the interval back that it had."""
        if self._ours:
            sys.setswitchinterval(self._chosen)


_pace = _Pace()


def count(more: int) -> None:
    """Note that there are so many threads more that serve calls, or fewer."""
    _pace.count(more)


def _forget() -> None:
    """Begin anew in a process that is forked: it has none of the threads."""
    global _pace  # noqa: PLW0603 - with its lock, which a thread that is gone may have held
    _pace.leave()
    _pace = _Pace()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
