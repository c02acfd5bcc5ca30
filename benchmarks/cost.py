"""What servers cost: processor time per command and per call, and memory per idle call.

Processor time is what the kernel counts for the server's process, because wall time lies on a busy
machine. All servers of a comparison run at the same time and are asked in turns, so that a ratio
compares the same minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

__all__ = ["HERE", "Sample", "Server", "idle_memory", "per_call", "per_command"]

HERE = Path(__file__).parent
SERVERS = HERE / "servers.py"


@dataclass(frozen=True)
class Sample:
    """One measurement of one server.

    Attributes:
        cost: Microseconds of the server's processor time for each command, or call.
        client: The same of the process that plays Asterisk.
        rate: Commands, or calls, per second.
        p50: Microseconds from a reply to the next command, half of them less; 0 for calls.
        p99: The same, 99 of 100.
    """

    cost: float
    client: float
    rate: float
    p50: float = 0.0
    p99: float = 0.0


@dataclass
class Server:
    """A server under measurement, for as long as it is entered."""

    name: str
    python: Path
    commands: int = 0
    loop: str = ""
    label: str = field(init=False)
    port: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.label = f"{self.name} ({self.loop})" if self.loop else self.name
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.port = self._start()
        return self

    def _start(self) -> int:
        """Start it, and give its port."""
        # pystrix asks sysctl, which lives with the administrator's programs.
        environment = {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "BENCH_LOOP": self.loop}
        # The open file limit is what a call costs first.
        command = f'ulimit -n "$(ulimit -Hn)"; exec "{self.python}" "{SERVERS}" "$@"'
        words = [self.name, "--commands", str(self.commands)]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command, "sh", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._stop()

    def _stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def processor(self) -> float:
        """Give the seconds of processor time that the process has had, all its threads included."""
        assert self._process is not None
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def memory(self) -> int:
        """Give the bytes that are the process's own."""
        assert self._process is not None
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        wanted = ("Private_Clean:", "Private_Dirty:", "Swap:")
        lines = [line.split() for line in rollup.splitlines()]
        return 1024 * sum(int(line[1]) for line in lines if line[0] in wanted)


def _pinged(
    server: Server, words: Sequence[str], read: Callable[[], float]
) -> tuple[float, dict[str, float]]:
    """Run the client; give by how much a reading of the server grew meanwhile, and what it said."""
    command = [sys.executable, "-m", "benchmarks.pinger", words[0], str(server.port), *words[1:]]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        readings: list[float] = []
        for event in ("start", "end"):
            line = client.stdout.readline()
            if json.loads(line or "{}").get("event") != event:
                raise SystemExit(f"{server.label}: the client stopped: {line!r}")
            readings.append(read())
            client.stdin.write("\n")
            client.stdin.flush()
        said: dict[str, float] = json.loads(client.stdout.readline())
    return readings[1] - readings[0], said


def _sample(server: Server, words: Sequence[str]) -> Sample:
    seconds, said = _pinged(server, words, server.processor)
    count = said["count"]
    return Sample(
        seconds / count * 1e6,
        said["client_cpu"] / count * 1e6,
        count / said["seconds"],
        said.get("p50", 0.0) * 1e6,
        said.get("p99", 0.0) * 1e6,
    )


def per_command(servers: Sequence[Server], calls: int, commands: int, rounds: int) -> Samples:
    """Measure commands: `commands` in all, on `calls` calls at a time, in each round."""
    words = ["ping", str(calls), str(max(2, commands // calls))]
    return _rounds(servers, words, rounds)


def per_call(servers: Sequence[Server], calls: int, total: int, rounds: int) -> Samples:
    """Measure calls of one command: connect, variables, route, command, end."""
    return _rounds(servers, ["calls", str(calls), str(total)], rounds)


Samples = dict[str, list[Sample]]


def _rounds(servers: Sequence[Server], words: Sequence[str], rounds: int) -> Samples:
    found: Samples = {server.label: [] for server in servers}
    for turn in range(rounds + 1):
        for server in servers:
            sample = _sample(server, words)
            if turn:  # the first one warms up
                found[server.label].append(sample)
    return found


def idle_memory(server: Server, calls: int) -> float:
    """Give the bytes that each of some idle calls takes; the server must be a new one."""
    # The first call loads and allocates what all share.
    _pinged(server, ["idle", "1"], server.memory)
    grown, _ = _pinged(server, ["idle", str(calls)], server.memory)
    return grown / calls
