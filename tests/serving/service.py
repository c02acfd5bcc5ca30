"""A service in a process of its own, watched through what it logs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

__all__ = ["PATIENCE", "PROGRAMS", "ROOT", "Service", "alive", "load", "service", "write"]

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0

#: ``talk`` gives as many commands as the query says; each call first says which process serves it.
PROGRAMS = {
    "blocking": """
        import os
        from pystrix_typed import agi

        server = agi.FastAGIServer()

        @server.script("talk")
        def talk(session, request):
            session.execute(agi.core.Verbose(f"worker {os.getpid()}"))
            for _ in range(int(request.query["n"])):
                session.execute(agi.core.WaitForDigit(100))
    """,
    "asyncio": """
        import os
        from pystrix_typed import agi

        server = agi.aio.FastAGIServer()

        @server.script("talk")
        async def talk(session, request):
            await session.execute(agi.core.Verbose(f"worker {os.getpid()}"))
            for _ in range(int(request.query["n"])):
                await session.execute(agi.core.WaitForDigit(100))
    """,
}


def write(folder: Path, program: str, name: str = "app") -> None:
    """Write a program; one of `PROGRAMS` by its name."""
    (folder / f"{name}.py").write_text(textwrap.dedent(PROGRAMS.get(program, program)))


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be asked for its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Service:
    """A running service."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._news = threading.Condition()
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()
        with self._news:
            self.lines.append("<end>")
            self._news.notify_all()

    def wait(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Wait until so many lines of the log hold a pattern; give the last one's match."""
        with self._news:

            def there() -> bool:
                return len(self.found(pattern)) >= count

            assert self._news.wait_for(there, PATIENCE), f"no {pattern!r} in {self.lines}"
            return self.found(pattern)[count - 1]

    def found(self, pattern: str) -> list[re.Match[str]]:
        return [match for line in self.lines if (match := re.search(pattern, line))]

    @property
    def address(self) -> tuple[str, int]:
        match = self.wait(r"serving \S+ on (\S+):(\d+) with")
        return match[1], int(match[2])

    def workers(self) -> list[int]:
        """Give the process ids of the workers."""
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z":
                found.append(int(folder.name))
        return sorted(found)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """End it in order, and give its exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def service(
    folder: Path,
    *options: str,
    target: str = "app",
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    wrapper: Sequence[str] = (),
) -> Generator[Service, None, None]:
    """Run a service; nothing of it is left afterwards."""
    process = subprocess.Popen(
        [
            *wrapper,
            sys.executable,
            "-m",
            "pystrix_typed",
            "serve",
            target,
            f"--app-dir={folder}",
            *([] if any(each.startswith("--port") for each in options) else ["--port=0"]),
            *options,
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        pass_fds=pass_fds,
    )
    running = Service(process)
    children: list[int] = []
    try:
        yield running
    finally:
        children = running.workers()
        if process.poll() is None:
            process.terminate()
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        running.reader.join(PATIENCE)
        assert process.stderr is not None
        process.stderr.close()
    # Their ends are noticed when the last of them has closed the log.
    assert not running.reader.is_alive()
    assert [pid for pid in children if alive(pid)] == []


class Load:
    """A load client in a process of its own, whose calls last until they are told to end."""

    def __init__(self, address: tuple[str, int], *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.exchange", *options, address[0], str(address[1])],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        out, _ = self.process.communicate(timeout=60)
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


@contextmanager
def load(address: tuple[str, int], *options: str) -> Generator[Load, None, None]:
    """Run a load client."""
    running = Load(address, *options)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()
