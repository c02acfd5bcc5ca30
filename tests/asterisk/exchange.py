"""A telephone exchange for tests: a real Asterisk, private, quick to start, and gone afterwards.

```python
with Exchange(RELEASES[0]) as exchange:
    with exchange.call("agi://127.0.0.1:4573/menu?lang=en", ["first"]) as call:
        call.press("1#")
        ending = call.wait()
    assert ending.agi_status == "SUCCESS"
```

Any number of exchanges can run at once: none of them listens on the network, and each lives in a
folder of its own (see `isolation`), which is also how a test and its call exchange files.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .calls import Call, Caller, CallPlan, Far
from .configuration import write_configuration
from .console import ConsoleError, ask, quoted
from .isolation import INSIDE, Cell
from .provision import cache_folder, installed_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .provision import Release

__all__ = ["Exchange", "ExchangeError"]

SOURCES = Path(__file__).resolve().parents[2] / "src"
START_TIMEOUT = 30.0
POLL = 0.002


class ExchangeError(Exception):
    """The exchange does not work; the message ends with the last lines of its log."""


class Exchange:
    """A running Asterisk.

    Args:
        release: Which one; its tree must have been provisioned.
        sources: The folder that AGI scripts import from, as it is when the exchange starts.
        nameserver: The address of the name server that it asks; it listens on port 53.

    Attributes:
        release: Which one this is.
        version: Its exact version, as in ``22.10.1``.
        start_seconds: How long it took to start.
    """

    def __init__(
        self, release: Release, *, sources: Path = SOURCES, nameserver: str | None = None
    ) -> None:
        """Remember what to start; `start`, or entering the context, starts it."""
        self.release = release
        self.version = ""
        self.start_seconds = 0.0
        self._sources = sources
        self._nameserver = nameserver
        self._cell: Cell | None = None
        self._dialplans: set[str] = set()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def start(self) -> None:
        """Start it, on the thread that is to outlive it (see `isolation.Cell.start`).

        Raises:
            ExchangeError: The release is not provisioned, or Asterisk did not come up.
        """
        began = time.monotonic()
        version = installed_version(self.release.root)
        if version is None:
            raise ExchangeError(f"Asterisk {self.release.major} is not provisioned")
        self.version = version
        self._cell = cell = Cell(self.release.root, cache_folder() / "instances")
        try:
            write_configuration(cell.folder, self.release.root)
            # A copy, so that the other Python's caches do not end up in the working tree.
            if self._sources.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(self._sources, cell.folder / "sources", ignore=ignored)
            environment = {
                "HOME": INSIDE,
                "LANG": "C.UTF-8",
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONPATH": f"{INSIDE}/sources",
            }
            replaced: dict[str, Path] = {}
            if self._nameserver is not None:
                replaced["/etc/resolv.conf"] = cell.folder / "etc" / "resolv.conf"
                replaced["/etc/resolv.conf"].write_text(f"nameserver {self._nameserver}\n")
            cell.start(
                ["asterisk", "-f", "-n", "-q", "-C", f"{INSIDE}/etc/asterisk.conf"],
                environment=environment,
                output=cell.folder / "log" / "output",
                replaced=replaced,
            )
            self.wait_until(self._booted, START_TIMEOUT, "Asterisk to start")
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - began

    def stop(self) -> None:
        """End it, with all calls, and remove everything that it wrote."""
        if self._cell is not None:
            self._cell.stop()
            self._cell = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_details: object) -> None:
        """Stop it."""
        self.stop()

    def __repr__(self) -> str:
        """Tell which exchange it is."""
        return f"<Exchange: Asterisk {self.version or self.release.major}>"

    # Calls

    def call(
        self,
        agi: str | None,
        args: Sequence[str] = (),
        *,
        variables: Mapping[str, str] | None = None,
        caller: Caller | None = None,
        answer: bool = True,
        far: Far | None = None,
        eagi: bool = False,
        dead: bool = False,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        watch: Sequence[str] = (),
    ) -> Call:
        """Place a call and return at once.

        Args:
            agi: What the near end runs: a URL as in ``agi://127.0.0.1:4573/path?x=1``, a script
                that `script` has installed, ``agi:async``, or None for no AGI at all.
            args: The further arguments of ``AGI()``.
            variables: What is set on the near end first, names and values; names may be dialplan
                functions, and values arrive as they are. ``AGISIGHUP`` goes here.
            caller: The number and name of the caller; Asterisk says ``unknown`` if there is none.
            answer: Whether the near end answers before AGI begins. If it does not, nobody speaks at
                the far end until AGI answers, and Asterisk gives up ringing after 30 seconds.
            far: What the far end does once it is answered; by default it stays on the line.
            eagi: Run ``EAGI()`` instead.
            dead: Run AGI when the call is over, in the ``h`` extension. The call hangs up at once.
            before: Dialplan applications to run before answering, as in ``Set(X=${Y})``.
            after: Dialplan applications to run after AGI; `calls.TRACE` leaves a trace.
            watch: Variables and functions whose values `Call.wait` shall report.
        """
        plan = CallPlan(
            agi=agi,
            args=tuple(args),
            variables=dict(variables or {}),
            caller=caller or Caller(),
            answer=answer,
            far=far or Far(),
            eagi=eagi,
            dead=dead,
            before=tuple(before),
            after=tuple(after),
            watch=tuple(watch),
        )
        with self._lock:
            number = next(self._numbers)
            folder = self.folder / "calls" / str(number)
            dialplan = plan.write(folder, number)
            for old in [old for old in self._calls if old.ended]:
                (self.folder / "etc" / "calls" / f"{old.number}.conf").unlink(missing_ok=True)
                self._calls.remove(old)
            (self.folder / "etc" / "calls" / f"{number}.conf").write_text(dialplan)
            self._reload()
            call = Call(self, number, plan, folder)
            self._calls.append(call)
        ends = f"Local/near@call-{number}/n extension far@far-{number}"
        self.console(f"channel originate {ends}")
        return call

    def end_channels(self, number: int) -> None:
        """Hang up whatever belongs to a call."""
        for channel in self.channels():
            if channel.startswith(f"Local/near@call-{number}-"):
                self.console(f"channel request hangup {channel}")

    def channels(self) -> list[str]:
        """Return the names of all channels."""
        lines = self.console("core show channels concise").splitlines()
        return [line.partition("!")[0] for line in lines if "!" in line]

    # Console, dialplan, database, files

    def console(self, command: str) -> str:
        """Give a console command and return what it printed."""
        try:
            return ask(self.folder / "run", command)
        except ConsoleError as error:
            raise ExchangeError(f"{error}\n{self._tail()}") from error

    def dialplan(self, text: str) -> None:
        """Add dialplan (contexts, as in ``extensions.conf``) for as long as the exchange lives.

        Two texts with the same context add up; number contexts if tests must not share them. The
        same text again changes nothing.
        """
        with self._lock:
            if text in self._dialplans:
                return
            self._dialplans.add(text)
            (self.folder / "etc" / "extra" / f"{next(self._numbers)}.conf").write_text(f"{text}\n")
            self._reload()

    def script(self, text: str, name: str = "script") -> str:
        """Install an AGI script and return its path inside, to be given to `call`.

        Args:
            text: Python source. It imports from the sources under test. Without a ``#!`` line it
                gets one for the Python inside.
            name: A word for its file name, to be recognised by.
        """
        if not text.startswith("#!"):
            text = f"#!/usr/bin/python3\n{text}"
        relative = f"agi/{next(self._numbers)}-{name}.py"
        file = self.folder / relative
        file.write_text(text)
        file.chmod(0o755)
        return f"{INSIDE}/{relative}"

    def database_put(self, family: str, key: str, value: str) -> None:
        """Write a value into Asterisk's own database."""
        self.console(f"database put {quoted(family)} {quoted(key)} {quoted(value)}")

    def database_get(self, family: str, key: str) -> str | None:
        """Read a value from Asterisk's own database; None if there is none."""
        answer = self.console(f"database get {quoted(family)} {quoted(key)}")
        if not answer.startswith("Value: "):
            return None
        return answer.removeprefix("Value: ").removesuffix("\n")

    def database_clear(self, family: str) -> None:
        """Remove a family from Asterisk's own database."""
        self.console(f"database deltree {quoted(family)}")

    @property
    def folder(self) -> Path:
        """The exchange's folder on the host; inside it is called `isolation.INSIDE`."""
        if self._cell is None:
            raise ExchangeError("the exchange is not running")
        return self._cell.folder

    @property
    def sounds(self) -> Path:
        """Where on the host a sound or a recording with a relative name is."""
        return self.folder / "data" / "sounds"

    def recordings(self, name: str) -> list[Path]:
        """Return the files on the host that were recorded under a relative name."""
        return sorted(self.sounds.glob(f"{name}.*"))

    def inside(self, path: Path) -> str:
        """Return how a path in `folder` is called inside."""
        return f"{INSIDE}/{path.relative_to(self.folder).as_posix()}"

    @property
    def pid(self) -> int:
        """A process of the host whose end is the end of the exchange."""
        if self._cell is None:
            raise ExchangeError("the exchange is not running")
        return self._cell.pid

    def log(self, offset: int = 0) -> str:
        """Return Asterisk's log from a position on (see `log_size`)."""
        return self._log().read_bytes()[offset:].decode(errors="replace")

    def log_size(self) -> int:
        """Return how long the log is by now, in bytes."""
        return self._log().stat().st_size

    def _log(self) -> Path:
        # Until Asterisk has its own log, what it says is on its standard output.
        full = self.folder / "log" / "full"
        return full if full.exists() else self.folder / "log" / "output"

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for something that the exchange does.

        Raises:
            TimeoutError: It did not happen.
            ExchangeError: Asterisk is gone.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if self._cell is None or not self._cell.running():
                raise ExchangeError(f"Asterisk is gone; waited for {what}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:g} s for {what}\n{self._tail()}")
            time.sleep(POLL)

    def _reload(self) -> None:
        self.console("dialplan reload")

    def _booted(self) -> bool:
        try:
            return "fully booted" in ask(self.folder / "run", "core waitfullybooted", timeout=30)
        except ConsoleError:
            return False

    def _tail(self) -> str:
        if self._cell is None:
            return ""
        # Each question that was put to it is told there, too, and a test that waits puts many.
        said = [line for line in self.log().splitlines() if "Remote UNIX connection" not in line]
        told = ["-- the exchange's log:", *said[-30:]]
        with contextlib.suppress(ConsoleError):  # if it cannot be asked, its log is all there is
            told += [
                "-- its channels:",
                ask(self.folder / "run", "core show channels concise", timeout=1),
            ]
        return "\n".join(told)
