"""The strategies find trouble, at any moment and with any outcome, and show it as code."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import BY_COMMAND
from pystrix_typed.testing import (
    Answered,
    Caller,
    Cut,
    Delayed,
    Fault,
    Forbidden,
    HungUp,
    SimulatedAsterisk,
    SimulatedCall,
)
from pystrix_typed.testing.caller import Presses
from pystrix_typed.testing.strategies import (
    RELEASES,
    callers,
    cuts,
    delays,
    faults,
    forbidden,
    hangups,
    keys,
    moments,
    outcomes,
    versions,
)

from ..checkers import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

SOUNDS = {"welcome": 2.0, "menu": 4.0}
USED = ["ANSWER", "STREAM FILE", "GET DATA", "RECORD FILE", "DATABASE GET", "HANGUP"]


def flow(session: agi.FastAGI) -> None:
    session.execute(core.Answer())
    session.execute(core.StreamFile("welcome", "#"))
    if session.execute(core.GetData("menu", 3000, 1)).digits == "1":
        session.execute(core.RecordFile("message", "wav", "#", 20_000, silence=3))
    session.execute(core.DatabaseGet("a", "b"))
    session.execute(core.Hangup())


def place(caller: Caller, *faults: Fault, version: str = "22.10.1") -> SimulatedCall:
    asterisk = SimulatedAsterisk(version, sounds=SOUNDS, database={("a", "b"): "c"})
    return asterisk.call(flow, caller=caller, faults=faults, check=False)


@given(callers(), st.lists(faults(USED), max_size=3), versions())
@settings(max_examples=200)
def test_a_call_ends_in_order_whatever_happens(
    caller: Caller, wrong: list[Fault], version: str
) -> None:
    call = place(caller, *wrong, version=version)
    assert call.error is None or isinstance(call.error, agi.AGIException)
    assert call.failure is None
    assert str(call.transcript) == str(place(caller, *wrong, version=version).transcript)


@given(st.one_of(callers(), callers(hangs_up=True, numbers=st.just("1"), alphabet="AB")))
def test_a_caller_is_shown_as_code(caller: Caller) -> None:
    assert eval(repr(caller)) == caller


@given(faults())
def test_a_fault_is_shown_as_code(fault: Fault) -> None:
    assert eval(repr(fault)) == fault


def test_trouble_shrinks() -> None:
    def trouble(caller: Caller) -> bool:
        return any(isinstance(step, Presses) and "7" in step.keys for step in caller.steps)

    assert len(find(callers(), trouble).steps) <= 2
    hangup = find(hangups(["RECORD FILE"]), lambda hangup: hangup.after >= 1.5)
    assert hangup == HungUp("RECORD FILE", after=1.5, nth=1)


def all_of(strategy: SearchStrategy[object], count: int = 3000) -> set[object]:
    found: set[object] = set()

    @given(strategy)
    @settings(max_examples=count, database=None)
    def collect(value: object) -> None:
        found.add(value)

    collect()
    return found


def test_every_outcome_of_a_command_comes() -> None:
    wanted = {Answered("GET DATA", row.id) for row in BY_COMMAND["GET DATA"].outcomes}
    assert all_of(outcomes(["get  data"])) == wanted
    assert len(wanted) == 3
    assert all_of(outcomes(["HANGUP"], nth=2)) == {
        Answered("HANGUP", row.id, nth) for row in BY_COMMAND["HANGUP"].outcomes for nth in (1, 2)
    }


def test_every_kind_of_fault_comes() -> None:
    kinds = {type(each) for each in all_of(faults(USED), 400)}
    assert kinds == {Answered, Cut, Delayed, Forbidden, HungUp}


def test_versions_are_of_every_branch() -> None:
    assert all_of(versions(), 200) == set(RELEASES)
    assert find(versions(), lambda _: True) == RELEASES[-1]


def test_options_are_kept_to() -> None:
    for caller in all_of(callers(alphabet="7", steps=2, longest=1.0, hangs_up=False), 100):
        assert isinstance(caller, Caller)
        assert len(caller.steps) <= 2
        assert caller.number in {"5550123", ""}
    for each in all_of(keys("12", at_least=2, at_most=3), 100):
        assert isinstance(each, str)
        assert 2 <= len(each) <= 3
        assert set(each) <= {"1", "2"}
    assert max(map(float, map(str, all_of(moments(0.5), 200)))) <= 0.5
    assert all_of(forbidden(["ANSWER"]), 20) == {Forbidden("ANSWER")}
    with pytest.raises(NoSuchExample):
        find(delays(longest=2.0), lambda delay: delay.seconds > 2.0)
    with pytest.raises(NoSuchExample):
        find(cuts(["ANSWER"], nth=2), lambda cut: cut.command != "ANSWER" or cut.nth == 3)


@pytest.mark.parametrize("strategy", [hangups, cuts, delays, outcomes, forbidden, faults])
def test_a_wrong_command_is_refused(strategy: Callable[[list[str]], object]) -> None:
    with pytest.raises(ValueError, match="'PLAY FILE' is no AGI command"):
        strategy(["play file"])


def test_a_single_name_is_no_list() -> None:
    with pytest.raises(TypeError, match="give a list of commands"):
        outcomes("ANSWER")


def test_without_hypothesis_it_says_what_to_install() -> None:
    source = "import sys; sys.modules['hypothesis'] = None; import pystrix_typed.testing.strategies"
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pip install 'pystrix-typed[testing]'" in done.stderr.splitlines()[-1]
