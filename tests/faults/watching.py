"""A server, a load and an attack, each in processes of its own, and what they use."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from benchmarks.caller import REPLIES

from .attack import block

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Attack", "Load", "Server", "Usage", "call", "wait_until"]

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
MEBI = 1 << 20


class Usage(NamedTuple):
    """What a process has in use; `memory` is what is resident, in bytes."""

    threads: int
    descriptors: int
    memory: int


def usage(pid: int) -> Usage:
    """Read it from the system, not from the process."""
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text().split()[1])
    return Usage(
        len(list((folder / "task").iterdir())),
        len(list((folder / "fd").iterdir())),
        pages * os.sysconf("SC_PAGE_SIZE"),
    )


def cpu(pid: int) -> float:
    """Give the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(true: Callable[[], object], patience: float) -> bool:
    """Look again and again, for what no process tells of; tell whether it came true."""
    until = time.monotonic() + patience
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def call(port: int, script: str = "talk?n=1", expected: int = 4, patience: float = 5.0) -> bool:
    """Place one short call; tell whether it was served to its end, with so many commands."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
            connection.sendall(block(script))
            commands = 0
            while data := connection.recv(4096):
                commands += 1
                reply = next(reply for start, reply in REPLIES if data.startswith(start))
                connection.sendall(reply.replace(b"%b", b"probe"))
            return commands == expected
    except OSError:
        return False


class Child:
    """A Python process that prints JSON objects."""

    def __init__(self, *command: str, log: Any = subprocess.DEVNULL, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        self.pid = self.process.pid
        self._read = b""

    def hear(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Give the next object."""
        assert self.process.stdout is not None
        until = time.monotonic() + patience
        while b"\n" not in self._read:
            left = max(0.0, until - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise TimeoutError(f"{self.process.args!r} says nothing for {patience} s")
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError(f"{self.process.args!r} has ended")
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def tell(self, order: str) -> None:
        """Write a line to its stdin."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and said all that it had to say
            self.process.stdin.write(order.encode() + b"\n")
            self.process.stdin.flush()

    def close(self) -> None:
        """End it, if it has not ended by itself."""
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server(Child):
    """A server of either kind."""

    def __init__(self, kind: str, descriptors: int = 0, **options: object) -> None:
        self.kind = kind
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as this
        options = {"handshake_timeout": 2.0, **options}
        super().__init__(
            "-m",
            f"tests.faults.server_{kind}",
            log=self._log,
            FAULTS_OPTIONS=json.dumps(options),
            FAULTS_DESCRIPTORS=str(descriptors),
            # Python's own allocator keeps what it once had. This one gives back what is free, so
            # that what is left is in use.
            PYTHONMALLOC="malloc",
        )
        self.port: int = self.hear()["port"]

    @property
    def usage(self) -> Usage:
        """What it has in use at the moment."""
        return usage(self.pid)

    def settled(self) -> tuple[Usage, int]:
        """Give what it has in use once what is free was given back, and how many objects it has."""
        os.kill(self.pid, signal.SIGUSR1)
        objects: int = self.hear()["objects"]
        return self.usage, objects

    def log(self) -> str:
        """Give what it has written to its log."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def stop(self) -> int:
        """Have it end in order; give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it at once."""
        super().close()
        self._log.close()


class Load(Child):
    """Calls that behave: any of them that is lost is the server's fault."""

    def __init__(self, port: int, calls: int, *options: str) -> None:
        command = ["-m", "benchmarks.exchange", "127.0.0.1", str(port), f"--calls={calls}"]
        super().__init__(*command, "--steered", *options)

    @classmethod
    def held(cls, port: int, calls: int, think: float = 0.1, *options: str) -> Self:
        """Have calls that talk until the end."""
        return cls(port, calls, f"--total={calls}", f"--think={think}", "--end=hangup", *options)

    @classmethod
    def brief(cls, port: int, calls: int, *options: str) -> Self:
        """Have short calls, one after the other, each counted in whole."""
        return cls(port, calls, "--script=talk?n=3", "--commands=10", "--think=0.02", *options)

    def up(self) -> Self:
        """Wait until all calls are up."""
        self.hear()
        return self

    def so_far(self) -> dict[str, Any]:
        """Give the numbers so far."""
        self.tell("tell")
        return self.hear()

    def end(self) -> dict[str, Any]:
        """Have the calls end as planned; give the numbers."""
        self.tell("end")
        return self.hear()


class Attack(Child):
    """What goes wrong; `tests.faults.attack` has them all."""

    def __init__(self, name: str, port: int, count: int) -> None:
        super().__init__("-m", "tests.faults.attack", name, str(port), str(count))
