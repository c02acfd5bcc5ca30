"""Every reply that a real call can be brought to give, as data.

What is alike for many commands is made from tables: refused words, dead channels, hangups. What
only one command can tell is spelled out, topic by topic (see `scenes_media` for sound).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi.core.catalogue import COMMANDS

from .calls import Far
from .engine import join, speech_engine
from .scene import LATER, Ask, Scene
from .scenes_dialplan import RECKONS
from .scenes_media import MEDIA
from .stages import (
    busy_database,
    join_multicast,
    join_without_dialplan,
    no_gosub,
    rtp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SCENES"]

MANY = " x" * 12


def refused() -> Iterator[Ask]:
    """Give each command too few words, and too many, where Asterisk counts them."""
    for command in COMMANDS:
        action = command.examples[0].python
        if command.usage and command.arguments and command.arguments[0].wire == "always":
            yield Ask(action, "usage", command.name)
        if command.usage and not command.ignores_extra_words:
            yield Ask(action, "usage", f"{command.name}{MANY}")


def dead() -> Iterator[Ask]:
    """Give each command that is for living channels to a dead one."""
    for command in COMMANDS:
        if not command.dead:
            yield Ask(command.examples[0].python, "dead-channel")


#: Numbers that are none.
MALFORMED = (
    Ask("WaitForDigit(0)", "usage", "WAIT FOR DIGIT soon"),
    Ask("WaitForDigit(0)", "usage", 'WAIT FOR DIGIT ""'),
    Ask("SetAutohangup()", "usage", "SET AUTOHANGUP soon"),
    Ask("SayNumber(1)", "usage", 'SAY NUMBER one ""'),
    Ask('SayDigits("1")', "usage", 'SAY DIGITS one ""'),
    Ask("SayDate(0)", "usage", 'SAY DATE today ""'),
    Ask("SayTime(0)", "usage", 'SAY TIME now ""'),
    Ask("SayDatetime(0)", "usage", 'SAY DATETIME now ""'),
    Ask('StreamFile("beep")', "usage", 'STREAM FILE beep "" start'),
    Ask('ControlStreamFile("beep")', "usage", 'CONTROL STREAM FILE beep "" fast'),
    Ask('RecordFile("scene")', "usage", 'RECORD FILE scene wav "" soon'),
)

#: Legal on a dead channel, and what they then answer.
DEAD = (
    Ask("Noop()", "done"),
    Ask('Verbose("still here")', "printed"),
    Ask('SetVariable("LATE", "value")', "set"),
    Ask('GetVariable("LATE")', "value", gives={"value": "value"}),
    Ask('GetFullVariable("${LATE} ${EXTEN}")', "value", gives={"value": "value h"}),
    Ask('DatabasePut("late", "a", "1")', "stored"),
    Ask('DatabaseGet("late", "a")', "value", gives={"value": "1"}),
    Ask('DatabaseDel("late", "a")', "gone"),
    Ask('DatabaseDeltree("late")', "nothing-deleted"),
    Ask('Exec("NoOp")', "value", gives={"value": 0}),
    Ask('Exec("Wait", ["1"])', "value", gives={"value": -1}),
    Ask("AsyncAGIBreak()", "done"),
    Ask("SpeechDestroy()", "no-object"),
    Ask('SpeechUnloadGrammar("digits")', "refused"),
)

#: Asterisk does not look at the words behind those that it knows.
IGNORED = (
    Ask("Answer()", "answered", "ANSWER x x"),
    Ask("Noop()", "done", 'NOOP x "y z"'),
    Ask("AsyncAGIBreak()", "done", "ASYNCAGI BREAK x"),
    Ask('SetCallerid("5550199")', "set", 'SET CALLERID "<5550199>" x'),
    Ask('SetCallerid("5550199")', "set", "SET CALLERID"),
    Ask("SpeechCreate()", "failed", "SPEECH CREATE x y"),
    Ask("SpeechDestroy()", "no-object", "SPEECH DESTROY x"),
    Ask('Verbose("m")', "printed", "VERBOSE m 1 x"),
    Ask("SetMusic(False)", "done", "SET MUSIC off default x"),
    Ask('Exec("NoOp")', "value", "EXEC NoOp one two three"),
    Ask('GetData("")', "timed-out", 'GET DATA "" 100 5 x'),
    Ask("SayDatetime(0)", "completed", 'SAY DATETIME 0 "" H UTC x'),
    Ask('RecordFile("more-words")', "limit", 'RECORD FILE more-words wav "" 100 0 s=1 x'),
)

CHANNEL = (
    Scene(
        "ringing",
        (
            Ask("ChannelStatus()", "state", gives={"state": 4}),
            Ask("Answer()", "answered"),
            Ask("ChannelStatus()", "state", gives={"state": 6}),
            Ask("Answer()", "answered"),
        ),
        answer=False,
    ),
    # The far end is gone before there was any sound of it, which is what answering waits for.
    Scene("gone when answered", (Ask("Answer()", "hangup"),), far=Far(()).hangup(), answer=False),
    Scene(
        "channel",
        (
            Ask('ChannelStatus("Local/nobody@nowhere-00000000;1")', "unknown-channel"),
            Ask('Hangup("Local/nobody@nowhere-00000000;1")', "unknown-channel"),
            Ask("Noop()", "done"),
            Ask('Noop("a note")', "done"),
            Ask('Verbose("a \\"quoted\\" line", 3)', "printed"),
            Ask("SetAutohangup(60)", "set"),
            Ask("SetAutohangup()", "set"),
            Ask('SetCallerid("5550199", "Ann (sales)")', "set"),
            Ask('GetVariable("CALLERID(all)")', "value"),
            Ask("SetMusic(True)", "done"),
            Ask('SetMusic(True, "no-such-class")', "done"),
            Ask("SetMusic(False)", "done"),
            Ask('TDDMode("on")', "unsupported"),
            Ask("AsyncAGIBreak()", "done"),
            Ask("Hangup()", "requested"),
            Ask("Noop()", "done"),
        ),
    ),
)

TEXT = (
    Scene(
        "texts",
        (
            Ask('SendText("grüße (1)")', "sent"),
            Ask('SendText("")', "sent"),
            Ask('SendImage("no-such-picture")', "done"),
            Ask("ReceiveChar(100)", "timed-out", gives={"char": None}),
            Ask("ReceiveText(100)", "timed-out", gives={"text": None}),
            Ask("ReceiveChar(0)", "timed-out"),
            Ask("ReceiveChar(3000)", "received", far="SendText(hi)", gives={"char": "h"}),
            Ask("ReceiveText(3000)", "received", far="SendText(hi there)"),
            Ask(
                "ReceiveText(3000)",
                "received",
                # l1 (a), a line feed, l2 )
                far="SendText(${BASE64_DECODE(bDEgKGEpCmwyICk=)})",
                gives={"text": "l1 (a)\nl2 )"},
            ),
        ),
    ),
    Scene(
        "no texts",
        (Ask('SendText("hello")', "failed"), Ask("ReceiveText(100)", "timed-out")),
        stage=rtp,
        bring=join_multicast,
    ),
)

VARIABLES = (
    Scene(
        "variables",
        (
            Ask('SetVariable("GIVEN", "two words (1)")', "set"),
            Ask('SetVariable("NO_SUCH_FUNCTION(x)", "1")', "set"),
            Ask('GetVariable("GIVEN")', "value", gives={"value": "two words (1)"}),
            Ask('GetVariable("EMPTY")', "value", gives={"value": ""}),
            Ask('GetVariable("LINES")', "value", gives={"value": "one (1)\ntwo)\n200 result=0\n"}),
            Ask('GetVariable("BYTES")', "value"),
            Ask('GetVariable("NOT_SET")', "unset", gives={"value": None}),
            Ask('GetVariable("NO_SUCH_FUNCTION(x)")', "unset", gives={"value": None}),
            Ask('GetFullVariable("${GIVEN}/${EXTEN}")', "value"),
            Ask('GetFullVariable("${NOT_SET}")', "value", gives={"value": ""}),
            Ask('GetFullVariable("x", "Local/nobody@nowhere-00000000;1")', "unknown-channel"),
        ),
        variables={
            "EMPTY": "",
            "LINES": "one (1)\ntwo)\n200 result=0\n",
            "BYTES": b"\xff\xfe\x80".decode("utf-8", "surrogateescape"),
        },
    ),
    Scene(
        "database",
        (
            Ask('DatabasePut("scenes", "a/1", "10 Main St (rear)")', "stored"),
            Ask('DatabaseGet("scenes", "a/1")', "value", gives={"value": "10 Main St (rear)"}),
            Ask('DatabaseGet("scenes", "b")', "missing"),
            Ask('DatabaseDel("scenes", "b")', "gone"),
            Ask('DatabaseDel("scenes", "a/1")', "gone"),
            Ask('DatabaseDeltree("scenes")', "nothing-deleted", gives={"deleted": False}),
            Ask('DatabasePut("scenes", "a/1", "")', "stored"),
            Ask('DatabaseGet("scenes", "a/1")', "value", gives={"value": ""}),
            Ask('DatabaseDeltree("scenes", "a")', "deleted", gives={"deleted": True}),
            # The tree may be the key itself.
            Ask('DatabasePut("scenes", "b", "1")', "stored"),
            Ask('DatabaseDeltree("scenes", "b")', "deleted", gives={"deleted": True}),
        ),
    ),
    Scene(
        "busy database",
        (
            Ask('DatabasePut("scenes", "a", "1")', "failed"),
            Ask('DatabaseGet("scenes", "a")', "missing"),
            Ask('DatabaseDel("scenes", "a")', "failed"),
            Ask('DatabaseDeltree("scenes")', "nothing-deleted"),
        ),
        stage=busy_database,
    ),
)

ROUTINES = """
[scenes]
exten => wait,1,Wait(8)
 same => n,Return()
exten => ends,1,NoOp()
exten => leaves,1,Goto(subs,silent,1)
exten => strays,1,Goto(scenes,ends,1)
"""

DIALPLAN = (
    Scene(
        "applications",
        (
            Ask('Exec("NoOp")', "value", gives={"value": 0}),
            Ask('Exec("Incomplete")', "value", gives={"value": 12}),
            Ask('Exec("Gosub", "nowhere,s,1")', "value", gives={"value": -1}),
            Ask('Exec("NoSuchApplication")', "no-application"),
            Ask('Exec("BackGround", "vm-intro")', "value", far="SendDTMF(5)", gives={"value": 53}),
        ),
    ),
    Scene(
        "routines",
        (
            Ask('Gosub("subs", "join", 1, ["left", "right"])', "returned"),
            Ask('GetVariable("GOSUB_RETVAL")', "value", gives={"value": "left-right"}),
            Ask('Gosub("subs", "labelled", "here")', "returned", gives={"returned": True}),
            Ask('Gosub("subs", "labelled", "there")', "not-found"),
            Ask('Gosub("subs", "silent", 7)', "not-found"),
            Ask('Gosub("subs", "nobody", 1)', "not-found"),
            Ask('Gosub("nowhere", "s", 1)', "not-found"),
            Ask('Gosub("scenes", "ends", 1)', "abnormal-exit", gives={"returned": False}),
            # A Goto is followed; what counts is the Return.
            Ask('Gosub("scenes", "leaves", 1)', "returned"),
            Ask('Gosub("scenes", "strays", 1)', "abnormal-exit", gives={"returned": False}),
            Ask('GetVariable("GOSUB_RETVAL")', "value", gives={"value": ""}),
            Ask('Gosub("subs", "hangup", 1)', "hangup"),
        ),
    ),
    Scene(
        "a hangup during an application",
        (Ask('Exec("Wait", ["5"])', "value", gives={"value": -1}),),
        far=Far().wait(LATER).hangup(),
    ),
    Scene(
        "no routines",
        (Ask('Gosub("subs", "silent", 1)', "invalid-command"),),
        stage=no_gosub,
        bring=join_without_dialplan,
    ),
    Scene(
        "going on",
        (
            Ask('SetContext("landing")', "set"),
            Ask('SetContext("nowhere")', "set"),
            Ask('SetContext("landing")', "set"),
            Ask('SetExtension("s")', "set"),
            Ask('SetExtension("no such extension")', "set"),
            Ask('SetExtension("s")', "set"),
            Ask("SetPriority(99)", "set"),
            Ask('SetPriority("no-such-label")', "usage"),
            Ask('SetPriority("third")', "set"),
        ),
    ),
)

SPEECH = (
    Scene(
        "no speech engine",
        (
            Ask("SpeechCreate()", "failed"),
            Ask('SpeechCreate("vosk")', "failed"),
            Ask('SpeechSet("language", "en-GB")', "no-object"),
            Ask('SpeechLoadGrammar("digits", "/digits.gram")', "refused"),
            Ask('SpeechActivateGrammar("digits")', "refused"),
            Ask('SpeechDeactivateGrammar("digits")', "refused"),
            Ask('SpeechUnloadGrammar("digits")', "refused"),
            Ask('SpeechRecognize("beep", 1)', "failed"),
            Ask("SpeechDestroy()", "no-object"),
        ),
    ),
    Scene(
        "a speech engine",
        (
            Ask('SpeechCreate("vosk")', "failed"),
            Ask('SpeechCreate("hearing")', "created"),
            Ask("SpeechCreate()", "failed"),
            # An engine of this kind knows no grammars.
            Ask('SpeechLoadGrammar("menu", "/menu.gram")', "refused"),
            Ask('SpeechActivateGrammar("menu")', "refused"),
            Ask('SpeechDeactivateGrammar("menu")', "refused"),
            Ask('SpeechUnloadGrammar("menu")', "refused"),
            Ask('SpeechSet("hear", "say \\"yes\\" twice")', "set"),
            Ask('SpeechRecognize("beep", 3)', "speech", gives={"ended_by": "speech"}),
            Ask('SpeechSet("hear", "")', "set"),
            Ask('SpeechRecognize("beep", 1)', "timed-out", gives={"digit": None, "results": []}),
            Ask("SpeechDestroy()", "destroyed"),
            Ask("SpeechDestroy()", "no-object"),
        ),
        stage=speech_engine,
        bring=join("speech", "Wait(20)"),
        only=(22,),
    ),
    Scene(
        "a key, and not speech",
        (
            Ask("SpeechCreate()", "created"),
            Ask('SpeechRecognize("vm-intro", 3)', "digit", gives={"digit": "5"}),
        ),
        stage=speech_engine,
        bring=join("speech-key", "Wait(0.5)", "SendDTMF(5)", "Wait(20)"),
        only=(22,),
    ),
    Scene(
        "a hangup, and not speech",
        (Ask("SpeechCreate()", "created"), Ask('SpeechRecognize("vm-intro", 3)', "hangup")),
        stage=speech_engine,
        bring=join("speech-hangup", "Wait(0.5)", "Hangup()"),
        only=(22,),
    ),
)

#: Commands that wait; the caller hangs up while they do.
HUNG_UP = (
    'StreamFile("vm-intro")',
    'ControlStreamFile("vm-intro")',
    'GetData("vm-intro", 5000)',
    'GetData("", 5000)',
    'GetOption("vm-intro", "1", 5000)',
    'GetOption("beep", "1", 5000)',
    "WaitForDigit(5000)",
    'RecordFile("scene-hung-up", "wav", "#", 5000, beep=False)',
    'RecordFile("scene-hung-up", "wav", "#", 5000)',
    'SayAlpha("abcdefghijklmnop")',
    "SayDate(0)",
    "SayDatetime(0)",
    'SayDigits("1234567890")',
    "SayNumber(123456789)",
    'SayPhonetic("abcdefgh")',
    "SayTime(0)",
    "ReceiveChar(5000)",
    "ReceiveText(5000)",
    'Gosub("scenes", "wait", 1)',
)

SCENES: tuple[Scene, ...] = (
    Scene("wrong words", tuple(refused())),
    Scene("malformed numbers", MALFORMED),
    Scene("more words", IGNORED),
    Scene("dead", tuple(dead()), dead=True),
    Scene("dead, and legal", DEAD, dead=True),
    *CHANNEL,
    *MEDIA,
    *TEXT,
    *VARIABLES,
    *DIALPLAN,
    *RECKONS,
    *SPEECH,
    *(
        Scene(f"hangup: {action}", (Ask(action, "hangup"),), far=Far().wait(LATER).hangup())
        for action in HUNG_UP
    ),
)
