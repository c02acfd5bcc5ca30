"""The caller: a value to build, and what the person then does in a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi import core
from pystrix_typed.testing import Caller, CallerError, HungUp, SimulatedAsterisk
from pystrix_typed.testing.caller import HangsUp, Hears, Presses, Waits

if TYPE_CHECKING:
    from pystrix_typed import agi

SOUNDS = {"welcome": 2.0, "menu": 4.0, "bye": 1.0}


def test_a_caller_is_a_value() -> None:
    beginning = Caller("1", "Ann").hears("menu")
    first, second = beginning.presses("1"), beginning.presses("1")
    assert first == second
    assert hash(first) == hash(second)
    assert first != beginning
    assert beginning.steps == (Hears("menu", None),)
    assert (first.number, first.name) == ("1", "Ann")
    with pytest.raises(AttributeError, match="number"):
        setattr(first, "number", "2")  # noqa: B010 - a checker refuses the other way


def test_it_is_shown_as_the_code_that_makes_it() -> None:
    made = Caller("1", "Ann").hears("menu").presses("1").waits(2).hangs_up()
    assert repr(made) == "Caller('1', 'Ann').hears('menu').presses('1').waits(2.0).hangs_up()"
    every = Caller("").hears("a", only=0).presses("1", hold=1, gap=2).awaits("stream file").awaits()
    every = every.says("one 'two'").says(2).sends('"x"')
    assert eval(repr(every)) == every


def test_steps() -> None:
    caller = Caller().waits(1).presses("1 2a", hold=0.2, gap=0.3).hangs_up()
    assert caller.steps == (Waits(1.0), Presses("12A", 0.2, 0.3), HangsUp())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Caller().presses("x"),
        lambda: Caller().presses(""),
        lambda: Caller().waits(-1),
        lambda: Caller().waits(float("nan")),
        lambda: Caller().waits(float("inf")),
        lambda: Caller().hears(""),
        lambda: Caller().hears("x", only=-1),
        lambda: Caller().says(-2.0),
        lambda: Caller().presses("1", hold=-1),
    ],
)
def test_steps_that_nobody_can_do(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"keys=|seconds=|what=|only=|hold="):
        wrong()


def flow(session: agi.FastAGI) -> None:
    session.execute(core.StreamFile("welcome"))
    session.execute(core.StreamFile("menu", "12"))
    session.execute(core.WaitForDigit(3000))
    session.execute(core.SayNumber(42))
    session.execute(core.StreamFile("bye"))


def keys_at(caller: Caller) -> list[float]:
    """Give the moments at which the caller released keys."""
    call = SimulatedAsterisk(sounds=SOUNDS).call(flow, caller=caller)
    return [entry.time for entry in call.transcript if entry.text.startswith("presses")]


@pytest.mark.parametrize(
    ("caller", "moments"),
    [
        (Caller().presses("1"), [0.1]),
        (Caller().presses("11", hold=0.2, gap=0.1), [0.2, 0.5]),
        (Caller().hears("welcome").presses("1"), [2.1]),
        (Caller().hears("menu", only=0).presses("1"), [2.1]),
        (Caller().hears("menu", only=1.5).presses("1"), [3.6]),
        (Caller().hears("menu").presses("1"), [6.1]),
        # What has been heard meanwhile need not be waited for.
        (Caller().waits(5).hears("welcome").presses("1"), [5.1]),
        (Caller().waits(3).hears("menu", only=0.5).presses("1"), [3.1]),
        (Caller().hears("42").presses("1"), [10.3]),
        (Caller().awaits("WAIT FOR DIGIT").waits(1).presses("1"), [7.1]),
        (Caller().awaits().presses("1"), [0.1]),
        (Caller().awaits("stream  file").awaits("stream file").presses("1"), [2.1]),
    ],
)
def test_when_keys_are_pressed(caller: Caller, moments: list[float]) -> None:
    assert keys_at(caller) == pytest.approx(moments)


@pytest.mark.parametrize(
    ("caller", "told"),
    [
        (Caller().hears("menu").hears("menu"), "waited to hear 'menu' in vain, and heard: 'wel"),
        (Caller().awaits("RECORD FILE"), "waited for RECORD FILE in vain"),
        (Caller().hears("bye").hears("x"), "'42', 'bye'; then the script ended"),
    ],
)
def test_what_never_comes(caller: Caller, told: str) -> None:
    with pytest.raises(CallerError, match=told):
        SimulatedAsterisk(sounds=SOUNDS).call(flow, caller=caller)


def test_what_is_left_undone_is_told() -> None:
    call = SimulatedAsterisk(sounds=SOUNDS).call(flow, caller=Caller().waits(60).presses("1"))
    assert [str(step) for step in call.undone] == ["waits 60 s", "presses 1"]
    assert call.pressed == ""


def test_a_hangup_ends_all_waiting() -> None:
    def wait(session: agi.FastAGI) -> None:
        session.execute(core.StreamFile("welcome"))
        session.execute(core.WaitForDigit(-1))

    call = SimulatedAsterisk(sounds=SOUNDS).call(
        wait,
        caller=Caller().hears("welcome").hears("more"),
        faults=[HungUp("WAIT FOR DIGIT", after=1)],
    )
    assert call.hung_up_by == "caller"
    assert len(call.undone) == 1


def test_nothing_comes_after_a_hangup() -> None:
    with pytest.raises(ValueError, match=r"presses 1 after hangs_up\(\)"):
        Caller().hears("welcome").hangs_up().presses("1")


def test_texts_and_words() -> None:
    def read(session: agi.FastAGI) -> None:
        session.execute(core.SendText("who is there?"))
        answer = session.execute(core.ReceiveText(5000))
        session.execute(core.SetVariable("ANSWER", answer.text or "nobody"))

    call = SimulatedAsterisk().call(read, caller=Caller().waits(1).sends("it's me (Ann)"))
    assert call.texts == ["who is there?"]
    assert call.variables["ANSWER"] == "it's me (Ann)"
