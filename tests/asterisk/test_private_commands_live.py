"""The example of commands of one's own: its module in a real Asterisk, and calls that use it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core

from .calls import Caller, Far
from .isolation import INSIDE
from .near import Near, Transport

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .exchange import Exchange

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "private_commands"
SCRIPT = EXAMPLE / "open_ticket.py"
LIMIT = 30
#: Asterisk looks for a module below its folder for modules, which is not ours to write to.
MODULE = f"../../../../..{INSIDE}/tickets/res_tickets.so"


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the generated package."""
    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    yield import_module("ticket_agi")
    for name in [name for name in sys.modules if name.partition(".")[0] == "ticket_agi"]:
        del sys.modules[name]


@pytest.fixture
def desk(latest: Exchange) -> Generator[Exchange, None, None]:
    """Give the exchange with the module in it."""
    compiler = shutil.which("cc")
    headers = latest.release.root / "usr" / "include"
    if compiler is None or not (headers / "asterisk.h").exists():
        pytest.skip("a module of Asterisk is compiled: that needs a C compiler, and its headers")
    folder = latest.folder / "tickets"
    folder.mkdir(exist_ok=True)
    made, source = str(folder / "res_tickets.so"), str(EXAMPLE / "res_tickets.c")
    command = [compiler, "-shared", "-fPIC", "-I", str(headers), "-o", made, source]
    subprocess.run(command, check=True, timeout=LIMIT)
    assert "Loaded" in latest.console(f"module load {MODULE}")
    yield latest
    latest.console("dialplan set global DESK open")
    latest.wait_until(lambda: not latest.channels(), 5, "the call to end")
    # By force: a command that failed leaves a use behind.
    assert "Unloaded" in latest.console(f"module unload -f {MODULE}")


def test_each_outcome(desk: Exchange, tickets: Any) -> None:
    def flow(session: agi.Session) -> list[object]:
        first = session.execute(tickets.TicketOpen('A "loud" hum', "urgent", 300))
        second = session.execute(tickets.TicketOpen("Hum"))
        found: list[object] = [(each.number, each.position) for each in (first, second)]
        found.append(session.execute(tickets.TicketRead(second.number)))
        found.append(session.execute(tickets.TicketRead(first.number, "#")))
        session.execute(core.SetVariable("GLOBAL(DESK)", "closed"))
        for action in (tickets.TicketOpen("Fire", "urgent"), tickets.TicketRead(1)):
            with pytest.raises(agi.AGIAppError) as failed:
                session.execute(action)
            found.append(str(failed.value))
        return found

    far = Far().wait(3).press("#")
    found = Near(desk, Transport.FASTAGI).run(flow, far=far)[0]
    first, second, whole, ended, closed, unknown = found
    assert (first, second) == ((4711, 1), (4712, 2))
    assert (whole, ended) == (core.DigitResult(None), core.DigitResult("#"))
    assert "the desk is closed" in str(closed)
    assert "there is no such ticket" in str(unknown)


def test_a_caller_who_hangs_up_is_no_missing_ticket(desk: Exchange, tickets: Any) -> None:
    def flow(session: agi.Session) -> str:
        number = session.execute(tickets.TicketOpen("A long story, told slowly")).number
        with pytest.raises(agi.AGIHangup) as gone:
            session.execute(tickets.TicketRead(number))
        return type(gone.value).__name__

    value, ending = Near(desk, Transport.FASTAGI).run(flow, far=Far().wait(1).hangup())
    assert value in {"AGIResultHangup", "AGISIGHUPHangup"}
    assert ending.agi_status == "HANGUP"


def install(exchange: Exchange) -> str:
    """Put the script and the package beside each other; give the script's path inside."""
    shutil.copytree(
        EXAMPLE / "ticket_agi", exchange.folder / "agi" / "ticket_agi", dirs_exist_ok=True
    )
    return exchange.script(SCRIPT.read_text(), "open_ticket")


def test_the_script(desk: Exchange) -> None:
    far = Far().wait(0.3).press("1").wait(5).press("#")
    with desk.call(
        install(desk), far=far, answer=False, caller=Caller("5550123"), watch=["TICKET"]
    ) as call:
        ending = call.wait(LIMIT)
    assert (ending.agi_status, ending.variables["TICKET"]) == ("SUCCESS", "4711")


def test_an_exchange_without_the_module(exchange: Exchange, tickets: Any) -> None:
    def flow(session: agi.Session) -> str:
        with pytest.raises((agi.AGIInvalidCommandError, agi.AGIVersionError)) as refused:
            session.execute(tickets.TicketOpen("Hum"))
        return str(refused.value)

    said = Near(exchange, Transport.FASTAGI).run(flow)[0]
    wanted = "came with Asterisk 18" if exchange.release.major == 16 else "res_tickets.so"
    assert wanted in str(said)
