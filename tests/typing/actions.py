"""Every action and the type of what it gives: the whole catalogue, on the three transports."""

from datetime import UTC, date, datetime, time, timedelta
from os import PathLike
from pathlib import Path
from typing import Literal, assert_type

from pystrix_typed import agi
from pystrix_typed.agi import core


def channel(session: agi.Session) -> None:
    assert_type(session.execute(core.Answer()), None)
    assert_type(session.execute(core.Hangup("PJSIP/alice-00000001")), None)
    assert_type(session.execute(core.ChannelStatus()), core.ChannelStatusResult)
    assert_type(session.execute(core.ChannelStatus()).state, core.ChannelState)
    assert_type(session.execute(core.Noop("a note")), None)
    assert_type(session.execute(core.Verbose("a line", 3)), None)
    assert_type(session.execute(core.SetAutohangup(timedelta(minutes=1))), None)
    assert_type(session.execute(core.SetCallerid("5550199", "Ann")), None)
    assert_type(session.execute(core.SetMusic(True, "default")), None)
    assert_type(session.execute(core.TDDMode("mate")), core.TDDModeResult)
    assert_type(session.execute(core.TDDMode(core.TDDSetting.ON)), core.TDDModeResult)
    assert_type(session.execute(core.AsyncAGIBreak()), None)


def playback(session: agi.FastAGI, sound: PathLike[str]) -> None:
    assert_type(session.execute(core.StreamFile(sound, "12", 8000)), core.PlaybackResult)
    assert_type(session.execute(core.GetOption("menu", range(5), 1.5)), core.PlaybackResult)
    controlled = session.execute(core.ControlStreamFile("menu", "#", forward="6", rewind="4"))
    assert_type(controlled, core.ControlledPlaybackResult)
    assert_type(controlled.digit, str | None)


def saying(session: agi.AGI) -> None:
    now = datetime.now(UTC)
    assert_type(session.execute(core.SayAlpha("abc", case="lower")), core.DigitResult)
    assert_type(session.execute(core.SayDate(date(2026, 1, 31))), core.DigitResult)
    assert_type(session.execute(core.SayDate(now)), core.DigitResult)
    assert_type(session.execute(core.SayDatetime(now, "#", "IMp", "UTC")), core.DigitResult)
    assert_type(session.execute(core.SayDigits([1, "2", 3])), core.DigitResult)
    assert_type(session.execute(core.SayNumber(-7, gender="f")), core.DigitResult)
    assert_type(session.execute(core.SayPhonetic("abc", "#")), core.DigitResult)
    assert_type(session.execute(core.SayTime(time(12, 30))), core.DigitResult)


def digits_and_texts(session: agi.FastAGI) -> None:
    assert_type(session.execute(core.GetData("pin", timedelta(seconds=5), 4)), core.GetDataResult)
    assert_type(session.execute(core.WaitForDigit()), core.DigitResult)
    assert_type(session.execute(core.WaitForDigit()).digit, str | None)
    assert_type(session.execute(core.ReceiveChar()).char, str | None)
    assert_type(session.execute(core.ReceiveText(1000)).text, str | None)
    assert_type(session.execute(core.SendText("hello")), None)
    assert_type(session.execute(core.SendImage(Path("logo"))), None)


def recording(session: agi.FastAGI) -> None:
    result = session.execute(core.RecordFile(Path("message"), "gsm", "#", silence=3))
    assert_type(result, core.RecordResult)
    assert_type(result.ended_by, Literal["digit", "timeout_or_silence", "digit_before_recording"])
    assert_type(result.digit, str | None)


def variables_and_database(session: agi.FastAGI) -> None:
    assert_type(session.execute(core.SetVariable("X", "y")), None)
    assert_type(session.execute(core.GetVariable("X")), core.VariableResult)
    assert_type(session.execute(core.GetFullVariable("${X}", "a-channel")), core.VariableResult)
    assert_type(session.execute(core.DatabaseGet("a", "b")), core.DatabaseGetResult)
    assert_type(session.execute(core.DatabasePut("a", "b", "c")), None)
    assert_type(session.execute(core.DatabaseDel("a", "b")), None)
    assert_type(session.execute(core.DatabaseDeltree("a")), core.DeltreeResult)


def dialplan(session: agi.FastAGI) -> None:
    assert_type(session.execute(core.Exec("Dial", ["PJSIP/bob", 30])), core.ExecResult)
    assert_type(session.execute(core.Gosub("subs", "s", 1, ["a", 2])), core.GosubResult)
    assert_type(session.execute(core.SetContext("landing")), None)
    assert_type(session.execute(core.SetExtension("s")), None)
    assert_type(session.execute(core.SetPriority("label")), None)


def speech(session: agi.FastAGI) -> None:
    assert_type(session.execute(core.SpeechCreate()), None)
    assert_type(session.execute(core.SpeechSet("name", "value")), None)
    assert_type(session.execute(core.SpeechLoadGrammar("menu", Path("menu.gram"))), None)
    assert_type(session.execute(core.SpeechActivateGrammar("menu")), None)
    heard = session.execute(core.SpeechRecognize("menu", 5000))
    assert_type(heard, core.SpeechRecognizeResult)
    for understood in heard.results:
        assert_type(understood.score, int)
        assert_type(understood.text, str)
        assert_type(understood.grammar, str)
    assert_type(session.execute(core.SpeechDeactivateGrammar("menu")), None)
    assert_type(session.execute(core.SpeechUnloadGrammar("menu")), None)
    assert_type(session.execute(core.SpeechDestroy()), None)


async def in_a_loop(session: agi.aio.AGI | agi.aio.FastAGI) -> None:
    assert_type(await session.execute(core.StreamFile("menu"), timeout=30), core.PlaybackResult)
    assert_type(await session.execute(core.Exec("Wait", "1")), core.ExecResult)
    assert_type((await session.execute(core.ChannelStatus())).state, core.ChannelState)


def wrong(session: agi.Session) -> None:
    core.SayDate("today")  # mypy: arg-type; pyright: reportArgumentType
    core.SayAlpha("abc", case="both")  # mypy: arg-type; pyright: reportArgumentType
    core.SayNumber("7")  # mypy: arg-type; pyright: reportArgumentType
    core.Gosub("subs", "s")  # mypy: call-arg; pyright: reportCallIssue
    core.RecordFile("message", beep="no")  # mypy: arg-type; pyright: reportArgumentType
    core.SetMusic("on")  # mypy: arg-type; pyright: reportArgumentType
    core.Exec("Dial", {"a": 1.5}.values())  # mypy: arg-type; pyright: reportArgumentType
    core.DatabaseDeltree()  # mypy: call-arg; pyright: reportCallIssue
    core.ChannelStatus(1)  # mypy: arg-type; pyright: reportArgumentType
    session.execute(core.SayDigits("1"), 5)  # mypy: call-arg; pyright: reportCallIssue
    result = session.execute(core.SayDigits("1"))
    print(result.digits)  # mypy: attr-defined; pyright: reportAttributeAccessIssue
