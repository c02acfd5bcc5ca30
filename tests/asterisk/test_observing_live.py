"""What a server tells of real calls, and that it does not tell what their callers key in."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.logs import CallFilter, JSONFormatter, WireTrace
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.tracing import CallSpans
from tests.observing.calls import kept

from .calls import Caller

if TYPE_CHECKING:
    from pystrix_typed.agi.routing import Request

    from .exchange import Exchange


def test_a_call_in_which_secrets_are_keyed_in(exchange: Exchange) -> None:
    """Asked for in four ways, one of them abandoned half way; used in every other way."""
    exporter, told = InMemorySpanExporter(), list[object]()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    metrics = CallMetrics(CollectorRegistry())
    observers = [WireTrace(), metrics, CallSpans(provider)]
    server = agi.FastAGIServer(port=0, observers=observers)

    #: What the caller presses next; None at the end.
    asked: queue.Queue[str | None] = queue.Queue()

    @server.script("pay")
    def pay(session: agi.FastAGI, request: Request) -> None:
        try:
            ask_and_tell(session)
        finally:
            asked.put(None)

    def ask_and_tell(session: agi.FastAGI) -> None:
        asked.put("864297")
        digits = session.execute(core.GetData("beep", 10_000, 6)).digits
        told.append(digits)
        session.execute(core.SetVariable("ACCOUNT", f"<{digits}>"))
        told.append(session.execute(core.GetFullVariable("${ACCOUNT}")).value)
        told.append(session.execute(core.GetVariable("CARD_PIN")).value)
        try:
            session.execute(core.GetData("beep", 20_000), timeout=0.2)
        except agi.AGITimeoutError:
            told.append("abandoned")
        keys = ""
        for key in "5931":
            asked.put(key)
            keys += session.execute(core.WaitForDigit(10_000)).digit or "?"
        told.append(keys)
        session.execute(core.SayDigits(keys))
        asked.put("286")
        session.execute(core.Exec("Read", ("NUMBER", "beep", "3")))
        told.append(session.execute(core.GetVariable("NUMBER")).value)
        session.execute(core.Verbose(f"{digits} {keys}"))
        raise LookupError(f"no account {digits}, {keys}")

    thread = threading.Thread(target=server.serve_forever)
    form = logging.Formatter("%(call_id)s %(message)s")
    with kept("pystrix_typed", form, JSONFormatter()) as log, server:
        log.addFilter(CallFilter())
        thread.start()
        url = f"agi://127.0.0.1:{server.server_address[1]}/pay?token=sesame"
        variables = {"CARD_PIN": "street"}
        caller = Caller("200", "Alice")
        with exchange.call(url, ["31415"], variables=variables, caller=caller) as call:
            while (keys := asked.get(timeout=60)) is not None:
                # Asterisk drops a key that comes before a command waits for it.
                call.press(keys, after=0.5)
            call.wait(60)
    thread.join(20)
    assert told == ["864297", "<864297>", "street", "abandoned", "5931", "286"]
    lines = log.messages
    for line in (
        "<< agi_network_script: pay?token=***",
        "<< agi_arg_1: ***",
        '>> GET DATA "beep" 10000 6',
        "<< 200 result=***",
        '>> SET VARIABLE "ACCOUNT" "<***>"',
        "<< 200 result=1 (<***>)",
        '>> GET VARIABLE "CARD_PIN"',
        "<< 200 result=1 (***)",
        '>> SAY DIGITS *** ""',
        "<< 200 result=0",
        '>> VERBOSE "*** ***" 1',
    ):
        assert line in lines
    (record,) = [each for each in log.records if hasattr(each, "outcome")]
    assert record.exc_text
    assert record.exc_text.endswith("LookupError: no account ***, ***")
    facts = vars(record)
    assert (facts["outcome"], facts["caller"], facts["path"]) == ("error", "200", "pay")
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans].count("WAIT FOR DIGIT") == 4
    text = metrics.exposition().decode()
    assert 'fastagi_commands_total{command="GET DATA",outcome="timeout"} 1.0' in text
    shown = [*lines, *log.written, text]
    for span in spans:
        shown.append(repr((dict(span.attributes or {}), span.status.description)))
        shown += [repr(dict(event.attributes or {})) for event in span.events]
    for secret in ("864297", "5931", "street", "sesame", "31415"):
        for each in shown:
            assert secret not in each
    # Three digits may be in any number of the system's own.
    number = lines.index('>> GET VARIABLE "NUMBER"')
    assert lines[number + 1] == "<< 200 result=1 (***)"
