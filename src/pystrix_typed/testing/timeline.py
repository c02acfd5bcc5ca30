"""Virtual time: what happens when, in whole milliseconds, without waiting for any of it."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Appointment", "Timeline", "milliseconds"]


def milliseconds(seconds: float) -> int:
    """Give a time in seconds as whole milliseconds."""
    return round(seconds * 1000)


class Appointment:
    """Something that is to happen; it can be called off."""

    __slots__ = ("_act", "moment")

    def __init__(self, moment: int, act: Callable[[], object]) -> None:
        self.moment: int = moment
        self._act: Callable[[], object] | None = act

    @property
    def due(self) -> bool:
        """Whether it is still to happen."""
        return self._act is not None

    def cancel(self) -> None:
        """Call it off; afterwards too."""
        self._act = None

    def happen(self) -> None:
        """Let it happen, once."""
        act, self._act = self._act, None
        if act is not None:
            act()


class Timeline:
    """A clock that stands still until it is told to go on.

    What is due at the same millisecond happens in the order in which it was arranged.

    Attributes:
        now: The present moment, in milliseconds since the call began.
    """

    def __init__(self) -> None:
        self.now: int = 0
        self._count = 0
        self._coming: list[tuple[int, int, Appointment]] = []

    @property
    def next(self) -> int | None:
        """The moment at which something happens next; None when nothing is arranged."""
        while self._coming and not self._coming[0][2].due:
            heapq.heappop(self._coming)
        return self._coming[0][0] if self._coming else None

    def at(self, moment: int, act: Callable[[], object]) -> Appointment:
        """Arrange for something to happen; a moment that has passed means at once."""
        appointment = Appointment(max(moment, self.now), act)
        self._count += 1
        heapq.heappush(self._coming, (appointment.moment, self._count, appointment))
        return appointment

    def after(self, wait: int, act: Callable[[], object]) -> Appointment:
        """Arrange for something to happen some milliseconds from now."""
        return self.at(self.now + wait, act)

    def step(self) -> bool:
        """Go on to the next moment at which something happens, and let one thing happen."""
        if self.next is None:
            return False
        moment, _, appointment = heapq.heappop(self._coming)
        self.now = max(self.now, moment)
        appointment.happen()
        return True

    def skip(self, moment: int) -> None:
        """Go on to a moment; what was due before is late then."""
        self.now = max(self.now, moment)
