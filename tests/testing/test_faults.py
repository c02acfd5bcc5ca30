"""Faults on demand: any outcome of the spec, hangups, cuts, delays, older releases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import COMMANDS
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
    Steered,
)

from .lines import Talk

SOUNDS = {"welcome": 2.0, "menu": 4.0}


def flow(session: agi.FastAGI) -> None:
    session.execute(core.Answer())
    session.execute(core.StreamFile("welcome", "#"))
    entry = session.execute(core.GetData("menu", 3000, 4))
    session.execute(core.DatabasePut("entries", "last", entry.digits))
    session.execute(core.RecordFile("message", "wav", "#", 20_000, silence=3))
    session.execute(core.SayAlpha(entry.digits, "*"))
    session.execute(core.Exec("Wait", "2"))
    session.execute(core.Hangup())


def place(*faults: Fault, caller: Caller | None = None) -> SimulatedCall:
    asterisk = SimulatedAsterisk(sounds=SOUNDS)
    return asterisk.call(flow, caller=caller, faults=faults, check=False)


@pytest.mark.parametrize(
    ("command", "outcome"),
    [(command.name, row.id) for command in COMMANDS for row in command.outcomes],
)
def test_any_outcome_of_the_spec(command: str, outcome: str) -> None:
    row = next(
        row
        for each in COMMANDS
        if each.name == command
        for row in each.outcomes
        if row.id == outcome
    )
    wire = next(each.examples[0].wire for each in COMMANDS if each.name == command)
    answer = Talk(faults=[Answered(command, outcome)])(wire)
    assert answer == row.examples[0].line


def test_faults_reach_the_handler() -> None:
    assert isinstance(place(Answered("STREAM FILE", "failed")).error, agi.AGIAppError)
    assert isinstance(place(Forbidden("GET DATA")).error, agi.AGIInvalidCommandError)
    assert isinstance(place(Cut("RECORD FILE")).error, agi.AGISIGPIPEHangup)
    assert isinstance(place(HungUp("EXEC", after=1)).error, agi.AGIHangup)
    assert place().error is None


def test_faults_of_one_use() -> None:
    talk = Talk(faults=[Forbidden("NOOP", nth=2), Answered("VERBOSE", "printed", line="200 x")])
    assert [talk("NOOP") for _ in range(3)] == [
        "200 result=0",
        "510 Invalid or unknown command",
        "200 result=0",
    ]
    assert talk("VERBOSE x") == "200 x"


def test_delays() -> None:
    talk = Talk(faults=[Delayed(3, "NOOP"), Delayed(1)])
    assert talk("NOOP") == "200 result=0"
    assert talk.call.now == 4
    assert talk("ANSWER") == "200 result=0"
    assert talk.call.now == pytest.approx(5.02)


def test_moments() -> None:
    assert place(HungUp(at=1.0)).duration == 1.0
    cut = place(Cut(at=3.5))
    assert cut.duration == 3.5
    assert cut.hung_up_by is None
    assert cut.dialogue.cut


def test_faults_of_the_whole_exchange() -> None:
    asterisk = SimulatedAsterisk(sounds=SOUNDS, faults=[Forbidden("ANSWER")])
    with pytest.raises(agi.AGIInvalidCommandError):
        asterisk.call(flow)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Forbidden("FLY"),
        lambda: Answered("FLY", "done"),
        lambda: Answered("NOOP", "failed"),
        lambda: Steered("sideways"),
        lambda: SimulatedAsterisk("new"),
    ],
)
def test_faults_that_are_none(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"FLY|'failed'; it has these: done|sideways|'new'"):
        wrong()


def test_an_older_asterisk() -> None:
    call = SimulatedAsterisk("1.4.44", sounds=SOUNDS).prepare()
    call.begin()
    assert b"agi_version" not in call.output()
    assert Talk(SimulatedAsterisk("1.4.44"))("SPEECH CREATE") == "510 Invalid or unknown command"
    missing = SimulatedAsterisk(missing_modules=["app_stack.so"])
    assert Talk(missing)("GOSUB a s 1") == "510 Invalid or unknown command"


@given(
    moment=st.floats(0, 20),
    keys=st.text("0123456789*#", min_size=1, max_size=6),
    before=st.floats(0, 15),
    told=st.sampled_from([{}, {"AGISIGHUP": "no"}, {"AGIEXITONHANGUP": "yes"}]),
)
def test_a_hangup_at_any_moment(
    moment: float, keys: str, before: float, told: dict[str, str]
) -> None:
    call = SimulatedAsterisk(sounds=SOUNDS).call(
        flow,
        caller=Caller().waits(before).presses(keys),
        faults=[HungUp(at=moment)],
        variables=told,
        check=False,
    )
    assert call.failure is None
    assert call.over
    if call.hung_up_by == "caller":
        assert isinstance(call.error, agi.AGIHangup)
        assert call.agistatus == "HANGUP"
        assert call.duration >= moment - 0.001  # it counts milliseconds
    else:
        assert call.error is None
        assert call.hung_up_by == "script"


@given(moment=st.floats(0, 20))
def test_a_cut_at_any_moment(moment: float) -> None:
    call = place(Cut(at=moment))
    assert call.failure is None
    if call.dialogue.cut:
        assert isinstance(call.error, agi.AGISIGPIPEHangup)
    else:
        assert call.error is None
