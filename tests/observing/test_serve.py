"""What ``pystrix-typed serve`` lets be seen: of all its processes, over HTTP and in the log."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from .calls import greeting, variables

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

APP = """
import logging, os
from pystrix_typed import agi
from pystrix_typed.agi import core
{imports}
server = agi.FastAGIServer(observers=[{observers}])

@server.script("pay")
def pay(session: agi.FastAGI, request: agi.Request) -> None:
    logging.getLogger("ivr").info("process %d", os.getpid())
    session.execute(core.Noop(None))
"""
OWN = ("from pystrix_typed.agi.metrics import CallMetrics", "CallMetrics()")
MAIN = "from pystrix_typed.cli import main; main()"


class Service:
    """A service that runs, and what it has logged so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.records: list[Mapping[str, object]] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            record: Mapping[str, object] = json.loads(line)
            with self._more:
                self.records.append(record)
                self._more.notify_all()

    def wait(self, pattern: str, times: int = 1) -> list[re.Match[str]]:
        """Wait until a message has come so often."""

        def found() -> list[re.Match[str]]:
            matches = [re.search(pattern, str(record["message"])) for record in self.records]
            return [match for match in matches if match]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) >= times, 30), self.records
            return found()

    @property
    def port(self) -> int:
        return int(self.wait(r"^serving .* on [\d.]+:(\d+) ")[0][1])

    def call(self) -> tuple[socket.socket, int]:
        """Place a call that goes on; give it and the process that serves it."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        served = sum(record["logger"] == "ivr" for record in self.records)
        connection.sendall(greeting(variables()))
        assert connection.recv(100) == b"NOOP\n"
        return connection, int(self.wait(r"^process (\d+)", served + 1)[-1][1])

    def get(self, path: str) -> tuple[int, str]:
        port = int(self.wait(r"^health on .*:(\d+)$")[0][1])
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with closing(client):
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    def metric(self, name: str) -> float:
        (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(value)

    def until(self, name: str, value: float) -> None:
        """Ask until a metric has a value: it is counted a moment after the log says so."""
        patience = time.monotonic() + 30
        while self.metric(name) != value:
            assert time.monotonic() < patience

    def join(self) -> int:
        code = self.process.wait(30)
        self._reader.join(30)
        return code


@contextmanager
def service(folder: Path, imports: str = "", observers: str = "") -> Generator[Service, None, None]:
    (folder / "counted.py").write_text(APP.format(imports=imports, observers=observers))
    options = ["--port", "0", "--workers", "2", "--health", "127.0.0.1:0", "--metrics"]
    options += ["--log-format", "json", "--app-dir", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "serve", "counted:server", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "", "TMPDIR": str(folder), "PYTHONPATH": ":".join(sys.path)},
    ) as process:
        running = Service(process)
        try:
            running.wait("^serving ")
            yield running
        finally:
            process.terminate()
            running.join()


@pytest.mark.parametrize("own", [("", ""), OWN], ids=["serve's", "the program's own"])
def test_the_processes_are_counted_together(tmp_path: Path, own: tuple[str, str]) -> None:
    with service(tmp_path, *own) as running:
        assert running.get("/readyz")[0] == 200
        assert running.get("/healthz") == (200, "alive\n")
        calls = [running.call() for _ in range(6)]
        assert running.metric("fastagi_connections_total") == 6
        assert running.metric("fastagi_calls_live") == 6
        assert running.metric('fastagi_server_state{state="serving"}') == 2
        for connection, _ in calls:
            connection.sendall(b"200 result=0\n")
            assert connection.recv(1) == b""
            connection.close()
        running.wait("completed after", 6)
        running.until("fastagi_calls_live", 0)
        assert running.metric('fastagi_commands_total{command="NOOP",outcome="done"}') == 6
        running.process.terminate()
        assert running.join() == 0
    ends = [record for record in running.records if "outcome" in record]
    assert {record["outcome"] for record in ends} == {"completed"}
    told = {record["call_id"] for record in running.records if record["logger"] == "ivr"}
    assert told == {record["call_id"] for record in ends}
    assert len(told) == 6
    # The directory in which they counted is gone.
    assert [entry for entry in tmp_path.iterdir() if "metrics" in entry.name] == []


def test_what_a_killed_worker_was_doing_is_counted_no_more(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        connection, worker = running.call()
        with connection:
            assert running.metric("fastagi_calls_live") == 1
            os.kill(worker, signal.SIGKILL)
            # Another has taken its place when both serve again.
            running.wait("the server is serving", 3)
            assert running.metric("fastagi_calls_live") == 0
            assert running.metric("fastagi_connections_total") == 1
            assert running.metric('fastagi_server_state{state="serving"}') == 2
