"""Do everything to both servers, and print the table: ``python -m tests.faults``."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from .service import crush, kill, roll
from .suite import FAULTS, Row, crowd, inflict, overload, starve
from .watching import MEBI, Server, call

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("blocking", "asyncio")
#: The calls that each server is to hold at a time: its default for a blocking one.
CROWDS = {"blocking": 1000, "asyncio": 10_000}
HEAD = (
    "fault", "server", "in flight", "lost", "recovery", "slowest", "threads", "sockets", "memory",
    "besides",
)  # fmt: skip


def rows(kinds: list[str], only: str) -> Iterator[Row]:
    """Give the rows, as they come."""
    for kind in kinds:
        chosen = [fault for fault in FAULTS if only in fault.name]
        if chosen:
            with Server(kind) as server:
                for _ in range(3):
                    call(server.port)
                # The first time, everything allocates what it keeps.
                inflict(server, FAULTS[2], scale=0.1)
                for fault in chosen:
                    yield inflict(server, fault)
                began = time.monotonic()
                code = server.stop()
                took = time.monotonic() - began
                ended = Row("the end of it all", kind, recovery=took, note=f"exit code {code}")
                ended.check(code == 0, f"the server ends with {code}")
                yield ended
        if only in "descriptors exhausted":
            yield starve(kind)
        if only in "more calls than allowed":
            yield overload(kind)
            yield crush(kind)
        if only in "a rolling restart":
            yield roll(kind)
        if only in "a worker killed":
            yield kill(kind)
        if only in "idle calls":
            yield crowd(kind, CROWDS[kind])


def cells(row: Row) -> tuple[str, ...]:
    """Give a row's texts."""
    return (
        row.fault,
        row.server,
        f"{row.flying:,}",
        str(row.lost),
        f"{row.recovery * 1000:.0f} ms",
        f"{row.slowest * 1000:.0f} ms",
        f"{row.threads:+d}",
        f"{row.sockets:+d}",
        f"{row.memory / MEBI:+.1f} MiB",
        "; ".join(filter(None, [row.note, *(f"PROBLEM: {each}" for each in row.problems)])),
    )


def main() -> int:
    """Run the suite; 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--server", choices=KINDS, help="only this one")
    parser.add_argument("--only", default="", help="only the faults with this in their names")
    options = parser.parse_args()
    began, bad = time.monotonic(), 0
    print("| " + " | ".join(HEAD) + " |")
    print("|" + " --- |" * len(HEAD))
    for row in rows([options.server] if options.server else list(KINDS), options.only):
        print("| " + " | ".join(cells(row)) + " |", flush=True)
        bad += bool(row.problems)
    print(f"\n{time.monotonic() - began:.0f} s; {bad or 'no'} rows with problems")
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("what a process has in use is read from Linux's /proc")
    sys.exit(main())
