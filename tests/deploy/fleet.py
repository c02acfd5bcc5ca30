"""Many calls at a time, placed by a real Asterisk; what became of each is what Asterisk says.

A call is lost unless its dialplan comes to the end with AGISTATUS=SUCCESS and the variable that the
call flow sets last: a connection that just ends is a success to Asterisk.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from .machines import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.asterisk.exchange import Exchange

__all__ = ["Fleet", "Served"]

_numbers = itertools.count(1)

DIALPLAN = """\
[fleet-{number}]
exten => _X.,1,Set(CALL=${{EXTEN}})
 same => n,Answer()
 same => n,AGI({url}?fleet={number},${{EXTEN}})
 same => n,Hangup()
exten => h,1,Set(FILE(/mnt/fleets/{number}/ended/${{CALL}})=${{AGISTATUS}} ${{FINISHED}})
[callers-{number}]
exten => far,1,Answer()
 same => n,Wait(300)
"""


class Served(NamedTuple):
    """What a call left at its beginning: which server took it, and whom that took it from."""

    server: str
    host: str
    port: int


class Fleet:
    """Calls to one address, which go on until they are released.

    Args:
        exchange: The Asterisk that places them.
        url: Where to, with a path.
    """

    def __init__(self, exchange: Exchange, url: str) -> None:
        self._exchange = exchange
        self._number = next(_numbers)
        self._placed = 0
        self.folder: Path = exchange.folder / "fleets" / str(self._number)
        for name in ("begun", "ended"):
            (self.folder / name).mkdir(parents=True)
        exchange.dialplan(DIALPLAN.format(number=self._number, url=url))

    def place(self, count: int) -> None:
        """Place some more calls."""
        context = f"fleet-{self._number}"
        for _ in range(count):
            self._placed += 1
            number = f"{self._placed:04}"
            ends = f"Local/{number}@{context}/n extension far@callers-{self._number}"
            self._exchange.console(f"channel originate {ends}")

    def wait_for(self, count: int, seconds: float = 30) -> None:
        """Wait until so many calls have begun."""
        begun = self.folder / "begun"
        try:
            wait_until(lambda: _count(begun) >= count, seconds, f"{count} calls to begin")
        except TimeoutError as error:
            ended = _count(self.folder / "ended")
            raise TimeoutError(f"{error}: {_count(begun)} have, {ended} have ended") from None

    @property
    def under_way(self) -> int:
        """How many calls have begun and not ended."""
        return _count(self.folder / "begun") - _count(self.folder / "ended")

    def release(self) -> None:
        """Let the calls end."""
        self._exchange.console(f"dialplan set global RELEASED{self._number} yes")

    def wait(self, seconds: float = 60) -> None:
        """Wait until every call that was placed has ended."""
        folder = self.folder / "ended"
        wait_until(lambda: _count(folder) >= self._placed, seconds, "the calls to end")

    def served(self) -> dict[str, Served]:
        """Give what the calls left at their beginnings, by number."""
        found: dict[str, Served] = {}
        for file in _files(self.folder / "begun"):
            server, host, port = file.read_text().split()
            found[file.name] = Served(server, host, int(port))
        return found

    def lost(self) -> dict[str, str]:
        """Give the calls that did not end as they should, by number, and how they did."""
        wrong: dict[str, str] = {}
        served = self.served()
        for number in (f"{each:04}" for each in range(1, self._placed + 1)):
            file = self.folder / "ended" / number
            said = file.read_text().strip() if file.exists() else "no end"
            began = served[number].server if number in served else "no server"
            if said != f"SUCCESS {began}":
                wrong[number] = f"{began}: {said}"
        return wrong


def _files(folder: Path) -> Iterable[Path]:
    return [file for file in folder.iterdir() if file.stat().st_size]


def _count(folder: Path) -> int:
    return len(list(_files(folder)))
