"""Real calls: what the actions promise is what Asterisk does.

Every handler runs over FastAGI on each release, and as an AGI script on the newest.
"""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi import core

from .calls import Caller, Far

if TYPE_CHECKING:
    from pystrix_typed import agi

    from .near import Near

ODD_TEXTS = [
    "two words",
    " leading and trailing ",
    'a "quoted" word',
    "back\\slash \\n \\\\",
    "(parentheses) ) (",
    "grüße, 日本語, 🎉",
    "comma, semicolon; hash # star *",
    "${NOT} $[1+1]",
    "tab\tand\rreturn",
    "200 result=1 (fake)",
    "HANGUP",
    "",
]


def answer(session: agi.Session) -> object:
    before = session.execute(core.ChannelStatus()).state.name
    session.execute(core.Answer())
    return before, session.execute(core.ChannelStatus()).state.name


def test_it_answers(near: Near) -> None:
    value, ending = near.run(answer, answer=False)
    assert value == ("RING", "UP")
    assert ending.agi_status == "SUCCESS"


def play(session: agi.Session) -> core.PlaybackResult:
    return session.execute(core.StreamFile("vm-intro", "0123456789*#"))


def test_a_key_interrupts_a_sound(near: Near) -> None:
    value, _ = near.run(play, far=Far().wait(0.6).press("5"))
    assert value.digit == "5"
    # In samples at 8 kHz: after 0.6 seconds and a little, not at the end.
    assert 4000 <= value.end_position <= 16000


def play_through(session: agi.Session) -> core.PlaybackResult:
    return session.execute(core.StreamFile("beep"))


def test_a_sound_plays_to_its_end(near: Near) -> None:
    value, ending = near.run(play_through)
    assert value.digit is None
    assert value.end_position > 0
    assert ending.agi_status == "SUCCESS"


def collect(session: agi.Session) -> object:
    return [
        session.execute(core.GetData("beep", 3000, 4)),
        session.execute(core.GetData("beep", 3000)),
        session.execute(core.GetData("beep", 300)),
    ]


def test_it_collects_digits(near: Near) -> None:
    value, _ = near.run(collect, far=Far().wait(0.2).press("0123").wait(0.6).press("9*#"))
    assert value == [
        core.GetDataResult(digits="0123", timed_out=False),
        core.GetDataResult(digits="9*", timed_out=False),
        core.GetDataResult(digits="", timed_out=True),
    ]


def record(session: agi.Session) -> core.RecordResult:
    return session.execute(core.RecordFile("typed-recording", "wav", "#", 10000, beep=False))


def test_a_recording_is_as_long_as_it_says(near: Near) -> None:
    value, _ = near.run(record, far=Far().tone().wait(1.2).press("#"))
    assert value.digit == "#"
    assert value.ended_by == "digit"
    [path] = near.exchange.recordings("typed-recording")
    with wave.open(str(path)) as file:
        assert file.getframerate() == 8000
        assert file.getnframes() == pytest.approx(value.end_position, abs=400)
    assert value.end_position > 4000


def variables(session: agi.Session) -> object:
    texts = session.get_environment()["agi_arg_1"].split("|")
    read: list[object] = []
    for text in texts:
        session.execute(core.SetVariable("TYPED", text))
        read.append(session.execute(core.GetVariable("TYPED")).value)
    read.append(session.execute(core.GetVariable("NOT_SET_ANYWHERE")).value)
    session.execute(core.SetVariable("TYPED", texts[0]))
    return read


def test_variables_hold_any_text(near: Near) -> None:
    value, ending = near.run(variables, args=["|".join(ODD_TEXTS)], watch=["TYPED"])
    assert value == [*ODD_TEXTS, None]
    assert ending.variables["TYPED"] == ODD_TEXTS[0]


def database(session: agi.Session) -> object:
    from pystrix_typed.agi.exceptions import AGIDBError

    steps: list[object] = []
    steps.append(session.execute(core.DatabasePut("typed", "a key", 'some "value" (1)')))
    steps.append(session.execute(core.DatabaseGet("typed", "a key")))
    steps.append(session.execute(core.DatabaseDel("typed", "a key")))
    try:
        session.execute(core.DatabaseGet("typed", "a key"))
    except AGIDBError as error:
        steps.append(type(error).__name__)
    return steps


def test_the_database(near: Near) -> None:
    value, _ = near.run(database)
    assert value == [None, core.DatabaseGetResult(value='some "value" (1)'), None, "AGIDBError"]
    assert near.exchange.database_get("typed", "a key") is None


def execute_application(session: agi.Session) -> object:
    from pystrix_typed.agi.exceptions import AGIAppError

    steps: list[object] = [
        session.execute(core.Exec("Set", ["GIVEN=one, two (three)"])),
        session.execute(core.Exec("Set", "PLAIN=as it is")),
        session.execute(core.GetVariable("PLAIN")).value,
    ]
    try:
        session.execute(core.Exec("NoSuchApplication"))
    except AGIAppError as error:
        steps.append(type(error).__name__)
    return steps


def test_it_runs_an_application(near: Near) -> None:
    value, ending = near.run(execute_application, watch=["PLAIN"])
    assert value == [core.ExecResult(0), core.ExecResult(0), "as it is", "AGIAppError"]
    assert ending.variables == {"PLAIN": "as it is"}


def subroutine(session: agi.Session) -> object:
    from pystrix_typed.agi.exceptions import AGIAppError

    steps: list[object] = [
        session.execute(core.Gosub("subs", "join", 1, ["left", "right"])),
        session.execute(core.GetVariable("GOSUB_RETVAL")).value,
        session.execute(core.Gosub("subs", "labelled", "here")),
        session.execute(core.GetVariable("GOSUB_RETVAL")).value,
    ]
    try:
        session.execute(core.Gosub("subs", "nowhere", 1))
    except AGIAppError as error:
        steps.append(type(error).__name__)
    return steps


def test_a_subroutine_takes_arguments_and_returns(near: Near) -> None:
    value, _ = near.run(subroutine)
    assert value == [
        core.GosubResult(returned=True),
        "left-right",
        core.GosubResult(returned=True),
        "from the label",
        "AGIAppError",
    ]


def say(session: agi.Session) -> object:
    return [
        session.execute(core.SayNumber(7)),
        session.execute(core.SayNumber(123456789, "#")),
        session.execute(core.SayDatetime(0, "", "HM", "UTC")),
        session.execute(core.Verbose('a line with "quotes"')),
        session.execute(core.Noop()),
    ]


def test_it_speaks(near: Near) -> None:
    value, _ = near.run(say, far=Far().wait(2.0).press("#"))
    assert value == [
        core.DigitResult(digit=None),
        core.DigitResult(digit="#"),
        core.DigitResult(digit=None),
        None,
        None,
    ]
    assert 'a line with "quotes"' in near.exchange.log()


def wait(session: agi.Session) -> object:
    return [
        session.execute(core.WaitForDigit(2000)),
        session.execute(core.WaitForDigit(0)),
    ]


def test_it_waits_for_a_digit(near: Near) -> None:
    value, _ = near.run(wait, far=Far().wait(0.8).press("*"))
    assert value == [core.DigitResult(digit="*"), core.DigitResult(digit=None)]


def hang_up(session: agi.Session) -> object:
    from pystrix_typed.agi.exceptions import AGIHangup

    session.execute(core.Hangup())
    steps: list[object] = []
    try:
        session.execute(core.WaitForDigit(1000))
    except AGIHangup:
        steps.append("AGIHangup")
    # Still legal on the dead channel.
    session.execute(core.SetVariable("AFTERWARDS", "said"))
    steps.append(session.execute(core.GetVariable("AFTERWARDS")).value)
    steps.append(session.hung_up)
    return steps


def test_it_hangs_up(near: Near) -> None:
    value, ending = near.run(hang_up)
    assert value == ["AGIHangup", "said", True]
    assert ending.agi_status == "HANGUP"


def look_around(session: agi.Session) -> list[object]:
    environment = session.environment
    return [
        environment.caller_id,
        environment.caller_id_name,
        environment.extension,
        environment.priority,
        environment.arguments,
        environment.channel == session.execute(core.GetVariable("CHANNEL")).value,
        environment.unique_id == session.execute(core.GetVariable("UNIQUEID")).value,
    ]


def test_the_environment_is_typed(near: Near) -> None:
    value, _ = near.run(look_around, args=["one", "two words"], caller=Caller("555", "Ann B"))
    assert value[:3] == ["555", "Ann B", "near"]
    assert isinstance(value[3], int)
    assert value[4:] == [("one", "two words"), True, True]
