"""Every branch of the flow, and a hangup at every step of it, without an exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flow import account
from hypothesis import given, settings

from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk
from pystrix_typed.testing.strategies import callers, hangups

if TYPE_CHECKING:
    from pystrix_typed.testing import SimulatedCall

SOUNDS = {"vm-password": 2.0, "vm-incorrect": 2.5, "vm-opts": 6.0, "vm-goodbye": 1.0}
KNOWN = Caller("5550123").hears("vm-password").presses("1234")


def place(caller: Caller, *faults: HungUp) -> SimulatedCall:
    asterisk = SimulatedAsterisk(
        sounds=SOUNDS, database={("pins", "5550123"): "1234", ("balances", "5550123"): "42"}
    )
    return asterisk.call(account, "account", caller=caller, faults=faults)


def test_the_balance() -> None:
    call = place(KNOWN.hears("vm-opts").presses("1"))
    assert call.heard == ["vm-password", "vm-opts", "42"]
    assert call.answered


def test_a_message() -> None:
    call = place(
        KNOWN.hears("vm-opts").presses("2").hears("beep").says("call me back").presses("#")
    )
    [recording] = call.recordings
    assert recording.name.startswith("message-1767225600")
    assert recording.ended_by == "digit"
    assert recording.words == ("call me back",)


def test_somebody_to_talk_to() -> None:
    call = place(KNOWN.hears("vm-opts", only=0.5).presses("3"))
    assert call.variables["TRANSFER"] == "PJSIP/desk"
    assert call.hung_up_by is None  # the dialplan goes on


@pytest.mark.parametrize("key", ["9", "*"])
def test_another_key(key: str) -> None:
    assert place(KNOWN.hears("vm-opts").presses(key)).played == [
        "vm-password",
        "vm-opts",
        "vm-goodbye",
    ]


def test_no_key() -> None:
    assert place(KNOWN).played == ["vm-password", "vm-opts", "vm-goodbye"]


def test_the_second_try() -> None:
    late = (
        Caller("5550123").hears("vm-password").presses("9999").hears("vm-incorrect").presses("1234")
    )
    assert place(late.hears("vm-opts").presses("1")).said == ["42"]


def test_three_wrong_ones() -> None:
    wrong = Caller("5550123").hears("vm-password").presses("0000")
    call = place(wrong.hears("vm-incorrect").presses("1111").hears("vm-incorrect").presses("2222"))
    assert call.played == ["vm-password", "vm-incorrect", "vm-incorrect", "vm-goodbye"]


@pytest.mark.parametrize("number", ["5559999", ""])
def test_a_stranger(number: str) -> None:
    assert place(Caller(number)).played == ["vm-goodbye"]


def test_no_balance_is_none() -> None:
    caller = KNOWN.hears("vm-opts").presses("1")
    asterisk = SimulatedAsterisk(sounds=SOUNDS, database={("pins", "5550123"): "1234"})
    assert asterisk.call(account, "account", caller=caller).said == ["0"]


FULL = KNOWN.hears("vm-opts").presses("2").hears("beep").says(3.0).presses("#")
COMMANDS = ["ANSWER", "DATABASE GET", "GET DATA", "RECORD FILE"]


@pytest.mark.parametrize("after", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_hangup_at_every_step(command: str, nth: int, after: float) -> None:
    # Whatever the moment, the flow ends as a call that is over ends: without an error.
    call = place(FULL, HungUp(command, after=after, nth=nth))
    assert call.agistatus in {"HANGUP", "SUCCESS"}
    assert not call.mistaken


@given(callers(), hangups())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_whatever_the_caller_does(caller: Caller, hangup: HungUp) -> None:
    assert not place(caller, hangup).mistaken
