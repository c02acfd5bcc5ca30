"""The script on the simulator, which knows the module's commands from the generated catalogue."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ticket_agi.catalogue import COMMANDS

from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk, SimulatedCall

SCRIPT = Path(__file__).parent / "open_ticket.py"
SOUNDS = {"vm-Urgent": 0.5, "vm-nobodyavail": 1.0}
CALLER = Caller("5550123").hears("vm-Urgent")


def place(caller: Caller, *faults: HungUp, **answers: str) -> SimulatedCall:
    """Run the script in a process; a command answers its first good example, or what is given."""
    asterisk = SimulatedAsterisk(
        sounds=SOUNDS,
        commands=COMMANDS,
        answers={command.replace("_", " "): answer for command, answer in answers.items()},
    )
    return asterisk.run_script([sys.executable, str(SCRIPT)], caller=caller, faults=faults)


def test_a_ticket() -> None:
    call = place(CALLER)
    assert 'TICKET OPEN "Call of 5550123" "normal"' in call.transcript.commands
    assert call.variables["TICKET"] == "4711"
    assert call.said == ["4711"]
    assert call.agistatus == "SUCCESS"


def test_an_urgent_one() -> None:
    call = place(CALLER.presses("1"), TICKET_READ="200 result=35")
    assert 'TICKET OPEN "Call of 5550123" "urgent"' in call.transcript.commands
    assert call.log == ["ticket 4711: the caller heard enough"]


def test_the_desk_is_closed() -> None:
    call = place(CALLER.presses("1"), TICKET_OPEN="200 result=0 (closed)")
    assert call.played == ["vm-Urgent", "vm-nobodyavail"]
    assert "TICKET" not in call.variables


def test_a_number_that_is_none() -> None:
    call = place(Caller("x" * 300).hears("vm-Urgent"))
    assert call.agistatus == "SUCCESS"
    assert call.variables["TICKET"] == "4711"


@pytest.mark.parametrize("command", ["ANSWER", "GET DATA", "SAY NUMBER"])
def test_a_hangup_at_every_step(command: str) -> None:
    call = place(CALLER, HungUp(command, after=0.2))
    assert call.agistatus == "HANGUP"
    assert not call.mistaken
