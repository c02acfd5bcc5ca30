"""How the cost grows: from one worker to two, and from ten calls at a time to ten thousand."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cost import HERE, Server, per_call, per_command
from benchmarks.places import ROOT
from benchmarks.report import Row, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.cost import Sample
    from benchmarks.places import Place

__all__ = ["Service", "crowd_rows", "growth_rows", "worker_rows"]

#: Calls at a time; the first is what the others are compared with.
CROWDS = (10, 1000, 10_000)
#: Seconds until the workers must listen.
PATIENCE = 30.0


class Service(Server):
    """``pystrix-typed serve`` with some workers; what they cost is the whole family's."""

    def __init__(self, place: Place, workers: int, commands: int) -> None:
        super().__init__(f"{workers} worker{'s' * (workers > 1)}", place.python, commands)
        self.workers = workers

    def _start(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        words = ["-m", "pystrix_typed", "serve", "app:server", "--app-dir", str(HERE)]
        words += ["--port", str(port), "--workers", str(self.workers)]
        self._process = subprocess.Popen(
            [str(self.python), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "BENCH_COMMANDS": str(self.commands)},
        )
        until = time.monotonic() + PATIENCE
        while len(self._family()) <= self.workers or not _listens(port):
            if self._process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"pystrix-typed serve with {self.name} does not listen")
            time.sleep(0.05)
        return port

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _family(self) -> list[int]:
        """Give the processes: the master and its workers."""
        assert self._process is not None
        master = self._process.pid
        children = Path(f"/proc/{master}/task/{master}/children")
        try:
            return [master, *map(int, children.read_text().split())]
        except OSError:
            return []

    def processor(self) -> float:
        """Give the seconds of processor time that all of them have had."""
        return sum(time.clock_gettime((~number << 3) | 2) for number in self._family())


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def worker_rows(place: Place, note: Callable[[str], None], *, full: bool) -> list[Row]:
    """Compare one worker with two."""
    rows: list[Row] = []
    rounds, commands, total = (11, 40_000, 4000) if full else (5, 10_000, 800)
    for case, own in (("call", 1), ("command", 0)):
        note(f"one worker and two: {case}s")
        with ExitStack() as running:
            up = [running.enter_context(Service(place, workers, own)) for workers in (1, 2)]
            if own:
                samples = per_call(up, 20, total, rounds)
            else:
                samples = per_command(up, 200, commands, rounds)
        one, two = (samples[server.label] for server in up)
        name = f"{case}, 1 and 2 workers"
        for server, found in zip(up, (one, two), strict=True):
            rows.append(Row(name, server.label, _cost(found), "us", note=_said(found, case)))
        rows.append(
            compared(
                name,
                up[1].label,
                [each.cost for each in two],
                "us",
                up[0].label,
                [each.cost for each in one],
                1.05 if own else 0.0,
            )
        )
    return rows


def growth_rows(python: Path, note: Callable[[str], None], *, full: bool) -> list[Row]:
    """Compare a command among ten calls with one among ten thousand."""
    rows: list[Row] = []
    rounds, commands = (7, 60_000) if full else (2, 20_000)
    for loop in ("", "uvloop"):
        found: dict[int, list[Sample]] = {}
        with Server("typed-asyncio", python, 0, loop) as server:
            for crowd in CROWDS:
                note(f"commands of {crowd} calls at a time: {server.label}")
                found[crowd] = per_command([server], crowd, commands, rounds)[server.label]
        name = f"a command among many, {loop or 'asyncio'}"
        for crowd, samples in found.items():
            rows.append(Row(name, f"{crowd} calls", _cost(samples), "us", note=_said(samples)))
        first, last = CROWDS[0], CROWDS[-1]
        rows.append(
            compared(
                name,
                f"{last} calls",
                [each.cost for each in found[last]],
                "us",
                f"{first} calls",
                [each.cost for each in found[first]],
            )
        )
    return rows


def crowd_rows(python: Path, note: Callable[[str], None]) -> list[Row]:
    """Measure ten thousand calls that each execute a command every five seconds."""
    words = ["--calls=10000", "--ramp=2000", "--think=5", "--hold=15", "--end=hangup"]
    rows: list[Row] = []
    for loop in ("", "uvloop"):
        with Server("typed-asyncio", python, 0, loop) as server:
            note(f"10000 calls, 2000 commands a second: {server.label}")
            began = server.processor()
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.exchange",
                    "127.0.0.1",
                    str(server.port),
                    *words,
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            used = server.processor() - began
        said = json.loads(done.stdout.splitlines()[-1])
        command = said["latency_ms"]["command"]
        rows.append(
            Row(
                "10000 calls, 2000 commands a second",
                loop or "asyncio",
                command["p50"],
                "ms",
                note=f"p99 {command['p99']:.1f} ms; lost {said['lost']}; "
                f"{100 * used / said['seconds']:.0f} % of a core, the calls' beginnings included",
            )
        )
    return rows


def _cost(samples: Sequence[Sample]) -> float:
    return statistics.median(each.cost for each in samples)


def _said(samples: Sequence[Sample], what: str = "command") -> str:
    """Tell what the cost leaves out."""
    rate = statistics.median(each.rate for each in samples)
    said = [f"{rate:.0f} {what}s a second"]
    if any(each.p99 for each in samples):
        p50, p99 = (
            statistics.median(getattr(each, name) for each in samples) / 1000
            for name in ("p50", "p99")
        )
        said.append(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return "; ".join(said)
