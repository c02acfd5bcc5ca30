"""Calls through the script, from a simulated Asterisk."""

from pathlib import Path

import pytest
from pystrix_typed.pytest_plugin import AgiCall, AgiScript
from pystrix_typed.testing import Caller

from my_agi.flow import take_call

SCRIPT = Path(__file__).parents[1] / "my_agi_agi.py"
CALLER = Caller("5550123").hears("vm-enter-num-to-call")


def test_a_number_is_said_back(agi_call: AgiCall) -> None:
    call = agi_call(take_call, caller=CALLER.presses("0042"))
    assert call.heard == ["vm-enter-num-to-call", "you-entered", "0042", "vm-goodbye"]
    assert call.variables["NUMBER"] == "0042"


@pytest.mark.parametrize("keys", ["12#", "12*4", "#"])
def test_what_is_none_is_asked_for_again(keys: str, agi_call: AgiCall) -> None:
    caller = CALLER.presses(keys).hears("please-try-again").presses("1234")
    assert agi_call(take_call, caller=caller).variables["NUMBER"] == "1234"


def test_nothing_is_entered(agi_call: AgiCall) -> None:
    call = agi_call(take_call)
    assert call.played.count("please-try-again") == 2
    assert call.variables["NUMBER"] == ""


def test_the_caller_hangs_up(agi_call: AgiCall) -> None:
    call = agi_call(take_call, caller=CALLER.presses("1").hangs_up())
    assert call.agistatus == "HANGUP"
    assert "NUMBER" not in call.variables


def test_the_script_as_asterisk_runs_it(agi_script: AgiScript) -> None:
    assert agi_script(SCRIPT, caller=CALLER.presses("0042")).variables["NUMBER"] == "0042"
