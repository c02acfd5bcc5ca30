"""Callers who key in, who speak, who do neither, and who leave: each heard by the real script."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk, SimulatedCall

SCRIPT = Path(__file__).parent / "level_meter.py"
SOUNDS = {"agent-user": 0.5, "please-try-again": 0.5}


def place(caller: Caller, *faults: HungUp) -> SimulatedCall:
    """Run the script in a process, with the caller's sound on its descriptor 3, in real time."""
    asterisk = SimulatedAsterisk(sounds=SOUNDS)
    return asterisk.run_script(
        [sys.executable, str(SCRIPT)], caller=caller, faults=faults, eagi=True
    )


def test_who_keys_it_in() -> None:
    call = place(Caller().hears("agent-user").presses("1234"))
    assert call.variables["ENTERED"] == "1234"
    assert call.variables["SPOKEN"] == "0.0"
    assert call.played == ["agent-user"]
    assert call.agistatus == "SUCCESS"


def test_who_says_it_is_told() -> None:
    said = Caller().hears("agent-user").says("one two three four", seconds=1.5)
    call = place(said.hears("please-try-again").presses("1234"))
    assert call.played == ["agent-user", "please-try-again"]
    assert call.variables["ENTERED"] == "1234"
    assert float(call.variables["SPOKEN"]) == pytest.approx(1.5, abs=0.5)
    assert float(call.variables["LOUDEST"]) > -40
    assert b"dBFS |#" in call.stderr


def test_who_does_neither_is_asked_again() -> None:
    call = place(Caller().hears("agent-user").hears("agent-user").presses("7#"))
    assert call.played == ["agent-user", "agent-user"]
    assert call.variables["ENTERED"] == "7"


def test_who_leaves_is_heard_to_the_end() -> None:
    call = place(Caller().says("hello?", seconds=1.0), HungUp("GET DATA", after=1.5))
    assert call.agistatus == "HANGUP"
    assert float(call.variables["SPOKEN"]) > 0.5
    assert "ENTERED" not in call.variables
