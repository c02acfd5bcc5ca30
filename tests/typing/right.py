"""What the checkers must understand: nothing here may be reported but the types asked for."""

import logging
import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, assert_type, reveal_type

import pystrix_typed
from pystrix_typed import agi, testing
from pystrix_typed.agi import core
from pystrix_typed.agi.health import HealthServer, readiness
from pystrix_typed.agi.logs import CallLog, WireTrace, configure
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.observing import Call, CommandEvent, Observer
from pystrix_typed.agi.redaction import NAMES, Redactor
from pystrix_typed.agi.tracing import CallSpans


def results(session: agi.Session) -> None:
    assert_type(session.execute(core.GetData("beep")), core.GetDataResult)
    assert_type(session.execute(core.StreamFile("beep")), core.PlaybackResult)
    assert_type(session.execute(core.GetOption("beep", "12", 5000)), core.PlaybackResult)
    assert_type(session.execute(core.WaitForDigit(-1)), core.DigitResult)
    assert_type(session.execute(core.SayDigits("123")), core.DigitResult)
    assert_type(session.execute(core.RecordFile("message", "gsm", "#")), core.RecordResult)
    assert_type(session.execute(core.GetVariable("X")), core.VariableResult)
    assert_type(session.execute(core.DatabaseGet("family", "key")), core.DatabaseGetResult)
    assert_type(session.execute(core.Exec("Playback", "beep")), core.ExecResult)
    assert_type(session.execute(core.Answer()), None)
    assert_type(session.execute(core.SetVariable("X", "y")), None)


def fields_of_results(session: agi.AGI) -> None:
    entry = session.execute(core.GetData("beep", timeout=timedelta(seconds=5), max_digits=4))
    reveal_type(entry)  # reveals: GetDataResult
    reveal_type(entry.digits)  # reveals: str
    reveal_type(entry.timed_out)  # reveals: bool
    played = session.execute(core.StreamFile(Path("prompts/menu"), ["1", 2, "#"]))
    reveal_type(played.digit)  # reveals: str | None
    reveal_type(played.end_position)  # reveals: int
    reveal_type(session.execute(core.GetVariable("X")).value)  # reveals: str | None
    reveal_type(session.execute(core.DatabaseGet("a", "b")).value)  # reveals: str
    match entry:
        case core.GetDataResult(digits, timed_out):
            assert_type(digits, str)
            assert_type(timed_out, bool)


def attributes_are_normalised() -> None:
    action = core.GetData(Path("beep"), timedelta(seconds=2))
    reveal_type(action.filename)  # reveals: str
    reveal_type(action.timeout)  # reveals: int
    reveal_type(action.command)  # reveals: str
    reveal_type(action.line)  # reveals: bytes
    assert_type(replace(action, max_digits=4), core.GetData)
    assert_type(fields(action)[0].name, str)


def an_action_is_a_value_like_any_other(session: agi.Session) -> None:
    def twice(action: agi.Action[core.PlaybackResult]) -> core.PlaybackResult:
        session.execute(action)
        return session.execute(action)

    assert_type(twice(core.StreamFile("beep")), core.PlaybackResult)
    actions: list[agi.Action[object]] = [core.Answer(), core.GetData("beep")]
    for action in actions:
        reveal_type(session.execute(action))  # reveals: object


def handler(
    session: agi.FastAGI,
    args: tuple[str, ...],
    kwargs: dict[str, list[str]],
    match: re.Match[str] | None,
    path: str,
) -> None:
    assert_type(session.environment, agi.Environment)
    assert_type(session.get_environment(), dict[str, str])
    callback: Callable[[], object] = session.close
    session.on_hangup(callback)
    try:
        session.execute(core.Answer(), timeout=2.5)
    except agi.AGIDeadChannelError as error:
        reveal_type(error.action)  # reveals: Action[object] | None
        reveal_type(error.reply)  # reveals: Reply | None


def serve() -> None:
    with agi.FastAGIServer(interface="127.0.0.1", port=0) as server:
        server.register_script_handler(r"menu/(\d+)", handler)
        server.register_script_handler(None, handler)
        assert_type(server.server_address, tuple[str, int])
    assert_type(pystrix_typed.__version__, str)


async def asynchronous(session: agi.aio.AGI) -> None:
    assert_type(await session.execute(core.GetData("beep")), core.GetDataResult)
    assert_type(await session.execute(core.Answer()), None)


def observe(call: Call, event: CommandEvent) -> None:
    reveal_type(event.outcome)  # reveals: str
    reveal_type(event.seconds)  # reveals: float
    assert_type(call.error, BaseException | None)


def observers() -> None:
    metrics = CallMetrics()
    redactor = Redactor(f"{NAMES}|account")
    seen: list[Observer] = [
        metrics,
        CallLog(redactor),
        CallSpans(redactor=redactor, commands=False),
        WireTrace(only=lambda call: call.path == "pay"),
    ]
    server = agi.FastAGIServer(port=0, observers=seen, on_command=observe)
    agi.aio.FastAGIServer(port=0, observers=seen, on_command=observe)
    assert_type(metrics.exposition(), bytes)
    with HealthServer("127.0.0.1", 0, readiness(server), metrics.exposition) as health:
        assert_type(health.address, tuple[str, int])
    assert_type(configure("json", "info"), logging.Handler)


def simulated_calls(folder: Path) -> None:
    asterisk = testing.SimulatedAsterisk(sounds={"menu": 2.5}, database={("a", "b"): "c"})
    caller = testing.Caller("5550199").waits(0.5).presses("1#").hears("menu", only=1).hangs_up()
    assert_type(caller, testing.Caller)

    def blocking(session: agi.FastAGI) -> int:
        return session.execute(core.GetData("menu")).timed_out

    def any_session(session: agi.Session) -> None:
        session.execute(core.Answer())

    async def in_a_loop(session: agi.aio.FastAGI) -> None:
        await session.execute(core.Answer())

    call = asterisk.call(blocking, "menu?lang=en", caller=caller, arguments=["a"], answered=True)
    assert_type(call, testing.SimulatedCall)
    assert_type(call.played, list[str])
    assert_type(call.recordings, list[testing.Recording])
    assert_type(call.hung_up_by, Literal["caller", "script", "asterisk"] | None)
    assert_type(asterisk.call(any_session), testing.SimulatedCall)
    assert_type(asterisk.run_script([folder / "script.py"]), testing.SimulatedCall)
    asterisk.call_async(in_a_loop, faults=[testing.HungUp("ANSWER")]).close()
