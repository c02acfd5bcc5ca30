"""Scenes with sound: playing, speaking, recording, keys, and how they are interrupted."""

from __future__ import annotations

from .calls import Far
from .scene import Ask, Scene
from .stages import Steering, broken_sounds, manager, no_sounds, relay

__all__ = ["MEDIA"]

#: Spoken sign by sign: long, so that a key can end it, and short.
SPELLED = {
    'SayDigits("1234567890", "0123456789*#")': 'SayDigits("12")',
    'SayAlpha("abcdefgh", "0123456789*#")': 'SayAlpha("aB", "", "upper")',
    'SayPhonetic("abcdefgh", "0123456789*#")': 'SayPhonetic("a")',
}
#: Spoken as people say it.
WHOLE = {
    'SayNumber(123456789, "0123456789*#")': "SayNumber(7)",
    'SayDate(0, "0123456789*#")': "SayDate(0)",
    'SayTime(0, "0123456789*#")': "SayTime(0)",
    'SayDatetime(0, "0123456789*#")': 'SayDatetime(0, "", "HM", "UTC")',
}

MEDIA = (
    Scene(
        "playing",
        (
            Ask('StreamFile("beep")', "completed", gives={"digit": None}),
            Ask('StreamFile("vm-intro", "5*")', "digit", far="SendDTMF(5)", gives={"digit": "5"}),
            Ask('StreamFile("vm-intro", "*")', "digit", far="SendDTMF(1*)", gives={"digit": "*"}),
            Ask('StreamFile("no-such-sound")', "failed"),
            Ask('StreamFile("no-such-sound", "", 400)', "failed"),
            Ask('ControlStreamFile("beep")', "completed", gives={"offset": None}),
            Ask(
                'ControlStreamFile("vm-intro", "5")',
                "digit",
                far="SendDTMF(5)",
                gives={"digit": "5", "ended_by": "digit"},
            ),
            Ask('ControlStreamFile("no-such-sound")', "failed"),
        ),
    ),
    Scene(
        "keys",
        (
            Ask("WaitForDigit(3000)", "digit", far="SendDTMF(0)", gives={"digit": "0"}),
            Ask("WaitForDigit(3000)", "digit", far="SendDTMF(D)", gives={"digit": "D"}),
            Ask("WaitForDigit(100)", "timed-out", gives={"digit": None}),
            Ask("WaitForDigit(0)", "timed-out"),
            Ask(
                'GetData("vm-intro", 3000, 4)',
                "entered",
                far="SendDTMF(0042)",
                gives={"digits": "0042"},
            ),
            Ask('GetData("", 3000, 9)', "entered", far="SendDTMF(9*#)", gives={"digits": "9*"}),
            Ask('GetData("", 3000, 9)', "entered", far="SendDTMF(#)", gives={"digits": ""}),
            Ask('GetData("", 800, 9)', "timed-out", far="SendDTMF(12)", gives={"digits": "12"}),
            Ask('GetData("beep", 100)', "timed-out", gives={"digits": "", "timed_out": True}),
            Ask('GetData("no-such-sound", 100)', "failed"),
        ),
    ),
    Scene(
        "options",
        (
            Ask('GetOption("vm-intro", "2", 1000)', "digit", far="SendDTMF(2)"),
            Ask('GetOption("beep", "2", 3000)', "digit", far="SendDTMF(w2)", gives={"digit": "2"}),
            Ask('GetOption("beep", "2", 3000)', "no-digit", far="SendDTMF(w3)"),
            Ask('GetOption("beep", "2", 100)', "no-digit", gives={"digit": None}),
            Ask('GetOption("no-such-sound", "2", 100)', "failed"),
        ),
    ),
    Scene(
        "recording",
        (
            Ask(
                'RecordFile("scene", "wav", "#", 4000, beep=False)',
                "digit",
                far="SendDTMF(#)",
                gives={"digit": "#", "ended_by": "digit"},
            ),
            Ask('RecordFile("scene", "wav", "#", 300, beep=False)', "limit"),
            Ask('RecordFile("scene", "wav", "#", 9000, beep=False, silence=1)', "limit"),
            Ask('RecordFile("no/such/folder/scene", "wav", beep=False, timeout=300)', "no-file"),
            Ask('RecordFile("scene", "nonsense", beep=False, timeout=300)', "no-file"),
            Ask('GetVariable("RECORD_STATUS")', "unset"),
        ),
    ),
    Scene(
        "a key during the beep",
        (Ask('RecordFile("scene", "wav", "#", 2000)', "digit-before-recording"),),
        far=Far().press("#", hold=60),
    ),
    *(
        Scene(
            f"speaking: {short}",
            (
                Ask(short, "completed", gives={"digit": None}),
                Ask(long, "digit", far="SendDTMF(7)", gives={"digit": "7"}),
            ),
        )
        for long, short in (SPELLED | WHOLE).items()
    ),
    # 16.28 has a fault there that is mended since.
    Scene(
        "signs without a sound",
        (
            Ask('SayAlpha("é")', "completed"),
            Ask('SayAlpha("éa")', "failed", only=(16,)),
            Ask('SayAlpha("éa")', "completed", only=(22,)),
            Ask('SayAlpha("A", "", "upper")', "failed", only=(16,)),
            Ask('SayAlpha("A", "", "upper")', "completed", only=(22,)),
            Ask('SayPhonetic("éa")', "failed", only=(16,)),
            Ask('SayPhonetic("éa")', "completed", only=(22,)),
            Ask('SayDigits("1-*#")', "completed"),
            Ask('SayDigits("1")', "usage", 'SAY DIGITS "*1" ""'),
        ),
    ),
    Scene(
        "nothing to say",
        (
            *(Ask(action, "failed") for action in WHOLE),
            *(Ask(action, "completed") for action in SPELLED),
            Ask('StreamFile("beep")', "failed"),
            Ask('RecordFile("scene", "wav", "#", 300)', "no-beep"),
        ),
        stage=no_sounds,
    ),
    Scene(
        "broken sounds",
        (
            Ask('SayDigits("1")', "failed"),
            Ask('SayAlpha("a")', "failed"),
            Ask('SayPhonetic("a")', "failed"),
        ),
        stage=broken_sounds,
    ),
    Scene(
        "interrupted",
        (
            Ask('StreamFile("vm-intro")', "interrupted while the file plays", interrupt=0.25),
            Ask('GetData("vm-intro", 5000)', "interrupted while the prompt plays", interrupt=0.25),
            Ask('GetData("", 5000)', "interrupted while keys are collected", interrupt=0.25),
            Ask("WaitForDigit(5000)", "interrupted while it waits", interrupt=0.25),
            Ask('GetOption("vm-intro")', "interrupted while the prompt plays", interrupt=0.25),
            Ask(
                'GetOption("beep", "1", 5000)',
                "interrupted while it waits after the prompt",
                interrupt=1.0,
            ),
            Ask("Noop()", "done"),
        ),
    ),
    # Only while the caller's sound goes to a script do these look whether a command has come.
    Scene(
        "interrupted over EAGI",
        (
            *(
                Ask(action, "interrupted while it speaks", interrupt=0.25)
                for action in (*SPELLED, *WHOLE)[:4]
            ),
            Ask("Noop()", "done"),
        ),
        eagi=True,
        connect=relay,
    ),
    Scene(
        "steered from outside",
        (
            Ask("WaitForDigit(3000)", "stream-control", meanwhile=Steering("stop")),
            Ask("WaitForDigit(3000)", "stream-control", meanwhile=Steering("forward")),
            Ask(
                'ControlStreamFile("vm-intro")',
                "stopped",
                meanwhile=Steering("stop"),
                gives={"digit": None},
            ),
            Ask('StreamFile("vm-intro")', "completed", meanwhile=Steering("stop")),
            Ask('GetOption("beep", "2", 3000)', "no-digit", meanwhile=Steering("stop")),
        ),
        stage=manager,
    ),
)
