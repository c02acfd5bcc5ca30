"""Calls to the server, from a simulated Asterisk."""

import pytest
from pystrix_typed.pytest_plugin import AgiCall
from pystrix_typed.testing import Caller

from my_fastagi.server import server

CALLER = Caller("5550123").hears("vm-enter-num-to-call")


def test_a_number_is_said_back(agi_call: AgiCall) -> None:
    call = agi_call(server, "number", caller=CALLER.presses("0042"))
    assert call.heard == ["vm-enter-num-to-call", "you-entered", "0042", "vm-goodbye"]
    assert call.variables["NUMBER"] == "0042"


@pytest.mark.parametrize("keys", ["12#", "12*4", "#"])
def test_what_is_none_is_asked_for_again(keys: str, agi_call: AgiCall) -> None:
    caller = CALLER.presses(keys).hears("please-try-again").presses("1234")
    assert agi_call(server, "number", caller=caller).variables["NUMBER"] == "1234"


def test_nothing_is_entered(agi_call: AgiCall) -> None:
    call = agi_call(server, "number?tries=2")
    assert call.played == ["vm-enter-num-to-call", "please-try-again", "vm-goodbye"]
    assert call.variables["NUMBER"] == ""


def test_the_caller_hangs_up(agi_call: AgiCall) -> None:
    call = agi_call(server, "number", caller=CALLER.presses("1").hangs_up())
    assert call.hung_up_by == "caller"
    assert "NUMBER" not in call.variables
