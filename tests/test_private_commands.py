"""The example of commands of one's own: generated, typed, and put over the wire."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codegen.__main__ import main
from pystrix_typed import agi
from pystrix_typed.testing import SimulatedAsterisk

from .checkers import CHECKERS, PACKAGES
from .peer import ENVIRONMENT, Asterisk, scripted, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from pystrix_typed.agi.record import Action
    from pystrix_typed.testing import SimulatedChannel

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "private_commands"
SCRIPT = EXAMPLE / "open_ticket.py"
LIMIT = 60


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Give the generated package, found the way that the script finds it."""
    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    yield import_module("ticket_agi")
    for name in [name for name in sys.modules if name.partition(".")[0] == "ticket_agi"]:
        del sys.modules[name]


def execute(action: Action[object], reply: bytes, version: bytes = b"22.10.1") -> object:
    """Execute an action on a call over a socket; the peer takes it apart and answers."""
    near, far = socket.socketpair()
    descriptor = far.detach()
    asterisk = Asterisk(scripted(reply))
    greeting = ENVIRONMENT.replace(b"22.10.1", version)
    with serve(asterisk, descriptor, descriptor, greeting), agi.FastAGI(near) as session:
        result = session.execute(action)
    assert asterisk.violations == []
    assert asterisk.heard == [action.line.strip()]
    return result


def test_the_package_is_what_the_spec_gives(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--spec", str(EXAMPLE / "spec"), "--out", str(EXAMPLE / "ticket_agi"), "--check"]
    assert main(options) == 0, capsys.readouterr().out


def test_an_action_of_ones_own_is_executed(tickets: ModuleType) -> None:
    action = tickets.TicketOpen('A "loud" hum', tickets.Urgency.URGENT, timedelta(minutes=5))
    assert action.line == b'TICKET OPEN "A \\"loud\\" hum" "urgent" 300\n'
    assert execute(action, b"200 result=4711 position=3\n") == tickets.TicketResult(4711, 3)


def test_its_failures_are_exceptions_like_any_other(tickets: ModuleType) -> None:
    action = tickets.TicketOpen("Fire", "urgent")
    with pytest.raises(agi.AGIAppError, match="TICKET OPEN: the desk is closed"):
        execute(action, b"200 result=0 (closed)\n")
    with pytest.raises(agi.AGIInvalidCommandError, match=r"res_tickets\.so, which brings it"):
        execute(action, b"510 Invalid or unknown command\n")
    with pytest.raises(agi.AGIVersionError, match="the command came with Asterisk 18"):
        execute(action, b"", b"16.28.0")
    with pytest.raises(ValueError, match="TicketOpen"):
        tickets.TicketOpen("")


def test_it_may_report_what_the_package_knows(tickets: ModuleType) -> None:
    result = execute(tickets.TicketRead(4711, "#"), b"200 result=35\n")
    assert result == agi.core.DigitResult("#")


def test_the_script_runs_as_asterisk_would_run_it() -> None:
    asterisk = Asterisk(
        scripted(
            b"200 result=0\n",
            b"200 result=1 (timeout)\n",
            b"200 result=4711 position=3\n",
            b"200 result=1\n",
            b"200 result=0\n",
            b"200 result=35\n",
            b"200 result=1\n",
        )
    )
    stdin, replies = os.pipe()
    commands, stdout = os.pipe()
    path = os.pathsep.join(filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH", "")]))
    greeting = ENVIRONMENT.replace(b"unknown", b"5551234")
    with serve(asterisk, commands, replies, greeting):
        done = subprocess.run(
            [sys.executable, str(SCRIPT)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        os.close(stdin)
        os.close(stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert asterisk.violations == []
    assert asterisk.heard == [
        b"ANSWER",
        b'GET DATA "vm-Urgent" 3000 1',
        b'TICKET OPEN "Call of 5551234" "urgent"',
        b'SET VARIABLE "TICKET" "4711"',
        b'SAY NUMBER 4711 ""',
        b'TICKET READ 4711 "#"',
        b'VERBOSE "ticket 4711: the caller heard enough" 1',
    ]


def test_the_simulator_knows_them(tickets: ModuleType) -> None:
    catalogue = import_module("ticket_agi.catalogue")

    def flow(session: agi.FastAGI) -> list[object]:
        opened = session.execute(tickets.TicketOpen("Hum", "urgent"))
        read = session.execute(tickets.TicketRead(opened.number, "#"))
        return [opened, read]

    results: list[object] = []
    asterisk = SimulatedAsterisk(commands=catalogue.COMMANDS)
    asterisk.call(lambda session: results.extend(flow(session)))
    assert isinstance(results[0], tickets.TicketResult)
    asked: list[list[str]] = []

    def answer(_channel: SimulatedChannel, arguments: list[str]) -> str:
        asked.append(arguments)
        return "200 result=7 position=1"

    asterisk = SimulatedAsterisk(commands=catalogue.COMMANDS, answers={"Ticket Open": answer})
    call = asterisk.call(lambda session: results.extend(flow(session)))
    assert results[2] == tickets.TicketResult(7, 1)
    assert asked == [["Hum", "urgent"]]
    assert call.transcript.commands[1] == 'TICKET READ 7 "#"'
    # Without them, or on an older one, it is not known; and words are counted.
    for other in (SimulatedAsterisk(), SimulatedAsterisk("16.28.0", commands=catalogue.COMMANDS)):
        made = other.prepare()
        made.begin()
        made.output()
        made.feed(b"TICKET OPEN x urgent\n")
        assert made.output() == b"510 Invalid or unknown command\n"
    made = asterisk.prepare()
    made.begin()
    made.output()
    made.feed(b"TICKET OPEN\n")
    assert made.output().startswith(b"520")


WRONG = """\
from ticket_agi import TicketOpen, TicketRead
from pystrix_typed import agi


def call(session: agi.AGI) -> str:
    TicketRead("4711")  # mypy: arg-type; pyright: reportArgumentType
    TicketOpen("Hum", "soon")  # mypy: arg-type; pyright: reportArgumentType
    return session.execute(TicketRead(4711))  # mypy: return-value; pyright: reportReturnType
"""


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_package_is_typed_strictly(checker: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "ticket_agi", tmp_path / "ticket_agi")
    assert CHECKERS[checker]([SCRIPT], tmp_path) == set()
    wrong = tmp_path / "source" / "wrong.py"
    wrong.parent.mkdir()
    wrong.write_text(WRONG, encoding="utf-8")
    found = {(finding.line, finding.what) for finding in CHECKERS[checker]([wrong], tmp_path)}
    mypy = {(6, "arg-type"), (7, "arg-type"), (8, "return-value")}
    pyright = {
        (6, "reportArgumentType"),
        (7, "reportArgumentType"),
        (8, "reportReturnType"),
    }
    assert found == (mypy if checker == "mypy" else pyright)
