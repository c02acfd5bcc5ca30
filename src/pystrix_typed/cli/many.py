"""Many calls of ``pystrix-typed call``, some of them at a time, and what became of them."""

from __future__ import annotations

import sys
import time
from array import array
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Outcome", "Tally", "place_many"]

#: Different problems that are listed.
_MOST_PROBLEMS = 20


class Outcome(NamedTuple):
    """What became of one call; `problem` is a line that says why it failed."""

    status: str
    seconds: float
    problem: str


class Tally:
    """The outcomes of many calls, counted: whatever their number, it stays small."""

    def __init__(self) -> None:
        self.failed: int = 0
        self.counts: Counter[str] = Counter()
        self._seconds = array("d")
        self._problems: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self.counts[outcome.status] += 1
        self._seconds.append(outcome.seconds)
        if outcome.problem:
            self.failed += 1
            if outcome.problem in self._problems or len(self._problems) < _MOST_PROBLEMS:
                self._problems[outcome.problem] += 1

    @property
    def calls(self) -> int:
        """How many there were."""
        return len(self._seconds)

    def data(self, took: float) -> dict[str, object]:
        """Give it for a program.

        Args:
            took: Seconds that all of them took together.
        """
        seconds = sorted(self._seconds) or [0.0]
        return {
            "calls": self.calls,
            "failed": self.failed,
            "by_status": dict(self.counts),
            "seconds": round(took, 3),
            "calls_per_second": round(self.calls / took, 1) if took else 0.0,
            "call_seconds": {
                "median": round(seconds[len(seconds) // 2], 4),
                "p99": round(seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)], 4),
                "max": round(seconds[-1], 4),
            },
            "problems": sorted(self._problems),
        }

    def lines(self, took: float) -> list[str]:
        """Give it for people."""
        seconds = sorted(self._seconds) or [0.0]
        listed = ", ".join([f"{count} {status}" for status, count in self.counts.items()])
        middle, longest = seconds[len(seconds) // 2], seconds[-1]
        return [
            f"{self.calls} calls in {took:.2f} s: {listed}",
            f"a call took {middle:.3f} s (median), at most {longest:.3f} s",
            *[f"failed: {problem}" for problem in sorted(self._problems)],
        ]


def place_many(one: Callable[[], Outcome], repeat: int, concurrency: int) -> tuple[Tally, bool]:
    """Place calls.

    On a terminal how far it is gets told every second, on stderr.

    Args:
        one: Places one, in a thread.
        repeat: How many.
        concurrency: How many at a time.

    Returns:
        What became of them; and whether they were broken off with Ctrl-C: then the calls that were
        under way have come to their end, and no more were placed.
    """
    tally, broken_off = Tally(), False
    shows = sys.stderr.isatty()
    told = time.monotonic()
    waiting: set[Future[Outcome]] = set()
    begun = 0
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            while begun < repeat or waiting:
                # No more than what is going to be placed next: a million are no list of a million.
                while begun < repeat and len(waiting) < 2 * concurrency:
                    waiting.add(pool.submit(one))
                    begun += 1
                done, waiting = wait(waiting, 1.0, FIRST_COMPLETED)
                for each in done:
                    tally.add(each.result())
                if shows and time.monotonic() - told >= 1:
                    told = time.monotonic()
                    said = f"{tally.calls:,} of {repeat:,} calls, {tally.failed:,} failed"
                    sys.stderr.write(f"\r\x1b[K{said}")
                    sys.stderr.flush()
        except KeyboardInterrupt:
            broken_off = True
            pool.shutdown(wait=True, cancel_futures=True)
            for each in waiting:
                if not each.cancelled():
                    tally.add(each.result())
        finally:
            if shows:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
    return tally, broken_off
