"""The machines of a deployment, each a process with a loopback address of its own.

They run the files of ``deploy`` as they are, but for the network: ``10.20.0.`` becomes a part of
127.0.0.0/8, which on Linux is this machine to the last address. So ports are the usual ones, and
runs do not get in each other's way.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from .provision import find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["ROOT", "Balancer", "Machine", "NameServer", "Network", "Server", "wait_until"]

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
#: Where Asterisk connects from: what the kernel takes for connections within loopback.
ASTERISK = "127.0.0.1"
POLL = 0.02


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something that another process does.

    Raises:
        TimeoutError: It did not happen.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(POLL)


class Network:
    """A network of machines on loopback, and a folder for what they need and say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        second, third = 64 + secrets.randbelow(64), secrets.randbelow(256)
        self._prefix = f"127.{second}.{third}."

    def address(self, host: int) -> str:
        """Give the address of the machine that the files of ``deploy`` call ``10.20.0.host``."""
        return f"{self._prefix}{host}"

    def moved(self, name: str) -> str:
        """Give a file of ``deploy`` with the addresses of this network."""
        text = (DEPLOY / name).read_text(encoding="utf-8")
        return text.replace("10.20.0.0/24", ASTERISK).replace("10.20.0.", self._prefix)


class Machine:
    """A process, ended with the block at the latest; with this process, too."""

    def __init__(self, network: Network, name: str) -> None:
        self.network = network
        self.name = name
        self._log = network.folder / f"{name}.log"
        #: Where what this process says begins, behind those that were here before it.
        self._log_begin = self._log.stat().st_size if self._log.exists() else 0
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def log(self) -> str:
        """Give what it has said."""
        if not self._log.exists():
            return ""
        return self._log.read_bytes()[self._log_begin :].decode(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def expect(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait for something that it does.

        Raises:
            TimeoutError: It did not happen.
            RuntimeError: The process has ended.
        """

        def happened() -> bool:
            if not self.runs:
                raise RuntimeError(
                    f"{self.name} has ended; waited for {what}\n{self.log()[-2000:]}"
                )
            return bool(condition())

        try:
            wait_until(happened, seconds, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n-- {self.name}:\n{self.log()[-2000:]}") from None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for the end of the process, and give its exit status."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.stop()


class Server(Machine):
    """A FastAGI server at port 4573, with its readiness at 9573.

    Args:
        network: Where it is.
        name: What it is called.
        host: The last number of its address.
        attribute: Which server of `callflow`.
        options: Further options of ``pystrix-typed serve``.
    """

    def __init__(
        self, network: Network, name: str, host: int, attribute: str, *options: str
    ) -> None:
        super().__init__(network, name)
        self.address = network.address(host)
        self._command = [
            *(sys.executable, "-m", "pystrix_typed", "serve", f"tests.deploy.callflow:{attribute}"),
            *("--host", self.address, "--health", f"{self.address}:9573", "--drain", "60"),
            *options,
        ]

    def start(self) -> Self:
        """Start it, and wait until it is ready."""
        self._start(self._command, {"DEPLOY_NAME": self.name})
        self.expect(lambda: self.readiness() == 200, 20, f"{self.name} to be ready")
        return self

    def readiness(self) -> int:
        """Give the status that ``/readyz`` answers; 0 for none."""
        try:
            with socket.create_connection((self.address, 9573), 2) as connection:
                connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                answer = connection.makefile("rb").readline().split()
        except OSError:
            return 0
        return int(answer[1]) if len(answer) > 1 else 0

    def restarted(self) -> bool:
        """Tell whether each of its two workers has a successor."""
        return self.log().count("the server is serving") == 4

    def drain(self) -> None:
        """Tell it to end once its calls have ended."""
        self.signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it and its workers now."""
        for _ in range(2):
            if self.runs:
                self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(20)
        super().stop()


class Row(NamedTuple):
    """What the balancer says of a server."""

    status: str
    sessions: int
    total: int
    failed: int
    redispatched: int


class Balancer(Machine):
    """HAProxy with ``deploy/haproxy.cfg``."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, "haproxy")
        self.address = network.address(1)
        self._socket = network.folder / "admin.sock"

    def configuration(self) -> str:
        """Give the file of ``deploy``, moved to this network."""
        text = self.network.moved("haproxy.cfg")
        for old, new in (
            ("log /dev/log local0", "log stdout format raw local0"),
            ("/run/haproxy/admin.sock", str(self._socket)),
            # Not every machine lets a process open 40,000 descriptors.
            ("maxconn 20000", "maxconn 4000"),
            # Or the kernel would choose Asterisk's address for it, and PROXY headers prove nothing.
            ("balance leastconn", f"balance leastconn\n    source {self.address}"),
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    def start(self, status: str = "UP") -> Self:
        """Start it, and wait until every server has a status."""
        program = find("haproxy")
        assert program
        file = self.network.folder / "haproxy.cfg"
        file.write_text(self.configuration(), encoding="utf-8")
        self._start([program, "-W", "-f", str(file)])
        self.expect(lambda: self._all_are(status), 20, f"the servers to be {status}")
        return self

    def _all_are(self, status: str) -> bool:
        if not self._socket.exists():
            return False
        try:
            return {row.status for row in self.servers().values()} == {status}
        except OSError:
            return False

    def ask(self, command: str) -> str:
        """Give a command to the admin socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._socket))
            connection.sendall(f"{command}\n".encode())
            return connection.makefile("rb").read().decode()

    def servers(self) -> dict[str, Row]:
        """Give what it says of each server."""
        head, *lines = self.ask("show stat").splitlines()
        names = head.removeprefix("# ").split(",")
        rows: dict[str, Row] = {}
        for line in lines:
            row = dict(zip(names, line.split(","), strict=False))
            if row.get("pxname") == "servers" and row.get("svname") not in {"BACKEND", "FRONTEND"}:
                numbers = [int(row[name] or 0) for name in ("scur", "stot", "econ", "wredis")]
                rows[row["svname"]] = Row(row["status"].split()[0], *numbers)
        return rows


class NameServer(Machine):
    """dnsmasq with ``deploy/dnsmasq.conf``.

    Args:
        network: Where it is.
        more: Further lines of the configuration.
    """

    def __init__(self, network: Network, *more: str) -> None:
        super().__init__(network, "dnsmasq")
        self.address = network.address(53)
        self._more = more

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        program = find("dnsmasq")
        assert program
        file = self.network.folder / "dnsmasq.conf"
        lines = [self.network.moved("dnsmasq.conf"), *self._more, ""]
        file.write_text("\n".join(lines), encoding="utf-8")
        self._start([program, "--keep-in-foreground", "--log-facility=-", "-q", "-C", str(file)])
        self.expect(self._listens, 10, "dnsmasq to listen")
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.address, 53), 1).close()
        except OSError:
            return False
        return True
