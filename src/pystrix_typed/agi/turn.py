"""A lock that serves threads in the order in which they came."""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock, get_ident
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from typing import TypeAlias

    Place: TypeAlias = tuple[LockType, int]

__all__ = ["Turn"]


class Turn:
    """The right to send a command on a session.

    A plain lock wakes whichever thread the system likes, and taking it twice in one thread would
    wait forever: a signal handler that executes an action in the middle of another one.

    Whoever stands first in the line has the turn. The line is a list, each of whose operations is
    atomic. No lock guards it, because a signal handler that comes in between would wait for it
    forever.
    """

    __slots__ = ("_line",)

    def __init__(self) -> None:
        # Each place has a gate to sleep at, which is opened when the place becomes the first.
        self._line: list[Place] = []

    @property
    def taken(self) -> bool:
        """Whether somebody has the turn."""
        return bool(self._line)

    def take(self, timeout: float | None) -> bool:
        """Wait for the turn; False when `timeout` seconds passed first.

        Raises:
            RuntimeError: This thread has the turn already, or waits for it.
        """
        me = get_ident()
        if self._line and any(owner == me for _, owner in self._line[:]):
            raise RuntimeError(
                "a command was executed from within another one of the same session (by a signal "
                "handler or a hangup callback); AGI runs one at a time"
            )
        gate = allocate_lock()
        gate.acquire()
        place = (gate, me)
        try:
            self._line.append(place)
            if self._line[0] is place:
                return True
            until = None if timeout is None else monotonic() + min(timeout, TIMEOUT_MAX / 2)
            while self._line[0] is not place:
                wait = -1 if until is None else until - monotonic()
                if until is not None and wait <= 0:
                    self._leave(place)
                    return False
                gate.acquire(timeout=wait)
        except BaseException:
            self._leave(place)
            raise
        return True

    def take_if_free(self) -> bool:
        """Take the turn if nobody has it."""
        return not self._line and self.take(0)

    def give(self) -> None:
        """End the turn: the next in line has it."""
        self._leave(self._line[0])

    def _leave(self, place: Place) -> None:
        try:
            if place in self._line:
                self._line.remove(place)
        finally:
            # Even if an interrupt came just now. Waking the first once too often does no harm.
            try:  # noqa: SIM105 - contextlib costs a script's start
                self._line[0][0].release()
            except (IndexError, RuntimeError):
                pass
