"""What goes wrong with the processes of ``pystrix-typed serve``, and what does not."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .suite import Row, errors_in, press, recovery
from .watching import PATIENCE, Child, Load, usage, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Service", "crush", "kill", "roll"]

_KEPT = frozenset({"calls", "live", "completed", "left"})


class Service(Child):
    """A master and its workers."""

    def __init__(self, kind: str, workers: int, *options: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as this
        self.count = workers
        super().__init__(
            "-m",
            "pystrix_typed",
            "serve",
            f"tests.faults.server_{kind}",
            "--port=0",
            f"--workers={workers}",
            "--log-level=info",
            *options,
            log=self._log,
            PYTHONMALLOC="malloc",
            COLUMNS="200",
        )
        ready = re.compile(r"serving \S+ on \S*?:(\d+) with")
        wait_until(lambda: ready.search(self.log()), PATIENCE)
        told = ready.findall(self.log())
        assert told, f"it does not begin: {self.log()}"
        self.port = int(told[0])

    def log(self) -> str:
        """Give what the master and its workers have written to their log."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    @property
    def workers(self) -> set[int]:
        """The processes that the master has."""
        found: set[int] = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = stat.read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue  # it has ended
            if parent == str(self.pid):
                found.add(int(stat.parent.name))
        return found

    def stop(self) -> int:
        """Have it end in order; give its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it, and whatever is left of it."""
        workers = self.workers
        super().close()
        for worker in workers & self.workers:
            os.kill(worker, signal.SIGKILL)
        self._log.close()


def lost_by(numbers: Mapping[str, Any], worker: str) -> int:
    """Give how many calls of a worker a load client has lost."""
    counts: dict[str, int] = numbers["workers"].get(worker, {})
    return sum(count for how, count in counts.items() if how not in _KEPT)


def _check_end(service: Service, row: Row, before: tuple[int, int]) -> None:
    """Find out what is left, and have the service end."""
    threads, descriptors, _ = usage(service.pid)
    row.threads, row.sockets = threads - before[0], descriptors - before[1]
    row.check(row.threads <= 0, f"{row.threads} threads leak in the master")
    row.check(row.sockets <= 0, f"{row.sockets} descriptors leak in the master")
    workers = service.workers
    row.check(len(workers) == service.count, f"there are {len(workers)} workers")
    row.check(service.stop() == 0, "it does not end in order")
    row.check(not any(Path(f"/proc/{each}").exists() for each in workers), "a worker is left")


def kill(kind: str, calls: int = 200, workers: int = 3) -> Row:
    """Kill a worker: its own calls are lost, and no other."""
    row = Row("a worker killed", f"{kind}, {workers} workers", flying=calls + 10)
    with Service(kind, workers) as service:
        before = usage(service.pid)
        with (
            Load.held(service.port, calls, 0.2) as steady,
            Load.brief(service.port, 10) as passing,
        ):
            steady.up()
            passing.up()
            held: dict[str, dict[str, int]] = steady.so_far()["workers"]
            victim = max(held, key=lambda worker: held[worker]["live"])
            began = time.monotonic()
            os.kill(int(victim), signal.SIGKILL)
            recovery(service.port, row)
            back = wait_until(lambda: len(service.workers - {int(victim)}) == workers, PATIENCE)
            row.check(back, "the worker is not replaced")
            row.recovery = time.monotonic() - began
            served = passing.so_far()["completed"]
            wait_until(lambda: passing.so_far()["completed"] > served + 50, 10.0)
            kept, passed = steady.end(), passing.end()
        owned = held[victim]["live"]
        row.lost = kept["lost"] - lost_by(kept, victim)
        row.lost += sum(lost_by(passed, each) for each in passed["workers"] if each != victim)
        row.check(not row.lost, f"calls of others were lost: {kept['workers']}")
        row.check(
            lost_by(kept, victim) == owned,
            f"the worker had {owned} calls, and {lost_by(kept, victim)} of them were lost",
        )
        row.slowest = kept["latency_ms"]["command"].get("max", 0.0) / 1000
        spread = sorted((each["live"] for each in held.values()), reverse=True)
        row.note = (
            f"its own {owned} of {' + '.join(map(str, spread))} were lost, and {passed['lost']} of "
            f"{passed['started']:,} that came and went"
        )
        _check_end(service, row, before[:2])
    return row


def roll(kind: str, calls: int = 200, workers: int = 3, rounds: int = 8) -> Row:
    """Restart the workers while calls come and go: none is refused, none is lost.

    Args:
        kind: Of the server.
        calls: How many there are at a time.
        workers: How many processes.
        rounds: How long a call lasts: 0.3 seconds each.
    """
    row = Row("a rolling restart", f"{kind}, {workers} workers", flying=calls)
    with Service(kind, workers) as service:
        before, old = usage(service.pid), service.workers
        commands, think = 3 * rounds + 1, 0.1
        options = (
            f"--script=talk?n={rounds}",
            f"--commands={commands}",
            f"--think={think}",
            # Calls begin all the time, not all at a time.
            f"--ramp={calls / (commands * think)}",
        )
        with Load(service.port, calls, *options) as load:
            load.up()
            began = time.monotonic()
            service.process.send_signal(signal.SIGHUP)

            def replaced() -> bool:
                now = service.workers
                return len(now) == workers and not now & old

            row.check(wait_until(replaced, PATIENCE), "the workers were not replaced")
            row.recovery = time.monotonic() - began
            recovered = load.so_far()
            # Every call that began before has ended by now; have some that began after it, too.
            wait_until(lambda: load.so_far()["completed"] > recovered["completed"] + calls, 10.0)
            numbers = load.end()
        row.lost = numbers["lost"]
        row.check(not row.lost, f"calls were lost: {numbers['details']}")
        row.slowest = numbers["latency_ms"]["command"].get("max", 0.0) / 1000
        served = [each["calls"] for name, each in numbers["workers"].items() if int(name) in old]
        row.check(len(numbers["workers"]) == 2 * workers, "not every worker has served")
        row.note = (
            f"{numbers['completed']:,} calls served, {sum(served):,} of them by the old workers"
        )
        found = errors_in(service.log())
        row.check(not found, f"{len(found)} errors in the log: {found[:3]}")
        _check_end(service, row, before[:2])
    return row


def crush(kind: str, most: int = 90, workers: int = 3) -> Row:
    """Have all workers full: the master closes the port, and loses no call over that."""
    row = Row("more calls than allowed", f"{kind}, {workers} workers")
    with Service(kind, workers, f"--max-calls={most // workers}") as service:
        before = usage(service.pid)
        press(service.port, row, most)
        found = errors_in(service.log())
        row.check(not found, f"{len(found)} errors in the log: {found[:3]}")
        _check_end(service, row, before[:2])
    return row
