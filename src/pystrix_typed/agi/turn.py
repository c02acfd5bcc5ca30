"""A lock that serves threads in the order in which they came."""

from __future__ import annotations

from _thread import allocate_lock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType

__all__ = ["Turn"]


class Turn:
    """The right to send a command on a session.

    A plain lock wakes whichever thread the system likes, and taking it twice in one thread would
    wait forever: a signal handler that executes an action in the middle of another one.
    """

    __slots__ = ("_guard", "_owner", "_waiting")

    def __init__(self) -> None:
        self._guard = allocate_lock()
        self._owner = 0
        # Each waiter sleeps at a gate of its own, which opens when its turn has come.
        self._waiting: list[tuple[LockType, int]] = []

    def take(self, timeout: float | None) -> bool:
        """Wait for the turn; False when `timeout` seconds passed first.

        Raises:
            RuntimeError: This thread has the turn already.
        """
        me = get_ident()
        if self._owner == me:
            raise RuntimeError(
                "a command was executed from within another one of the same session (by a signal "
                "handler or a hangup callback); AGI runs one at a time"
            )
        with self._guard:
            if not self._owner:
                self._owner = me
                return True
            gate = allocate_lock()
            gate.acquire()
            place = (gate, me)
            self._waiting.append(place)
        try:
            if gate.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
                return True
        except BaseException:
            if not self._leave(place):
                self.give()
            raise
        return not self._leave(place)

    def take_if_free(self) -> bool:
        """Take the turn if nobody has it."""
        with self._guard:
            if self._owner:
                return False
            self._owner = get_ident()
            return True

    def _leave(self, place: tuple[LockType, int]) -> bool:
        """Give up a place in the line; False when its turn came at the last moment."""
        with self._guard:
            if place in self._waiting:
                self._waiting.remove(place)
                return True
            return False

    def give(self) -> None:
        """End the turn: the next in line has it."""
        with self._guard:
            if self._waiting:
                gate, self._owner = self._waiting.pop(0)
                gate.release()
            else:
                self._owner = 0
