"""Speech recognition with an engine that knows what it will hear."""

from __future__ import annotations

import pytest

from pystrix_typed.testing import Caller, Recognised, SimulatedAsterisk, SpeechEngine

from .lines import Talk

ENGINE = SpeechEngine(
    "hearing", {"yes please": [Recognised("yes", 900, "menu"), Recognised("no", 80, "menu")]}
)


SPEECH = "200 result=1 (speech) endpos=0 results"


def talk(caller: Caller | None = None, *engines: SpeechEngine) -> Talk:
    asterisk = SimulatedAsterisk(sounds={"prompt": 2.0}, speech=engines or ENGINE)
    return Talk(asterisk, caller=caller)


def test_objects() -> None:
    call = talk()
    assert call("SPEECH RECOGNIZE prompt 5") == "200 result=0"
    assert call("SPEECH SET a b") == "200 result=0"
    assert call("SPEECH CREATE nobody") == "200 result=0"
    assert call("SPEECH CREATE hearing") == "200 result=1"
    assert call("SPEECH CREATE") == "200 result=0"
    assert call("SPEECH SET a b") == "200 result=1"
    assert call("SPEECH DESTROY") == "200 result=1"
    assert call("SPEECH DESTROY") == "200 result=0"
    assert Talk()("SPEECH CREATE") == "200 result=0"


def test_grammars() -> None:
    call = talk()
    assert call("SPEECH LOAD GRAMMAR menu /menu.gram") == "200 result=0"
    call("SPEECH CREATE")
    for line, result in (
        ("ACTIVATE GRAMMAR menu", 0),
        ("LOAD GRAMMAR menu /menu.gram", 1),
        ("ACTIVATE GRAMMAR menu", 1),
        ("DEACTIVATE GRAMMAR menu", 1),
        ("DEACTIVATE GRAMMAR menu", 0),
        ("UNLOAD GRAMMAR menu", 1),
        ("UNLOAD GRAMMAR menu", 0),
    ):
        assert call(f"SPEECH {line}") == f"200 result={result}"
    none = talk(None, SpeechEngine(grammars=False))
    none("SPEECH CREATE")
    assert none("SPEECH LOAD GRAMMAR menu /menu.gram") == "200 result=0"


@pytest.mark.parametrize(
    ("caller", "answer", "end"),
    [
        (
            Caller().hears("prompt").says("yes please"),
            f'{SPEECH}=2 score0=900 text0="yes" grammar0=menu score1=80 text1="no" grammar1=menu',
            2.8,
        ),
        (
            Caller().hears("prompt", only=1).says("blue"),
            f'{SPEECH}=1 score0=1000 text0="blue" grammar0=',
            1.4,
        ),
        (Caller().waits(1).presses("5"), "200 result=1 (digit) digit=5 endpos=0", 1.1),
        (Caller(), "200 result=1 (timeout) endpos=0", 7.0),
        (Caller().waits(3).hangs_up(), "200 result=1 (hangup) endpos=0", 3.0),
        (Caller().waits(3).says(1.0), "200 result=1 (timeout) endpos=0", 9.0),
    ],
)
def test_recognition(caller: Caller, answer: str, end: float) -> None:
    call = talk(caller)
    call("SPEECH CREATE")
    assert call("SPEECH RECOGNIZE prompt 5") == answer
    assert call.call.now == pytest.approx(end)
    assert call.call.played == ["prompt"]


def test_recognition_without_a_prompt_or_a_limit() -> None:
    call = talk(Caller().waits(100).says("blue"))
    call("SPEECH CREATE")
    assert call("SPEECH RECOGNIZE nothing 0").startswith("200 result=1 (speech)")
