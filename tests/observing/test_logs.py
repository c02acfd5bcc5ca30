"""The log of calls: one record each, what it carries, and what it leaves out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core, logs
from pystrix_typed.agi.logs import CallFilter, CallLog, JSONFormatter, WireTrace
from pystrix_typed.agi.observing import Call, CommandEvent, current_call
from tests.peer import scripted, whole

from .calls import PEER, Kept, a_call, a_server, finish, kept, served, variables

if TYPE_CHECKING:
    from collections.abc import Generator

CALLS = "pystrix_typed.agi.calls"
TRACE = "pystrix_typed.agi.trace"


@pytest.fixture
def log() -> Generator[Kept, None, None]:
    with kept(CALLS, logging.Formatter("%(message)s"), JSONFormatter()) as handler:
        yield handler


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - it is the one
        return caught


def entered(call: Call, digits: str) -> CommandEvent:
    result = core.GetDataResult(digits, timed_out=False)
    return CommandEvent(core.GetData("x"), "entered", 0.1, result, None)


def test_one_record_for_a_call(log: Kept) -> None:
    call = a_call("pay/now?lang=en", "pay/.*")
    call.commands = 7
    observer = CallLog()
    observer.connected(call)
    observer.started(call)
    finish(call, "completed")
    observer.ended(call)
    (record,) = log.records
    assert record.levelno == logging.INFO
    assert record.getMessage() == (
        f"call {call.id} of PJSIP/alice-00000001 (200) from 127.0.0.1:40000, pay/now: "
        f"completed after 12.5 s, 7 commands"
    )
    facts = {
        "call_id": call.id,
        "channel": "PJSIP/alice-00000001",
        "caller": "200",
        "path": "pay/now",
        "pattern": "pay/.*",
        "peer": "127.0.0.1:40000",
        "duration": 12.5,
        "outcome": "completed",
        "commands": 7,
    }
    assert {name: vars(record)[name] for name in facts} == facts
    made = json.loads(log.written[1])
    assert {name: made[name] for name in facts} == facts
    assert made["level"] == "info"
    assert made["logger"] == CALLS


@pytest.mark.parametrize(
    ("outcome", "error", "level"),
    [
        ("completed", None, logging.INFO),
        ("hangup", agi.AGIHangup("gone"), logging.INFO),
        ("unrouted", None, logging.WARNING),
        ("aborted", agi.AGIClosedError("the server shuts down"), logging.WARNING),
        ("error", LookupError("x"), logging.ERROR),
        ("handshake", agi.AGISIGPIPEHangup("left"), logging.DEBUG),
        ("handshake", ConnectionResetError("left"), logging.DEBUG),
        ("handshake", None, logging.DEBUG),
        ("handshake", agi.AGIProtocolError("not AGI"), logging.INFO),
        ("handshake", agi.AGITimeoutError("late"), logging.INFO),
    ],
)
def test_levels(log: Kept, outcome: str, error: Exception | None, level: int) -> None:
    call = Call(PEER) if outcome == "handshake" else a_call()
    finish(call, outcome, error and raised(error))
    CallLog().ended(call)
    (record,) = log.records
    assert record.levelno == level
    assert bool(record.exc_info) == (outcome == "error")
    assert vars(record).get("error") == (error and type(error).__name__)
    if outcome in ("handshake", "aborted") and error:
        assert record.getMessage().endswith(f": {error}")


def test_an_exception_is_logged_as_it_is_unless_it_tells_of_the_caller(log: Kept) -> None:
    errors: list[Exception] = []
    for digits, shown in (("8642", "*** is no account"), ("1357", "8642 is no account")):
        call = a_call()
        observer = CallLog()
        observer.command(call, entered(call, digits))
        error = raised(LookupError("8642 is no account"))
        errors.append(error)
        finish(call, "error", error)
        observer.ended(call)
        text, made = log.written[-2], json.loads(log.written[-1])
        assert text.endswith(f"LookupError: {shown}")
        assert made["exception"].endswith(f"LookupError: {shown}")
        assert "test_logs.py" in made["exception"]
    hidden, plain = log.records
    assert not hidden.exc_info
    assert plain.exc_info
    assert plain.exc_info[1] is errors[1]


def test_unredacted_shows_all(log: Kept) -> None:
    call = a_call("8642")
    observer = CallLog(unredacted=True)
    observer.command(call, entered(call, "8642"))
    finish(call, "error", raised(LookupError("8642")))
    observer.ended(call)
    assert log.records[0].exc_info
    assert "8642: error" in log.messages[0]


def test_what_is_remembered_of_a_call_ends_with_it(log: Kept) -> None:
    call = a_call("8642")
    observer = CallLog()
    observer.command(call, entered(call, "8642"))
    finish(call, "completed")
    observer.ended(call)
    observer.ended(call)
    assert [" ***: " in message for message in log.messages] == [True, False]


def test_a_secret_in_the_query_is_hidden(log: Kept) -> None:
    call = a_call("pay?pin=sesame&pin=street")
    observer = CallLog()
    observer.started(call)
    finish(call, "error", raised(LookupError("sesame street")))
    observer.ended(call)
    assert "LookupError: *** ***" in log.written[0]


def test_strangers_cannot_write_lines_of_their_own(log: Kept) -> None:
    call = a_call("x\x1b[2Jy", agi_callerid="1\n2", agi_channel="SIP/a\r\nERROR")
    finish(call, "completed")
    CallLog().ended(call)
    assert log.messages[0].isprintable()
    assert log.written[1].isprintable()


def test_a_flood_of_refusals_is_a_record_a_second(
    log: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    observer = CallLog()
    for _ in range(500):
        observer.refused(PEER, "network")
    observer.refused(PEER, "other")
    now = 101.5
    observer.refused(PEER, "network")
    assert log.messages == [
        "refused a connection from 127.0.0.1:40000: network",
        "refused a connection from 127.0.0.1:40000: other",
        "refused a connection from 127.0.0.1:40000: network (499 more before it)",
    ]


def test_the_servers_state(log: Kept) -> None:
    observer = CallLog()
    for state in ("serving", "full", "serving", "full", "draining", "stopped"):
        observer.state(state)
    assert [(record.levelname, record.getMessage()) for record in log.records] == [
        ("INFO", "the server is serving"),
        ("DEBUG", "the server is full"),
        ("DEBUG", "the server is serving"),
        ("DEBUG", "the server is full"),
        ("INFO", "the server is draining"),
        ("INFO", "the server is stopped"),
    ]


def test_a_flood_of_what_is_no_call_is_a_record_a_second(log: Kept) -> None:
    observer = CallLog()
    for _ in range(100):
        call = Call(PEER)
        finish(call, "handshake", agi.AGIProtocolError("not AGI"))
        observer.ended(call)
    levels = [record.levelname for record in log.records]
    assert levels[0] == "INFO"
    assert levels.count("DEBUG") >= 90


# ---- the trace ----


def menu(session: agi.FastAGI) -> None:
    digits = session.execute(core.GetData("vm-password", max_digits=4)).digits
    session.execute(core.Verbose(f"got {digits}"))


def menu_lines() -> list[str]:
    greeted = [f"<< {name}: {value}" for name, value in variables().items()]
    return [
        *greeted,
        "<< ",
        '>> GET DATA "vm-password" 2000 4',
        "<< 200 result=***",
        '>> VERBOSE "got ***" 1',
        "<< 200 result=1",
    ]


def trace(observer: WireTrace) -> list[str]:
    answer = scripted(b"200 result=8642\n", b"200 result=1\n")
    with kept(TRACE) as handler, served(answer, whole, variables()) as connection:
        call = a_server([observer], menu, connection)
    assert {vars(record)["call_id"] for record in handler.records} <= {call.id}
    for record in handler.records:
        assert vars(record)["sent"] is record.getMessage().startswith(">>")
    return handler.messages


def test_the_trace_of_a_call() -> None:
    assert trace(WireTrace()) == menu_lines()


def test_the_trace_as_it_is() -> None:
    lines = trace(WireTrace(unredacted=True))
    assert lines[-4:] == [
        '>> GET DATA "vm-password" 2000 4',
        "<< 200 result=8642",
        '>> VERBOSE "got 8642" 1',
        "<< 200 result=1",
    ]


def test_the_trace_of_some_calls() -> None:
    assert trace(WireTrace(only=lambda call: call.path == "pay")) == menu_lines()
    assert trace(WireTrace(only=lambda call: call.path != "pay")) == []


def test_the_variables_are_traced_if_the_wire_brings_them() -> None:
    observer, call = WireTrace(), Call(PEER)
    with kept(TRACE) as handler:
        observer.wire(call, False, b"agi_network: yes\nagi_arg_1: 8642\n\n")
        call.request = a_call().request
        assert handler.messages == []
        observer.started(call)
        assert handler.messages == ["<< agi_network: yes", "<< agi_arg_1: ***", "<< "]
        observer.wire(call, True, b"NOOP\n")
        observer.wire(call, False, b"200 resu")
        observer.ended(call)
        assert handler.messages[3:] == [">> NOOP", "<< 200 resu"]


def test_a_trace_that_is_switched_on_in_mid_call_hides_too() -> None:
    observer, call = WireTrace(), a_call()
    observer.started(call)
    observer.wire(call, True, b'GET DATA "x" 2000 4\n')
    with kept(TRACE) as handler:
        observer.wire(call, False, b"200 result=8642\n")
        assert handler.messages == ["<< 200 result=***"]


# ---- what handlers log ----


def test_what_handlers_log_carries_their_call() -> None:
    with kept("ivr", logging.Formatter("%(call_id)s %(channel)s %(message)s")) as handler:
        handler.addFilter(CallFilter())
        log = logging.getLogger("ivr")
        log.info("before")
        call = a_call()
        token = current_call.set(call)
        log.info("within")
        log.info("its own", extra={"channel": "SIP/x"})
        current_call.reset(token)
    assert handler.written == [
        "- - before",
        f"{call.id} PJSIP/alice-00000001 within",
        f"{call.id} SIP/x its own",
    ]


def test_every_thread_and_every_task_has_its_own_call() -> None:
    log = logging.getLogger("ivr")
    calls = [a_call() for _ in range(8)]
    gate = threading.Barrier(4)

    def in_thread(call: Call) -> None:
        current_call.set(call)
        gate.wait(20)
        log.info("%s", call.id)

    async def in_task(call: Call) -> None:
        current_call.set(call)
        await asyncio.sleep(0)
        log.info("%s", call.id)

    async def all_tasks() -> None:
        await asyncio.gather(*(in_task(call) for call in calls[4:]))

    with kept("ivr", logging.Formatter("%(call_id)s")) as handler:
        handler.addFilter(CallFilter())
        threads = [threading.Thread(target=in_thread, args=(call,)) for call in calls[:4]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        asyncio.run(all_tasks())
    assert sorted(handler.written) == sorted(call.id for call in calls)
    assert handler.written == handler.messages


def test_json_is_one_line_whatever_is_logged() -> None:
    with kept("ivr", JSONFormatter()) as handler:
        log = logging.getLogger("ivr")
        log.warning("line\nfeed %s", "\ud800", extra={"call_id": "-", "where": PEER, "of": {1}})
        log.error("x", exc_info=raised(LookupError("y")), stack_info=True)
        log.error("z", extra={"odd": {(1, 2): float("nan")}})
    assert not any("\n" in line for line in handler.written)
    first, second, third = map(json.loads, handler.written)
    assert third["odd"] == "{(1, 2): nan}"
    assert first["message"] == "line\nfeed \ud800"
    assert first["where"] == ["127.0.0.1", 40_000]
    assert first["of"] == "{1}"
    assert "call_id" not in first
    assert second["exception"].endswith("LookupError: y")
    assert second["stack"].startswith("Stack")
    assert first["time"].endswith("+00:00")


def test_configuring_twice_leaves_one_handler() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    streams = [io.StringIO(), io.StringIO()]
    try:
        logs.configure("text", "warning", streams[0])
        handler = logs.configure("json", "debug", streams[1])
        assert root.handlers == [*before, handler]
        logging.getLogger("ivr").debug("hello")
        with pytest.raises(ValueError, match="LOUD"):
            logs.configure("text", "loud")
        assert root.handlers == [*before, handler]
    finally:
        for added in root.handlers[:]:
            if added not in before:
                root.removeHandler(added)
        root.setLevel(level)
    assert streams[0].getvalue() == ""
    assert json.loads(streams[1].getvalue())["message"] == "hello"


def test_text_names_the_call() -> None:
    root = logging.getLogger()
    level, stream = root.level, io.StringIO()
    handler = logs.configure("text", "info", stream)
    try:
        logging.getLogger("ivr").info("hello")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert stream.getvalue().endswith(" INFO [-] ivr: hello\n")
