"""Playing, keys and recording, to the sample."""

from __future__ import annotations

import pytest

from pystrix_typed.testing import Caller, Recording, SimulatedAsterisk, Steered

from .lines import Talk

SOUNDS = {"prompt": 2.0, "long": 10.0, "broken": None}


def talk(caller: Caller | None = None, *, version: str = "22.10.1", eagi: bool = False) -> Talk:
    return Talk(SimulatedAsterisk(version, sounds=SOUNDS), caller=caller, eagi=eagi)


def pressing(keys: str, at: float = 0.5) -> Caller:
    """Give a caller who releases the first key at that moment."""
    return Caller().waits(at - 0.1).presses(keys)


@pytest.mark.parametrize(
    ("line", "keys", "answer"),
    [
        ('STREAM FILE prompt ""', "1", "200 result=0 endpos=16000"),
        ("STREAM FILE prompt 12", "1", "200 result=49 endpos=4000"),
        ("STREAM FILE prompt 12", "91", "200 result=49 endpos=5120"),
        ("STREAM FILE prompt 12 8000", "1", "200 result=49 endpos=12000"),
        ('STREAM FILE prompt "" 99999', "1", "200 result=0 endpos=16000"),
        ('STREAM FILE nothing ""', "1", "200 result=-1 endpos=0"),
        ('STREAM FILE broken "" 80', "1", "200 result=-1 endpos=80"),
        ("WAIT FOR DIGIT 2000", "#", "200 result=35"),
        ("WAIT FOR DIGIT -1", "D", "200 result=68"),
        ("WAIT FOR DIGIT 400", "1", "200 result=0"),
        ("WAIT FOR DIGIT 0", "1", "200 result=0"),
        ("GET DATA prompt", "12#", "200 result=12"),
        ("GET DATA prompt 5000 2", "123", "200 result=12"),
        ("GET DATA prompt 5000", "#", "200 result="),
        ("GET DATA prompt 1000 9", "12", "200 result=12 (timeout)"),
        ('GET DATA "" 400', "1", "200 result= (timeout)"),
        ("GET DATA nothing", "1", "200 result=-1"),
        ("GET DATA prompt 1000 0", "1", "200 result=-1"),
        ("GET DATA prompt 1000 -5", "1", "200 result=1"),
        ("GET OPTION prompt 12", "2", "200 result=50 endpos=4000"),
        ("GET OPTION prompt 12 1000", "9", "200 result=0 endpos=16000"),
        ("GET OPTION nothing 12", "1", "200 result=-1 endpos=0"),
        ("CONTROL STREAM FILE prompt 5", "5", "200 result=53 endpos=500"),
        ('CONTROL STREAM FILE prompt ""', "5", "200 result=0 endpos=-1"),
        ('CONTROL STREAM FILE nothing ""', "5", "200 result=-1 endpos=-1"),
        ("CONTROL STREAM FILE long 5 3000", "#5", "200 result=53 endpos=3640"),
        ("CONTROL STREAM FILE long 5 3000", "##*5", "200 result=53 endpos=3920"),
        ("CONTROL STREAM FILE long 5 3000 # * 0", "0055", "200 result=53 endpos=640"),
        ("CONTROL STREAM FILE long #5 3000", "#5", "200 result=53 endpos=3640"),
        ('CONTROL STREAM FILE long 5 3000 "" "" "" -2000', "5", "200 result=53 endpos=8500"),
        ("CONTROL STREAM FILE long:END 5", "5", "200 result=0 endpos=-1"),
    ],
)
def test_playing_and_keys(line: str, keys: str, answer: str) -> None:
    assert talk(pressing(keys))(line) == answer


def test_an_option_after_the_prompt() -> None:
    assert talk(pressing("2", 2.5))("GET OPTION prompt 12 1000") == "200 result=50 endpos=16000"
    assert talk(pressing("9", 2.5))("GET OPTION prompt 12 1000") == "200 result=0 endpos=16000"
    late = talk()
    assert late("GET OPTION prompt 12") == "200 result=0 endpos=16000"
    assert late.call.now == 7.0  # the PBX's own timeout
    assert talk(Caller().waits(2.5).hangs_up())("GET OPTION prompt 12") == (
        "200 result=0 endpos=16000"
    )


def test_timeouts_of_get_data() -> None:
    first = talk()
    assert first("GET DATA prompt") == "200 result= (timeout)"
    assert first.call.now == 8.0
    between = talk(pressing("1"))
    assert between("GET DATA prompt") == "200 result=1 (timeout)"
    assert between.call.now == 2.5


def test_keys_that_nobody_waits_for_are_lost() -> None:
    call = talk(pressing("1").waits(2).presses("2"))
    assert call('STREAM FILE prompt ""') == "200 result=0 endpos=16000"
    assert call("WAIT FOR DIGIT 2000") == "200 result=50"
    assert call.call.pressed == "12"
    assert [entry.text for entry in call.call.transcript if "lost" in entry.text] == []
    call("EXEC Wait 1")
    lost = talk(pressing("1"))
    lost("EXEC Wait 1")
    assert lost.call.transcript[-2].text == "the key 1 is lost: nothing listens"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ('STREAM FILE long ""', ""),
        ("GET DATA long", ""),
        ('GET DATA ""', ""),
        ("GET OPTION long 1", ""),
        ("WAIT FOR DIGIT -1", "200 result=1\n"),
    ],
)
def test_interrupted(line: str, answer: str) -> None:
    assert talk().interrupted(line, 0.5) == f"{answer}200 result=0"


def test_interrupted_after_the_prompt() -> None:
    assert talk().interrupted("GET OPTION prompt 1 9000", 3.0) == (
        "200 result=0 endpos=16000\n200 result=0"
    )


@pytest.mark.parametrize(
    "line",
    [
        'RECORD FILE x wav "" 3000',
        'CONTROL STREAM FILE long ""',
        "EXEC Wait 3",
        'SAY DIGITS 123456 ""',
        "RECEIVE TEXT 3000",
    ],
)
def test_not_interrupted(line: str) -> None:
    one, other = talk(), talk()
    answer = one(line)
    assert one.call.now >= 3.0
    assert other.interrupted(line, 0.5) == f"{answer}\n200 result=0"
    assert other.call.now == one.call.now


def test_speaking_is_interrupted_over_eagi_alone() -> None:
    for line in ('SAY NUMBER 123456 ""', 'SAY DIGITS 12 ""', 'SAY ALPHA ab ""'):
        assert talk(eagi=True).interrupted(line, 0.5) == "200 result=0"
    assert talk(eagi=True).interrupted('SAY DATE 0 ""', 0.5) == "200 result=0\n200 result=0"


def test_variables_that_playing_sets() -> None:
    call = talk(pressing("1"))
    call("STREAM FILE prompt 1")
    assert call("GET VARIABLE PLAYBACKSTATUS") == "200 result=1 (FAILED)"
    call('STREAM FILE prompt ""')
    assert call("GET VARIABLE PLAYBACKSTATUS") == "200 result=1 (SUCCESS)"
    call('CONTROL STREAM FILE nothing ""')
    assert call("GET VARIABLE CPLAYBACKSTATUS") == "200 result=1 (ERROR)"
    old = talk(version="11.25.3")
    assert old('CONTROL STREAM FILE prompt ""') == "200 result=0"
    assert old("GET VARIABLE CPLAYBACKSTATUS") == "200 result=0"
    assert old('STREAM FILE nothing ""') == "200 result=-1 endpos=0"
    assert talk(version="11.5.0")('STREAM FILE nothing ""') == "200 result=0 endpos=0"


@pytest.mark.parametrize(
    ("line", "control", "answer"),
    [
        ("WAIT FOR DIGIT 3000", "stop", "200 result=1000"),
        ("WAIT FOR DIGIT 3000", "forward", "200 result=1004"),
        ('STREAM FILE long ""', "stop", "200 result=0 endpos=4000"),
        ('CONTROL STREAM FILE long ""', "stop", "200 result=0 endpos=500"),
    ],
)
def test_steered_from_outside(line: str, control: str, answer: str) -> None:
    asterisk = SimulatedAsterisk(sounds=SOUNDS)
    assert Talk(asterisk, faults=[Steered(control, after=0.5)])(line) == answer


@pytest.mark.parametrize(
    ("line", "caller", "answer", "recording"),
    [
        (
            "RECORD FILE r wav # 5000",
            pressing("1#"),
            "200 result=35 (dtmf) endpos=3520",
            Recording("r", "wav", 0.44, "digit"),
        ),
        (
            'RECORD FILE r gsm "" 3000',
            Caller().says("hello there"),
            "200 result=0 (timeout) endpos=24000",
            Recording("r", "gsm", 3.0, "time", ("hello there",)),
        ),
        (
            'RECORD FILE r wav "" 60000 0 s=3',
            Caller().waits(1).says(2.0),
            "200 result=53980 (timeout) endpos=32160",
            Recording("r", "wav", 4.02, "silence"),
        ),
        (
            'RECORD FILE r wav "" -1',
            Caller().waits(1).hangs_up(),
            "200 result=-1 (hangup) endpos=8000",
            Recording("r", "wav", 1.0, "hangup"),
        ),
        (
            'RECORD FILE r wav "" 1000 800 BEEP',
            Caller(),
            "200 result=0 (timeout) endpos=8000",
            Recording("r", "wav", 1.0, "time"),
        ),
        ("RECORD FILE r wav # 1000 0 BEEP", pressing("#", 0.2),
         "200 result=35 (randomerror) endpos=0", None),
        ('RECORD FILE r nonsense "" 1000', Caller(), "200 result=-1 (writefile)", None),
    ],
)  # fmt: skip
def test_recording(line: str, caller: Caller, answer: str, recording: Recording | None) -> None:
    call = talk(caller)
    assert call(line) == answer
    assert call.call.recordings == ([] if recording is None else [recording])


def test_recording_writes_into_known_folders() -> None:
    call = Talk(SimulatedAsterisk(folders=["/var/spool/messages"]))
    assert call('RECORD FILE /tmp/x wav "" 100') == "200 result=-1 (writefile)"
    assert call('RECORD FILE /var/spool/messages/x wav "" 100') == (
        "200 result=0 (timeout) endpos=800"
    )
    assert call('RECORD FILE x wav "" 100') == "200 result=0 (timeout) endpos=800"
