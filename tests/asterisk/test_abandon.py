"""Commands that are abandoned half way: the session goes on, and each answer meets its question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi import core

from .calls import Far

if TYPE_CHECKING:
    from pystrix_typed import agi

    from .near import Near

#: What a new command ends at once.
INTERRUPTED = {
    "STREAM FILE": 'core.StreamFile("vm-intro")',
    "GET DATA": 'core.GetData("vm-intro", 5000)',
    "GET DATA, after the prompt": 'core.GetData("", 5000)',
    "GET OPTION": 'core.GetOption("vm-intro", "1", 5000)',
    "GET OPTION, after the prompt": 'core.GetOption("beep", "1", 5000)',
    "WAIT FOR DIGIT": "core.WaitForDigit(5000)",
}
#: What runs to its own end first.
UNINTERRUPTED = {
    "CONTROL STREAM FILE": 'core.ControlStreamFile("vm-goodbye")',
    "RECORD FILE": 'core.RecordFile("abandoned", "wav", "#", 1500, beep=False)',
    "SAY ALPHA": 'core.SayAlpha("abc")',
    "SAY DATE": "core.SayDate(0)",
    "SAY DATETIME": 'core.SayDatetime(0, "", "HM", "UTC")',
    "SAY DIGITS": 'core.SayDigits("123")',
    "SAY NUMBER": "core.SayNumber(123)",
    "SAY PHONETIC": 'core.SayPhonetic("ab")',
    "SAY TIME": "core.SayTime(0)",
    "RECEIVE CHAR": "core.ReceiveChar(1500)",
    "RECEIVE TEXT": "core.ReceiveText(1500)",
    "EXEC": 'core.Exec("Wait", ["1.5"])',
    "GOSUB": 'core.Gosub("abandoning", "wait", 1)',
}

DIALPLAN = """
[abandoning]
exten => wait,1,Wait(1.5)
 same => n,Return()
"""


def abandon(session: agi.Session) -> list[object]:
    import time

    from pystrix_typed import agi

    action = eval(session.get_environment()["agi_arg_1"])
    steps: list[object] = []
    for question in ("first", "second"):
        session.execute(core.SetVariable("QUESTION", question))
        try:
            steps.append(session.execute(action, timeout=0.25))
        except agi.AGITimeoutError:
            steps.append("AGITimeoutError")
        begun = time.monotonic()
        steps.append(session.execute(core.GetVariable("QUESTION")).value)
        steps.append(round(time.monotonic() - begun, 3))
        steps.append(session.execute(core.ChannelStatus()).state.name)
    return steps


@pytest.mark.parametrize("command", [*INTERRUPTED, *UNINTERRUPTED])
def test_an_abandoned_command(near: Near, command: str) -> None:
    near.exchange.dialplan(DIALPLAN)
    action = INTERRUPTED.get(command) or UNINTERRUPTED[command]
    value, ending = near.run(abandon, args=[action])
    for question, (first, answer, seconds, state) in zip(
        ("first", "second"), (value[:4], value[4:]), strict=True
    ):
        assert first == "AGITimeoutError"
        assert answer == question
        assert state == "UP"
        assert isinstance(seconds, float)
        # Cut short at once, or run to its end: none of them takes longer than a few seconds.
        assert seconds < (0.5 if command in INTERRUPTED else 15)
    assert ending.cause == 16


def thousand(session: agi.Session) -> object:
    import random

    from pystrix_typed import agi

    chance = random.Random(7)
    abandoned = 0
    for number in range(1000):
        if chance.random() < 0.1:
            action = chance.choice(
                [core.StreamFile("vm-intro"), core.WaitForDigit(5000), core.GetData("", 5000)]
            )
            try:
                session.execute(action, timeout=chance.random() * 0.004)
                return f"{action} was not abandoned"
            except agi.AGITimeoutError:
                abandoned += 1
        if chance.random() < 0.5:
            session.execute(core.SetVariable("NUMBER", str(number)))
            found: object = session.execute(core.GetVariable("NUMBER")).value
            wanted: object = str(number)
        else:
            found = session.execute(core.GetFullVariable(f"{number}-${{CHANNEL}}")).value
            wanted = f"{number}-{session.environment.channel}"
        if found != wanted:
            return f"{found!r} for {wanted!r}"
    return abandoned


def test_a_thousand_commands_one_in_ten_abandoned(near: Near) -> None:
    value, _ = near.run(thousand)
    assert isinstance(value, int), value
    assert value > 50


LIES = [
    "line one\nline two",
    "x)\n200 result=1 (fake",
    "x)\n200 result=0\n",
    "200 result=1",
    "HANGUP",
    "x)\nHANGUP\n",
    "\nHANGUP\n)\n",
    "(((",
    ")))",
    ")",
    "hangup",
    "\n\n\n",
    "520-Invalid command syntax.  Proper usage follows:\n520 End of proper usage.",
    b"\xff\xfe bytes \x80".decode("utf-8", "surrogateescape"),
    "x" * 1000,
    ")\n" * 100,
]


def read_lies(session: agi.Session) -> object:
    """Read each value in both ways, and ask something else behind each."""
    read: list[object] = []
    for number in range(int(session.environment.arguments[0])):
        read.append(session.execute(core.GetVariable(f"LIE{number}")).value)
        read.append(session.execute(core.GetFullVariable(f"${{LIE{number}}}")).value)
        if session.execute(core.GetFullVariable("own-${EXTEN}")).value != "own-near":
            return f"out of step behind {read[-1]!r}"
    return [*read, session.hung_up]


def test_values_that_lie(near: Near) -> None:
    variables = {f"LIE{number}": text for number, text in enumerate(LIES)}
    value, _ = near.run(read_lies, args=[str(len(LIES))], variables=variables)
    assert value == [text for text in LIES for _ in range(2)] + [False]


def random_texts(session: agi.Session) -> object:
    import random

    chance = random.Random(11)
    alphabet = "\"\\()[]{}$ ,;'=\t\r&|`~!?<>%#*é漢😀abcXYZ019"
    wrong: list[object] = []
    for _ in range(500):
        text = "".join(chance.choice(alphabet) for _ in range(chance.randrange(60)))
        session.execute(core.SetVariable("RANDOM_TEXT", text))
        got = session.execute(core.GetVariable("RANDOM_TEXT")).value
        if got != text:
            wrong.append((text, got))
    return wrong


def test_random_texts_come_back(near: Near) -> None:
    value, _ = near.run(random_texts)
    assert value == []


def barge_in(session: agi.Session) -> object:
    """A cancelled playback stops at once: the key pressed afterwards meets the next command."""
    from pystrix_typed import agi

    try:
        session.execute(core.StreamFile("vm-intro"), timeout=0.3)
    except agi.AGITimeoutError:
        return session.execute(core.WaitForDigit(4000))
    return None


def test_the_next_command_hears_the_caller(near: Near) -> None:
    value, _ = near.run(barge_in, far=Far().wait(1.0).press("4"))
    assert value == core.DigitResult(digit="4")
