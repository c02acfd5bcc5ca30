"""The caller hangs up in the middle of each command that waits: never failure, success or data.

Over FastAGI on each release and as an AGI script on the newest, with each setting of Asterisk's
that says how the hangup is told: by SIGHUP or the line HANGUP, not at all, or by leaving at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi import core

from .calls import Far

if TYPE_CHECKING:
    from pystrix_typed import agi

    from .near import Near

BLOCKING = {
    "STREAM FILE": 'core.StreamFile("vm-intro")',
    "CONTROL STREAM FILE": 'core.ControlStreamFile("vm-intro")',
    "GET DATA": 'core.GetData("vm-intro", 5000)',
    "GET DATA, after the prompt": 'core.GetData("beep", 5000)',
    "GET OPTION": 'core.GetOption("vm-intro", "1", 5000)',
    "GET OPTION, after the prompt": 'core.GetOption("beep", "1", 5000)',
    "WAIT FOR DIGIT": "core.WaitForDigit(5000)",
    "RECORD FILE": 'core.RecordFile("hung-up", "wav", "#", 5000, beep=False)',
    "SAY ALPHA": 'core.SayAlpha("abcdefghijklmnop")',
    "SAY DATE": "core.SayDate(0)",
    "SAY DATETIME": "core.SayDatetime(0)",
    "SAY DIGITS": 'core.SayDigits("1234567890")',
    "SAY NUMBER": "core.SayNumber(123456789)",
    "SAY PHONETIC": 'core.SayPhonetic("abcdefgh")',
    "SAY TIME": "core.SayTime(0)",
    "RECEIVE CHAR": "core.ReceiveChar(5000)",
    "RECEIVE TEXT": "core.ReceiveText(5000)",
    "GOSUB": 'core.Gosub("hanging", "wait", 1)',
}

SETTINGS: dict[str, dict[str, str]] = {
    "told": {},
    "not told": {"AGISIGHUP": "no"},
    "left": {"AGIEXITONHANGUP": "yes"},
}

#: It gives a script's interpreter time to start, on a busy machine too.
FAR = Far().wait(0.7).hangup()

DIALPLAN = """
[hanging]
exten => wait,1,Wait(5)
 same => n,Return()
"""


def hang(session: agi.Session) -> list[object]:
    from pystrix_typed import agi

    action = eval(session.get_environment()["agi_arg_1"])
    steps: list[object] = []
    for each in (action, core.WaitForDigit(1000), core.Noop()):
        try:
            steps.append(session.execute(each, timeout=8))
        except agi.AGIException as error:
            steps.append(type(error).__name__)
    return [*steps, session.hung_up]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("command", BLOCKING)
def test_a_hangup_in_the_middle(near: Near, command: str, setting: str) -> None:
    near.exchange.dialplan(DIALPLAN)
    value, ending = near.run(hang, args=[BLOCKING[command]], variables=SETTINGS[setting], far=FAR)
    first, second, noop, hung_up = value
    assert first == "AGIResultHangup"
    assert second in {"AGIResultHangup", "AGISIGHUPHangup"}
    # A dead channel's commands go on, unless Asterisk has left.
    # (Its last words can be lost with the connection.)
    assert noop in ({None} if setting != "left" else {"AGISIGHUPHangup", "AGISIGPIPEHangup"})
    assert hung_up is True
    assert ending.agi_status == "HANGUP"


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_hangup_during_an_application(near: Near, setting: str) -> None:
    """EXEC is legal on a dead channel, so its number is the application's own."""
    value, _ = near.run(
        hang,
        args=['core.Exec("Wait", ["5"])'],
        variables=SETTINGS[setting],
        far=FAR,
    )
    assert value[0] == core.ExecResult(-1)
    assert str(value[1]).endswith(("Hangup", "DeadChannelError"))
    assert value[3] is True


@pytest.mark.parametrize("setting", ["told", "not told"])
def test_a_hangup_between_commands(near: Near, setting: str) -> None:
    value, _ = near.run(hang_between, variables=SETTINGS[setting], far=FAR)
    assert value in (
        [True, "AGISIGHUPHangup", "value"],
        [False, "AGIDeadChannelError", "value"],
        [False, "AGISIGHUPHangup", "value"],
    )


def hang_between(session: agi.Session) -> object:
    import time

    from pystrix_typed import agi

    time.sleep(1.6)
    steps: list[object] = [session.hung_up]
    try:
        session.execute(core.WaitForDigit(1000))
    except agi.AGIException as error:
        steps.append(type(error).__name__)
    session.execute(core.SetVariable("LATE", "value"))
    return [*steps, session.execute(core.GetVariable("LATE")).value]


def failing(session: agi.Session) -> object:
    from pystrix_typed import agi

    steps: list[object] = []
    for action in (
        core.StreamFile("no-such-sound"),
        core.GetData("no-such-sound", 300),
        core.RecordFile("no/such/folder/file", beep=False, timeout=300),
        core.ChannelStatus("Local/nobody@nowhere"),
        core.Hangup("Local/nobody@nowhere"),
    ):
        try:
            steps.append(session.execute(action))
        except agi.AGIException as error:
            steps.append(type(error).__name__)
    return [*steps, session.hung_up]


def test_a_failure_is_never_a_hangup(near: Near) -> None:
    value, _ = near.run(failing)
    assert value == ["AGIAppError"] * 5 + [False]


def dead(session: agi.Session) -> object:
    from pystrix_typed import agi

    steps: list[object] = []
    for action in (core.Noop(), core.StreamFile("beep"), core.Verbose("still here")):
        try:
            steps.append(session.execute(action))
        except agi.AGIException as error:
            steps.append(type(error).__name__)
    return steps


def test_a_channel_that_is_dead_from_the_start(near: Near) -> None:
    value, _ = near.run(dead, dead=True)
    assert value == [None, "AGIDeadChannelError", None]
