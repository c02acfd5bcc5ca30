"""What load clients have counted, in a form that adds up over processes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TypedDict

__all__ = ["Histogram", "Numbers", "Totals", "add_up"]

_STEP = math.log(1.02)


class Numbers(TypedDict):
    """What one process has counted; `buckets` are those of its histograms."""

    started: int
    live: int
    peak: int
    ends: dict[str, int]
    details: dict[str, int]
    commands: int
    seconds: float
    cpu: float
    workers: dict[str, dict[str, int]]
    buckets: dict[str, dict[int, int]]


class Totals(TypedDict):
    """What all of them have; the times are milliseconds.

    `client_cpu` is the share of a processor that the busiest client took: near 1 the client is the
    bottleneck, and the latencies are its own.
    """

    event: str
    started: int
    live: int
    peak: int
    completed: int
    left: int
    lost: int
    lost_by_reason: dict[str, int]
    details: dict[str, int]
    commands: int
    seconds: float
    calls_per_second: float
    commands_per_second: float
    latency_ms: dict[str, dict[str, float]]
    workers: dict[str, dict[str, int]]
    client_cpu: float


class Histogram:
    """Seconds, counted in steps of two per cent, so that those of several processes add up."""

    def __init__(self, buckets: dict[int, int] | None = None) -> None:
        self.buckets = Counter(buckets or {})

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[math.ceil(math.log(max(seconds, 1e-6)) / _STEP)] += 1

    def summary(self) -> dict[str, float]:
        """Give percentiles in milliseconds."""
        total = self.buckets.total()
        found: dict[str, float] = {"count": total}
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
            seen = 0
            for bucket in sorted(self.buckets):
                seen += self.buckets[bucket]
                if seen >= share * total:
                    found[name] = round(1.02**bucket * 1000, 3)
                    break
        return found


def add_up(results: list[Numbers], last: bool) -> Totals:
    """Add the numbers of several processes up.

    Args:
        results: What each has counted; the keys of the buckets may be texts, as JSON makes them.
        last: Whether these are the last ones.
    """
    ends: Counter[str] = Counter()
    details: Counter[str] = Counter()
    workers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    latency: defaultdict[str, Histogram] = defaultdict(Histogram)
    for each in results:
        ends.update(each["ends"])
        details.update(each["details"])
        for name, counts in each["workers"].items():
            workers[name].update(counts)
        for name, buckets in each["buckets"].items():
            latency[name].buckets.update({int(key): count for key, count in buckets.items()})
    completed, left = ends.pop("completed", 0), ends.pop("left", 0)
    seconds = max(each["seconds"] for each in results)
    commands = sum(each["commands"] for each in results)
    return {
        "event": "result" if last else "so far",
        "started": sum(each["started"] for each in results),
        "live": sum(each["live"] for each in results),
        "peak": sum(each["peak"] for each in results),
        "completed": completed,
        "left": left,
        "lost": ends.total(),
        "lost_by_reason": dict(ends),
        "details": dict(details),
        "commands": commands,
        "seconds": round(seconds, 3),
        "calls_per_second": round(completed / seconds, 1),
        "commands_per_second": round(commands / seconds, 1),
        "latency_ms": {name: found.summary() for name, found in latency.items()},
        "workers": {name: dict(counts) for name, counts in workers.items()},
        "client_cpu": round(max(each["cpu"] / each["seconds"] for each in results), 3),
    }
