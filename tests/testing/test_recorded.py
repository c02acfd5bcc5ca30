"""Calls that were recorded, in a server or by a session, and what becomes of them in a replay."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.recording import CallRecorder, record
from pystrix_typed.testing import (
    Caller,
    HungUp,
    RecordedCall,
    RecordingError,
    ReplayError,
    SimulatedAsterisk,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOUNDS = {"enter-pin": 2.0, "menu": 3.0}
DATABASE = {("pins", "5550123"): "1234"}
CALLER = Caller("5550123").hears("enter-pin").presses("1234").hears("menu", only=1.0).presses("1")
HIDDEN = ["1234", "1234", "49"]
TIMEOUT = 20


def flow(session: agi.FastAGI, request: agi.Request) -> None:
    session.execute(core.Answer())
    entry = session.execute(core.GetData("enter-pin", 5000, 4))
    pin = session.execute(core.DatabaseGet("pins", "5550123")).value
    session.execute(core.Verbose("looked up"))
    if entry.digits == pin and session.execute(core.StreamFile("menu", "12")).digit == "1":
        session.execute(core.SayNumber(42))
    session.execute(core.Hangup())


async def flow_in_a_loop(session: agi.aio.FastAGI, request: agi.Request) -> None:
    await session.execute(core.Answer())
    entry = await session.execute(core.GetData("enter-pin", 5000, 4))
    pin = (await session.execute(core.DatabaseGet("pins", "5550123"))).value
    await session.execute(core.Verbose("looked up"))
    if entry.digits == pin and (await session.execute(core.StreamFile("menu", "12"))).digit == "1":
        await session.execute(core.SayNumber(42))
    await session.execute(core.Hangup())


def asterisk() -> SimulatedAsterisk:
    return SimulatedAsterisk(sounds=SOUNDS, database=DATABASE)


def recorded_by_a_server(folder: Path, *, unredacted: bool = False) -> RecordedCall:
    with agi.FastAGIServer(
        port=0, observers=[CallRecorder(folder, unredacted=unredacted)]
    ) as server:
        server.script("account")(flow)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        asterisk().call_server(*server.server_address, "account?x=1", caller=CALLER)
        server.shutdown(TIMEOUT)
        thread.join(TIMEOUT)
    (file,) = folder.glob("*.agi.jsonl")
    return RecordedCall.load(file)


@pytest.fixture
def recorded() -> RecordedCall:
    """A call as the simulator has it, with nothing hidden."""
    return RecordedCall.of(asterisk().call(flow, "account", caller=CALLER).transcript)


def beeps(session: agi.FastAGI) -> None:
    session.execute(core.StreamFile("beep"))


def variant(
    *,
    before: Callable[[agi.FastAGI], object] = lambda session: None,
    look: bool = True,
    log: str = "looked up",
    number: int = 42,
    to_the_end: bool = True,
) -> Callable[[agi.FastAGI], None]:
    """Give a flow that differs from the recorded one."""

    def handler(session: agi.FastAGI) -> None:
        session.execute(core.Answer())
        before(session)
        session.execute(core.GetData("enter-pin", 5000, 4))
        if look:
            session.execute(core.DatabaseGet("pins", "5550123"))
        if log:
            session.execute(core.Verbose(log))
        session.execute(core.StreamFile("menu", "12"))
        session.execute(core.SayNumber(number))
        if to_the_end:
            session.execute(core.Hangup())

    return handler


# In a server


def test_a_servers_call_hides_what_was_keyed_in(tmp_path: Path) -> None:
    recorded = recorded_by_a_server(tmp_path)
    text = "\n".join(line.text for line in recorded.lines)
    assert "1234" not in text
    assert 'SAY NUMBER *** ""' in text
    assert recorded.script == "account?x=1"
    assert recorded.version == "22.10.1"
    assert [line.text for line in recorded.hidden] == [
        "200 result=***",
        "200 result=1 (***)",
        "200 result=*** endpos=8800",
    ]


def test_it_is_replayed_with_what_was_hidden(tmp_path: Path) -> None:
    recorded = recorded_by_a_server(tmp_path)
    call = recorded.replay(flow, hidden=HIDDEN)
    assert 'SAY NUMBER 42 ""' in call.transcript.commands
    assert call.agistatus == "SUCCESS"
    # What else they keyed in takes the call elsewhere.
    with pytest.raises(ReplayError, match=r"the script sent: *HANGUP\n"):
        recorded.replay(flow, hidden=["9999", "1234", "49"])


def test_what_is_hidden_must_be_given(tmp_path: Path) -> None:
    recorded = recorded_by_a_server(tmp_path)
    wanted = (
        r"hides 3 values.*\n.*line \d+: 200 result=\*\*\*   after GET DATA \"enter-pin\" 5000 4"
    )
    with pytest.raises(RecordingError, match=wanted):
        recorded.replay(flow)
    with pytest.raises(RecordingError, match="hides 3 values"):
        recorded.replay(flow, hidden=[*HIDDEN, "1"])


def test_nothing_is_hidden_on_request(tmp_path: Path) -> None:
    recorded = recorded_by_a_server(tmp_path, unredacted=True)
    assert recorded.mask is None
    assert recorded.hidden == ()
    recorded.replay(flow)
    with pytest.raises(RecordingError, match="hides nothing"):
        recorded.replay(flow, hidden=["1"])


def test_an_asyncio_server_records_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with agi.aio.FastAGIServer(port=0, observers=[CallRecorder(tmp_path)]) as server:
            server.script("account")(flow_in_a_loop)
            task = asyncio.create_task(server.serve_forever())
            await asterisk().call_server_async(*server.server_address, "account", caller=CALLER)
            await server.shutdown(TIMEOUT)
            await task

    asyncio.run(main())
    (file,) = tmp_path.iterdir()
    RecordedCall.load(file).replay(flow, hidden=HIDDEN)


def test_only_some_calls(tmp_path: Path) -> None:
    recorder = CallRecorder(tmp_path / "a" / "b", only=lambda call: call.path == "other")
    with agi.FastAGIServer(port=0, observers=[recorder]) as server:
        server.script(None)(flow)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for script in ("account", "other"):
            asterisk().call_server(*server.server_address, script, caller=CALLER)
        server.shutdown(TIMEOUT)
        thread.join(TIMEOUT)
    (file,) = (tmp_path / "a" / "b").iterdir()
    assert RecordedCall.load(file).script == "other"


def test_a_call_goes_on_when_nothing_can_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "calls"
    recorder = CallRecorder(folder)
    folder.rmdir()
    with (
        caplog.at_level(logging.WARNING, "pystrix_typed.agi.recording"),
        agi.FastAGIServer(port=0, observers=[recorder]) as server,
    ):
        server.script("account")(flow)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        call = asterisk().call_server(*server.server_address, "account", caller=CALLER)
        server.shutdown(TIMEOUT)
        thread.join(TIMEOUT)
    assert call.said == ["42"]
    (told,) = [entry for entry in caplog.records if entry.name == "pystrix_typed.agi.recording"]
    assert "a call is not recorded" in told.getMessage()
    assert "No such file or directory" in told.getMessage()


def test_a_full_disk_ends_the_recording_only(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("/dev/full is Linux's")

    def handler(session: agi.FastAGI) -> None:
        with record(session, "/dev/full"):
            for _ in range(200):
                session.execute(core.Verbose("x" * 100))

    assert len(SimulatedAsterisk().call(handler).log) == 200


def test_a_file_is_no_larger_than_allowed(tmp_path: Path) -> None:
    file = tmp_path / "call.agi.jsonl"

    def handler(session: agi.FastAGI) -> None:
        with record(session, file, most_bytes=2000):
            for number in range(100):
                session.execute(core.Verbose(f"line {number}"))

    SimulatedAsterisk().call(handler)
    assert file.stat().st_size < 2100
    assert "left_out" in file.read_text().splitlines()[-1]
    assert RecordedCall.load(file).conversation
    with pytest.raises(ValueError, match="most_bytes"):
        CallRecorder(tmp_path, most_bytes=10)


# By a session


def test_a_session_records_itself(tmp_path: Path) -> None:
    file = tmp_path / "call.agi.jsonl"

    def handler(session: agi.FastAGI, request: agi.Request) -> None:
        with record(session, file):
            flow(session, request)
        assert session.trace is None

    asterisk().call(handler, caller=CALLER)
    RecordedCall.load(file).replay(flow, hidden=HIDDEN)


SCRIPT = """
from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.recording import record
with agi.AGI() as session, record(session, {file!r}, unredacted=True):
    session.execute(core.Answer())
    session.execute(core.SetVariable("X", "grüße\\udcff"))
    session.execute(core.StreamFile("menu"))
"""


def test_a_script_is_recorded_and_replayed(tmp_path: Path) -> None:
    script, file = tmp_path / "script.py", tmp_path / "call.agi.jsonl"
    script.write_text(SCRIPT.format(file=str(file)))
    command: list[str | Path] = [sys.executable, script]
    asterisk().run_script(command, faults=[HungUp("STREAM FILE", after=1.0)])
    recorded = RecordedCall.load(file)
    assert recorded.script is None
    recorded.replay_script(command)
    script.write_text(script.read_text().replace('"menu"', '"other"'))
    with pytest.raises(ReplayError, match='STREAM FILE "other"'):
        recorded.replay_script(command)


# What a replay takes


def test_a_recording_is_kept_and_read_again(recorded: RecordedCall, tmp_path: Path) -> None:
    recorded.save(tmp_path / "x")
    again = RecordedCall.load(tmp_path / "x")
    assert again.lines == recorded.lines
    again.replay(flow)
    asyncio.run(again.replay_async(flow_in_a_loop))
    assert repr(again).endswith(f"{len(again.lines)} lines>")


def test_time_passes_as_it_did(recorded: RecordedCall) -> None:
    call = recorded.replay(flow)
    first = asterisk().call(flow, "account", caller=CALLER)
    assert call.duration == pytest.approx(first.duration, abs=0.01)


def test_a_deadline_is_met_again(tmp_path: Path) -> None:
    def hurried(session: agi.FastAGI) -> None:
        try:
            session.execute(core.StreamFile("menu"), timeout=1.0)
        except agi.AGITimeoutError:
            session.execute(core.SayNumber(1))

    call = asterisk().call(hurried)
    assert call.said == ["1"]
    again = RecordedCall.of(call.transcript).replay(hurried)
    assert again.transcript.commands[-1] == 'SAY NUMBER 1 ""'
    assert again.duration == pytest.approx(call.duration, abs=0.05)


@pytest.mark.parametrize("command", ["GET DATA", "STREAM FILE", "SAY NUMBER"])
def test_a_hangup_comes_again(command: str) -> None:
    call = asterisk().call(flow, caller=CALLER, faults=[HungUp(command, after=0.2)])
    assert isinstance(call.error, agi.AGIHangup)
    again = RecordedCall.of(call.transcript).replay(flow)
    assert type(again.error) is type(call.error)
    assert again.hung_up_by == "caller"
    assert again.agistatus == "HANGUP"


@pytest.mark.parametrize(
    ("handler", "strict", "why"),
    [
        (variant(number=43), False, 'sent: *SAY NUMBER 43 "".*\n.*has: *SAY NUMBER 42 "" '),
        (variant(to_the_end=False), False, "the script ended\n.*has: *HANGUP "),
        (
            variant(before=lambda s: s.execute(core.StreamFile("x"))),
            False,
            'sent: *STREAM FILE "x"',
        ),
        (variant(log="other"), True, 'sent: *VERBOSE "other" 1.*\n.*has: *VERBOSE "looked up"'),
        (variant(look=False), True, "sent: *VERBOSE .*\n.*has: *DATABASE GET"),
        (variant(before=lambda s: s.execute(core.Noop())), True, "sent: *NOOP"),
    ],
)
def test_a_difference_is_found(
    recorded: RecordedCall, handler: Callable[[agi.FastAGI], None], strict: bool, why: str
) -> None:
    with pytest.raises(ReplayError, match=why) as caught:
        recorded.replay(handler, strict=strict)
    if "sent" in why:
        assert str(caught.value).splitlines()[-1].startswith("=>")
    call = recorded.replay(handler, strict=strict, check=False)
    assert isinstance(call.failure, ReplayError)


@pytest.mark.parametrize(
    ("handler", "strict", "advice"),
    [
        (variant(log="other"), True, "strict=False"),
        (variant(look=False), True, "strict=False"),
        (variant(number=43), True, "recorded anew"),
        (variant(number=43), False, "recorded anew"),
        (variant(to_the_end=False), True, "recorded anew"),
    ],
)
def test_a_difference_says_what_to_do(
    recorded: RecordedCall, handler: Callable[[agi.FastAGI], None], strict: bool, advice: str
) -> None:
    call = recorded.replay(handler, strict=strict, check=False)
    assert isinstance(call.failure, ReplayError)
    assert advice in call.failure.why.splitlines()[2]


def test_more_than_there_was_is_a_difference(recorded: RecordedCall) -> None:
    def longer(session: agi.FastAGI, request: agi.Request) -> None:
        flow(session, request)
        session.execute(core.Noop())

    with pytest.raises(ReplayError, match=r"has: *nothing more"):
        recorded.replay(longer)
    recorded.replay(longer, strict=False)


@pytest.mark.parametrize(
    "handler",
    [
        variant(),
        variant(log="other"),
        variant(log=""),
        variant(look=False),
        variant(before=lambda session: session.execute(core.DatabaseGet("pins", "5550123"))),
        variant(before=lambda session: session.execute(core.GetVariable("X"))),
        variant(before=lambda session: session.execute(core.ChannelStatus())),
    ],
)
def test_what_only_looks_or_tells_may_differ(
    recorded: RecordedCall, handler: Callable[[agi.FastAGI], None]
) -> None:
    recorded.replay(handler, strict=False)


def test_a_look_elsewhere_sees_what_it_saw(recorded: RecordedCall) -> None:
    seen: list[str] = []

    def look(session: agi.FastAGI) -> None:
        seen.append(session.execute(core.DatabaseGet("pins", "5550123")).value)

    recorded.replay(variant(before=look), strict=False)
    assert seen == ["1234"]


def test_a_handlers_own_mistake_comes_first(recorded: RecordedCall) -> None:
    def broken(session: agi.FastAGI) -> None:
        session.execute(core.Answer())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorded.replay(broken)


# Files


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "x is empty"),
        ("no json", "x:1: this is no JSON"),
        ("\udcff\udcfe", "x: this is no text"),
        ("[" * 100_000, "x:1: this is no JSON"),
        ('{"recording": 1, "hidden": ""}\n', "x:1: what is hidden must be a text"),
        ('{"recording": 1}\n[NaN, "<", ""]', "x:2: a line is"),
        ("[1]", "x:1: this is no recording"),
        ("{}", "x:1: this is no recording"),
        ('{"recording": 2}', "x:1: a recording of form 2; this version reads form 1"),
        ('{"recording": 1}', "does not begin with Asterisk's variables"),
        ('{"recording": 1}\n[0, ">", "ANSWER"]', "does not begin with Asterisk's variables"),
        ('{"recording": 1}\n[0, "<", "a: b"]', "does not begin with Asterisk's variables"),
        ('{"recording": 1}\n[0, "<", ""]\n[0, "<"', "x:3: this is no JSON"),
        ('{"recording": 1}\n[0, "=", ""]', "x:2: a line is"),
        ('{"recording": 1}\n["0", "<", ""]', "x:2: a line is"),
        ('{"recording": 1}\n[0, "<", 5]', "x:2: a line is"),
    ],
)
def test_a_bad_file_is_told_from_a_good_one(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(RecordingError, match=why):
        RecordedCall.load(tmp_path / "x")


def test_lines_are_json(tmp_path: Path) -> None:
    recorded_by_a_server(tmp_path)
    (file,) = tmp_path.iterdir()
    head, *rows = [json.loads(row) for row in file.read_text(encoding="ascii").splitlines()]
    assert head["recording"] == 1
    assert head["hidden"] == "***"
    assert all(len(row) == 3 for row in rows)
