"""How a session ends: notices of the hangup, AGISTATUS, and what is left behind."""

from __future__ import annotations

import pytest

from pystrix_typed.testing import Caller, SimulatedAsterisk

from .lines import Talk

DEAD = "511 Command Not Permitted on a dead channel or intercept routine"
LEAVING = Caller().waits(1).hangs_up()


def idle(caller: Caller, **variables: str) -> Talk:
    """Give a call in which the script is silent while the caller does what they do."""
    talk = Talk(SimulatedAsterisk(sounds={}), caller=caller, variables=variables)
    talk.call.advance(30.0)
    return talk


def test_a_hangup_in_the_scripts_turn_is_told_at_once() -> None:
    talk = idle(LEAVING)
    assert talk.call.now == 1.0
    assert talk.call.output() == b"HANGUP\n"
    assert talk("NOOP") == "200 result=0"
    assert talk("ANSWER") == DEAD
    assert talk.call.agistatus == "HANGUP"


def test_a_hangup_during_a_command_is_told_a_moment_later() -> None:
    talk = Talk(caller=LEAVING)
    assert talk("WAIT FOR DIGIT -1") == "200 result=-1"
    talk.call.advance(30.0)
    assert (talk.call.now, talk.call.output()) == (1.04, b"HANGUP\n")


def test_a_hangup_during_a_command_is_told_before_the_next_answer() -> None:
    talk = Talk(caller=LEAVING)
    assert talk("WAIT FOR DIGIT -1") == "200 result=-1"
    assert talk("CHANNEL STATUS") == f"HANGUP\n{DEAD}"


def test_hanging_up_oneself() -> None:
    talk = Talk(SimulatedAsterisk(channels={"PJSIP/other-1": 6}))
    assert talk("HANGUP nobody") == "200 result=-1"
    assert talk("CHANNEL STATUS pjsip/OTHER-1") == "200 result=6"
    assert talk("HANGUP PJSIP/other-1") == "200 result=1"
    assert talk("CHANNEL STATUS PJSIP/other-1") == "200 result=-1"
    assert talk(f"CHANNEL STATUS {talk.call.channel.name}") == "200 result=4"
    assert talk("HANGUP") == "200 result=1"
    assert talk("GET VARIABLE CHANNEL(hangupsource)") == "HANGUP\n200 result=1 (dialplan/agi)"
    assert talk.call.hung_up_by == "script"
    assert talk("GET VARIABLE HANGUPCAUSE") == "200 result=1 (0)"
    assert talk("EXEC Hangup 21") == "200 result=-1"
    assert talk("GET VARIABLE HANGUPCAUSE") == "200 result=1 (21)"


@pytest.mark.parametrize("value", ["no", "False", "n", "0", "off"])
def test_not_told(value: str) -> None:
    talk = idle(LEAVING, AGISIGHUP=value)
    assert talk.call.output() == b""
    assert talk("ANSWER") == DEAD
    talk.call.end()
    assert talk.call.output() == b""
    assert talk.call.agistatus == "HANGUP"


@pytest.mark.parametrize("value", ["yes", "TRUE", "y", "1", "on"])
def test_leaving_at_once(value: str) -> None:
    talk = idle(LEAVING, AGIEXITONHANGUP=value)
    assert talk.call.output() == b"HANGUP\nHANGUP\n"
    assert talk.call.over
    assert talk.call.agistatus == "HANGUP"


def test_switches_are_read_when_the_session_begins() -> None:
    talk = Talk(caller=LEAVING)
    talk("SET VARIABLE AGISIGHUP no")
    talk.call.advance(30.0)
    assert talk.call.output() == b"HANGUP\n"
    old = Talk(SimulatedAsterisk("1.8.32"), caller=LEAVING, variables={"AGIEXITONHANGUP": "yes"})
    old.call.advance(30.0)
    assert (old.call.output(), old.call.over) == (b"HANGUP\n", False)


def test_the_notice_at_the_end() -> None:
    talk = Talk()
    talk.call.end()
    assert talk.call.output() == b"HANGUP\n"
    script = SimulatedAsterisk().prepare(None)
    script.begin()
    script.output()
    script.end()
    assert (script.output(), script.dialogue.signals) == (b"", 0)


def test_a_script_gets_signals() -> None:
    call = SimulatedAsterisk().prepare(None, request="x.py", caller=LEAVING)
    call.begin()
    assert call.output().startswith(b"agi_request: x.py\nagi_channel:")
    call.advance(30.0)
    assert call.output() == b""
    assert call.dialogue.take_signals() == 1
    assert call.dialogue.take_signals() == 0


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], "SUCCESS"),
        (['STREAM FILE nothing ""'], "FAILURE"),
        (["RECEIVE CHAR 100"], "FAILURE"),
        (["RECEIVE TEXT 100"], "SUCCESS"),
        (["GOSUB a b 1"], "FAILURE"),
        (["GET DATA nothing"], "SUCCESS"),
        (["FLY", "SET PRIORITY nowhere"], "SUCCESS"),
        (["EXEC Nothing"], "SUCCESS"),
        (["HANGUP"], "HANGUP"),
        (["failure"], "FAILURE"),
    ],
)
def test_agistatus(lines: list[str], status: str) -> None:
    talk = Talk()
    for line in lines:
        talk(line)
    talk.call.end()
    assert talk.call.agistatus == status
    assert talk.call.variables["AGISTATUS"] == status


def test_a_failure_because_of_the_hangup_is_none() -> None:
    talk = Talk(caller=LEAVING)
    talk("WAIT FOR DIGIT -1")
    talk.call.end()
    assert talk.call.agistatus == "HANGUP"


def test_dead_from_the_start() -> None:
    talk = Talk(dead=True, extension="h")
    assert talk("NOOP") == "200 result=0"
    assert talk("EXEC Wait 5") == "200 result=-1"
    assert talk.call.now == 0
    assert talk("ANSWER") == DEAD
    talk.call.end()
    assert talk.call.agistatus == "SUCCESS"
    assert talk.call.location == ("default", "h", 2)


def test_a_time_limit() -> None:
    talk = Talk()
    assert talk("SET AUTOHANGUP 2.5") == "200 result=0"
    assert talk("WAIT FOR DIGIT -1") == "200 result=-1"
    assert (talk.call.now, talk.call.hung_up_by) == (2.5, "asterisk")
    none = Talk()
    none("SET AUTOHANGUP 2")
    none("SET AUTOHANGUP 0")
    assert none("WAIT FOR DIGIT 5000") == "200 result=0"


def test_texts_of_a_channel_without_them() -> None:
    plain = Talk(text_support=False)
    assert plain("SEND TEXT hello") == "200 result=-1"
    assert plain('SEND TEXT ""') == "200 result=0"
    old = Talk(SimulatedAsterisk("13.20.0"), text_support=False)
    assert old("SEND TEXT hello") == "200 result=0"
    call = Talk(caller=Caller().waits(1).sends("hi").waits(1).sends(""))
    assert call("RECEIVE CHAR 3000") == "200 result=104"
    assert call("RECEIVE CHAR 3000") == "200 result=0 (timeout)"
    assert call("RECEIVE CHAR 0") == "200 result=-1 (hangup)"
    assert call("RECEIVE TEXT 100") == "200 result=-1"


def test_the_rest_of_a_recording_is_waited_for() -> None:
    talk = Talk()
    talk.call.feed(b'RECORD FILE x wav "" 5000\n')
    talk.call.finish()
    assert talk.call.over
    assert talk.call.recordings[0].seconds == 5.0


def test_music() -> None:
    talk = Talk(variables={"CHANNEL(musicclass)": "jazz"})
    for line, playing in (
        ("SET MUSIC on", "jazz"),
        ("SET MUSIC on rock", "rock"),
        ("SET MUSIC x", "rock"),
        ("SET MUSIC off", ""),
        ("EXEC StartMusicOnHold", "jazz"),
        ("EXEC StopMusicOnHold", ""),
    ):
        assert talk(line) == "200 result=0"
        assert talk.call.channel.music == playing
