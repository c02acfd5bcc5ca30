"""The spans of calls and commands: what they hold, what they belong to, and what is within them."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from pystrix_typed import agi
from pystrix_typed.agi import aio, core
from pystrix_typed.agi.observing import Call, CommandEvent
from pystrix_typed.agi.tracing import CallSpans
from tests.peer import scripted, whole

from .calls import PEER, a_call, a_server, finish, greeting, served, variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from pystrix_typed.agi.routing import Request


class Recorded:
    """A provider that keeps what has ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        found = self.exporter.get_finished_spans()
        assert len({span.name for span in found}) == len(found)
        return {span.name: span for span in found}


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def is_within(inner: ReadableSpan, outer: ReadableSpan) -> bool:
    parent, context = inner.parent, outer.get_span_context()
    assert context is not None
    return parent is not None and parent.span_id == context.span_id


def run(
    recorded: Recorded,
    handler: Callable[[agi.FastAGI], object],
    *answers: bytes,
    script: str = "pay",
) -> Call:
    values = variables(script, agi_uniqueid="1700000000.1")
    with served(scripted(*answers), whole, values) as connection:
        return a_server([CallSpans(recorded.provider)], handler, connection)


def test_a_call_and_its_commands(recorded: Recorded) -> None:
    def handler(session: agi.FastAGI) -> None:
        session.execute(core.Answer())
        session.execute(core.StreamFile("hello"))

    call = run(recorded, handler, b"200 result=0\n", b"200 result=0 endpos=8\n")
    spans = recorded.spans
    assert set(spans) == {"AGI pay", "ANSWER", "STREAM FILE"}
    top = spans["AGI pay"]
    assert top.kind is SpanKind.SERVER
    assert top.parent is None
    assert top.status.status_code is StatusCode.UNSET
    assert dict(top.attributes or {}) == {
        "agi.call_id": call.id,
        "agi.channel": "PJSIP/alice-00000001",
        "agi.uniqueid": "1700000000.1",
        "agi.path": "pay",
        "agi.pattern": "pay",
        "agi.asterisk_version": "22.10.1",
        "agi.outcome": "completed",
        "agi.commands": 2,
        "network.peer.address": "127.0.0.1",
        "network.peer.port": 40_000,
        "network.transport": "tcp",
    }
    play = spans["STREAM FILE"]
    assert play.kind is SpanKind.CLIENT
    assert is_within(play, top)
    assert dict(play.attributes or {}) == {
        "agi.command": "STREAM FILE",
        "agi.outcome": "completed",
        "agi.call_id": call.id,
    }
    for first, second in ((top.start_time, play.start_time), (play.end_time, top.end_time)):
        assert first is not None
        assert second is not None
        assert first <= second


def test_a_command_takes_as_long_as_it_took(recorded: Recorded) -> None:
    spans, call = CallSpans(recorded.provider), a_call()
    spans.started(call)
    spans.command(call, CommandEvent(core.Noop("?"), "done", 1.5, None, None))
    finish(call, "completed")
    spans.ended(call)
    command = recorded.spans["NOOP"]
    assert command.start_time is not None
    assert command.end_time is not None
    assert command.end_time - command.start_time == 1_500_000_000


def test_failures(recorded: Recorded) -> None:
    def handler(session: agi.FastAGI) -> None:
        with pytest.raises(agi.AGIDBError):
            session.execute(core.DatabaseGet("cards", "alice"))
        digits = session.execute(core.GetData("x")).digits
        raise LookupError(f"no account {digits}")

    run(recorded, handler, b"200 result=0\n", b"200 result=864297531\n")
    spans = recorded.spans
    missing = spans["DATABASE GET"]
    assert missing.status.status_code is StatusCode.ERROR
    assert (missing.attributes or {})["error.type"] == "AGIDBError"
    assert spans["GET DATA"].status.status_code is StatusCode.UNSET
    top = spans["AGI pay"]
    assert top.status.status_code is StatusCode.ERROR
    assert top.status.description == "no account ***"
    (event,) = top.events
    facts = dict(event.attributes or {})
    assert facts["exception.type"] == "LookupError"
    assert facts["exception.message"] == "no account ***"
    assert str(facts["exception.stacktrace"]).endswith("LookupError: no account ***")
    assert "864297531" not in "".join(span.to_json() for span in spans.values())


def test_a_hangup_is_no_error(recorded: Recorded) -> None:
    call = run(
        recorded,
        lambda session: session.execute(core.WaitForDigit(5)),
        b"511 Command Not Permitted on a dead channel\n",
    )
    assert call.outcome == "hangup"
    assert [span.status.status_code for span in recorded.spans.values()] == [StatusCode.UNSET] * 2
    assert (recorded.spans["AGI pay"].attributes or {})["agi.outcome"] == "hangup"


def test_what_a_handler_does_is_within_its_call(recorded: Recorded) -> None:
    tracer = recorded.provider.get_tracer("mine")
    before = trace.get_current_span()

    def handler(session: agi.FastAGI) -> None:
        with tracer.start_as_current_span("lookup"):
            session.execute(core.Noop("?"))
        thread = threading.Thread(target=lambda: session.execute(core.Verbose("?")))
        thread.start()
        thread.join(20)

    run(recorded, handler, b"200 result=0\n", b"200 result=1\n")
    spans = recorded.spans
    assert is_within(spans["lookup"], spans["AGI pay"])
    assert is_within(spans["NOOP"], spans["lookup"])
    assert is_within(spans["VERBOSE"], spans["AGI pay"])
    assert trace.get_current_span() is before


def test_a_trace_goes_on(recorded: Recorded) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    run(recorded, lambda session: None, script=f"pay?traceparent={parent}")
    context = recorded.spans["AGI pay"].get_span_context()
    assert context is not None
    assert f"{context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_calls_without_spans_of_commands(recorded: Recorded) -> None:
    spans, call = CallSpans(recorded.provider, commands=False), a_call(pattern="")
    spans.started(call)
    spans.command(call, CommandEvent(core.Noop("?"), "done", 1.5, None, None))
    finish(call, "completed")
    spans.ended(call)
    assert set(recorded.spans) == {"AGI (default)"}


def test_what_did_not_become_a_call_has_none(recorded: Recorded) -> None:
    spans, call = CallSpans(recorded.provider), Call(PEER)
    spans.connected(call)
    spans.started(call)
    finish(call, "handshake")
    spans.ended(call)
    assert recorded.spans == {}


def test_calls_at_a_time_keep_apart_in_tasks(recorded: Recorded) -> None:
    tracer = recorded.provider.get_tracer("mine")

    async def serve() -> None:
        server = aio.FastAGIServer(port=0, observers=[CallSpans(recorded.provider)])
        gate = asyncio.Barrier(3)

        @server.script("(one|two|three)")
        async def handle(session: aio.FastAGI, request: Request) -> None:
            await gate.wait()
            with tracer.start_as_current_span(f"lookup {request.path}"):
                await asyncio.sleep(0)
            await session.execute(core.Noop(request.path))

        async def call(script: str) -> None:
            reader, writer = await asyncio.open_connection(*server.server_address)
            writer.write(greeting(variables(script)))
            assert await reader.readline() == f'NOOP "{script}"\n'.encode()
            writer.write(b"200 result=0\n")
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

        async with server:
            serving = asyncio.ensure_future(server.serve_forever())
            await asyncio.gather(*map(call, ("one", "two", "three")))
            await server.shutdown(drain=20)
            await serving

    asyncio.run(serve())
    found = recorded.exporter.get_finished_spans()
    calls = {
        str((span.attributes or {})["agi.path"]): span for span in found if span.parent is None
    }
    assert set(calls) == {"one", "two", "three"}
    for path, top in calls.items():
        inner = [span for span in found if is_within(span, top)]
        assert sorted(span.name for span in inner) == ["NOOP", f"lookup {path}"]


def test_without_an_sdk_nothing_is_done() -> None:
    code = """if True:
        from opentelemetry import trace
        from pystrix_typed.agi.tracing import CallSpans
        from tests.observing.calls import a_call, finish
        spans, call = CallSpans(), a_call()
        spans.started(call)
        assert not trace.get_current_span().is_recording()
        finish(call, "completed")
        spans.ended(call)
        import sys
        assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")]
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_without_the_api_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('none here')\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pystrix_typed.agi.tracing"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "ImportError: spans need the OpenTelemetry API: pip install 'pystrix-typed[otel]'\n"
    )


def test_a_call_that_ends_elsewhere_leaves_no_trace_of_itself(recorded: Recorded) -> None:
    spans, call = CallSpans(recorded.provider), a_call()
    contextvars.copy_context().run(spans.started, call)
    finish(call, "aborted")
    spans.ended(call)
    assert set(recorded.spans) == {"AGI pay"}
