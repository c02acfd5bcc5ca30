"""What a caller keys in never shows: whatever the handler does with it, however bytes are cut."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from pystrix_typed.agi import core
from pystrix_typed.agi.logs import CallFilter, CallLog, JSONFormatter, WireTrace
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.observing import Call
from pystrix_typed.agi.tracing import CallSpans
from tests.peer import Doing

from .calls import PEER, Kept, a_server, kept, served, variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pystrix_typed import agi
    from pystrix_typed.agi.observing import Observer

    Ask = Callable[[agi.FastAGI], str]

#: Not a piece of anything that the package writes of its own, and no fragment of a number in it.
ENTRIES = st.text("2468*#", min_size=5, max_size=16).filter(lambda text: text.strip("*#") == text)
WORDS = st.text("qxzjQ7 \\\"'(){}=é\u2603", min_size=5, max_size=30).filter(
    lambda text: len(text.strip()) > 4 and text.strip() == text
)


def by_get_data(session: agi.FastAGI) -> str:
    return session.execute(core.GetData("vm-password", max_digits=16)).digits


def by_wait_for_digit(session: agi.FastAGI) -> str:
    keys = ""
    while digit := session.execute(core.WaitForDigit(5000)).digit:
        keys += digit
    return keys


def by_prompts(session: agi.FastAGI) -> str:
    """One key from each of the commands that a key ends."""
    prompts: tuple[
        agi.Action[
            core.PlaybackResult
            | core.ControlledPlaybackResult
            | core.DigitResult
            | core.RecordResult
        ],
        ...,
    ] = (
        core.StreamFile("x", escape_digits="12#"),
        core.GetOption("x", escape_digits="12#"),
        core.ControlStreamFile("x", escape_digits="12#"),
        core.SayDigits("1", escape_digits="12#"),
        core.SayNumber(1, escape_digits="12#"),
        core.SayAlpha("a", escape_digits="12#"),
        core.SayPhonetic("a", escape_digits="12#"),
        core.SayDate(1, escape_digits="12#"),
        core.SayTime(1, escape_digits="12#"),
        core.SayDatetime(1, escape_digits="12#"),
        core.RecordFile("x", "gsm", escape_digits="12#"),
    )
    keys = ""
    while True:
        for prompt in prompts:
            digit = session.execute(prompt).digit
            if not digit:
                return keys
            keys += digit


def by_text(session: agi.FastAGI) -> str:
    return session.execute(core.ReceiveText(5000)).text or ""


def by_speech(session: agi.FastAGI) -> str:
    return session.execute(core.SpeechRecognize("x", 5)).results[0].text


def by_variable(session: agi.FastAGI) -> str:
    return session.execute(core.GetVariable("CALLER_PIN")).value or ""


def by_database(session: agi.FastAGI) -> str:
    return session.execute(core.DatabaseGet("passwords", "alice")).value


def by_application(session: agi.FastAGI) -> str:
    session.execute(core.Exec("Read", ("NUMBER", "beep")))
    return session.execute(core.GetFullVariable("${NUMBER}")).value or ""


KEYED: list[Ask] = [by_get_data, by_wait_for_digit, by_prompts]
TEXTS: list[Ask] = [by_text, by_speech, by_variable, by_database, by_application]


class Used(NamedTuple):
    """What a handler did with what it was told."""

    name: str
    use: Callable[[agi.FastAGI, str], object]


def fails(session: agi.FastAGI, secret: str) -> None:
    raise LookupError(f"no account for {secret!r}, or {secret}")


def fails_late(session: agi.FastAGI, secret: str) -> None:
    try:
        fails(session, secret)
    except LookupError as error:
        session.execute(core.Noop(f"{error}"))
        raise RuntimeError("the lookup failed") from error


def use(name: str, action: Callable[[str], agi.Action[object]]) -> Used:
    def execute(session: agi.FastAGI, secret: str) -> object:
        return session.execute(action(secret))

    return Used(name, execute)


USES = [
    use("verbose", lambda text: core.Verbose(f"told {text}.")),
    use("noop", core.Noop),
    use("variable", lambda text: core.SetVariable("ACCOUNT", f"<{text}>")),
    use("read back", lambda text: core.GetFullVariable(f"${{LEN({text})}}")),
    use("key", lambda text: core.DatabasePut("accounts", text, text)),
    use("lookup", lambda text: core.GetVariable(f"DB(accounts/{text})")),
    use("application", lambda text: core.Exec("Log", ("NOTICE", text))),
    use("prompt", lambda text: core.StreamFile(f"custom/{text}")),
    use("text", core.SendText),
    use("routine", lambda text: core.Gosub("check", "s", 1, text)),
    Used("fails", fails),
    Used("fails late", fails_late),
]


def told(secret: str) -> Callable[[bytes], Doing]:
    """Answer as an Asterisk whose caller keys in, says and sends nothing but this."""
    left = list(secret) if set(secret) <= set("2468*#") else []

    def key(form: str, none: str) -> str:
        return form.format(ord(left.pop(0))) if left else none

    def answer(line: bytes) -> Doing:
        text = line.decode()
        if text.startswith("GET DATA"):
            reply = f"200 result={secret}"
        elif text.startswith(("WAIT FOR DIGIT", "SAY")):
            reply = key("200 result={}", "200 result=0")
        elif text.startswith("RECORD FILE"):
            reply = key("200 result={} (dtmf) endpos=1", "200 result=0 (timeout) endpos=1")
        elif text.startswith(("STREAM FILE", "GET OPTION", "CONTROL STREAM FILE")):
            reply = key("200 result={} endpos=1", "200 result=0 endpos=-1")
        elif text.startswith("SPEECH"):
            heard = f'score0=9 text0="{secret}" grammar0=g'
            reply = f"200 result=1 (speech) endpos=0 results=1 {heard}"
        elif text.startswith(("RECEIVE TEXT", "GET", "DATABASE GET")):
            reply = f"200 result=1 ({secret})"
        elif text.startswith("GOSUB"):
            reply = "100 result=0 Trying...\n200 result=0 Gosub complete"
        else:
            reply = "200 result=0" if text.startswith(("EXEC", "NOOP", "SEND")) else "200 result=1"
        return Doing(f"{reply}\n".encode())

    return answer


def shown_of(kept_: Kept) -> Iterable[str]:
    """Everything that leaves with the records."""
    yield from kept_.written
    for record in kept_.records:
        yield record.getMessage()
        facts = vars(record)
        yield repr({name: facts[name] for name in facts if name not in ("created", "msecs")})


def place(
    secret: str, ask: Ask, uses: list[Used], sizes: list[int]
) -> tuple[Call, list[Kept], list[str]]:
    """Place a call whose handler asks, then uses what it was told."""
    calls, traces = "pystrix_typed.agi.calls", "pystrix_typed.agi.trace"
    form = logging.Formatter("%(call_id)s %(message)s")
    metrics, spans = CallMetrics(CollectorRegistry()), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    observers: list[Observer] = [metrics, CallSpans(provider), CallLog(), WireTrace()]

    def cut(data: bytes) -> Iterable[bytes]:
        at, turn = 0, 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            yield data[at : at + size]
            at, turn = at + size, turn + 1

    def handler(session: agi.FastAGI) -> None:
        assert ask(session) == secret
        for used in uses:
            used.use(session, secret)

    with (
        kept(calls, form, JSONFormatter()) as logged,
        kept(traces, form, JSONFormatter()) as traced,
        served(told(secret), cut, variables()) as connection,
    ):
        for each in (logged, traced):
            each.addFilter(CallFilter())
        call = Call(PEER)
        call.id = "call-1"
        a_server(observers, handler, connection, call)
    told_of = [metrics.exposition().decode()]
    for span in spans.get_finished_spans():
        events = [(event.name, dict(event.attributes or {})) for event in span.events]
        told_of.append(repr((span.name, dict(span.attributes or {}), span.status.description)))
        told_of.append(repr(events))
    return call, [logged, traced], told_of


def forms(secret: str) -> set[str]:
    quoted = core.Noop(secret).line.decode()[len('NOOP "') : -2]
    return {secret, quoted, ascii(secret)[1:-1], repr(secret)[1:-1], repr(repr(secret))[2:-2]}


def never_shown(secret: str, ask: Ask, uses: list[Used], sizes: list[int]) -> None:
    call, handlers, told_of = place(secret, ask, uses, sizes)
    failed = any(used.use in (fails, fails_late) for used in uses)
    assert call.outcome == ("error" if failed else "completed"), call.error
    logged, traced = handlers
    assert len(logged.records) == 1
    # It was there, and was seen.
    assert any("***" in message for message in traced.messages)
    assert len(told_of) > 3
    for each in handlers:
        told_of += [*each.messages, *each.written, *shown_of(each)]
    for text in told_of:
        assert not [form for form in forms(secret) if form in text], text


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@given(ENTRIES, st.sampled_from(KEYED), st.lists(st.sampled_from(USES), max_size=4), SIZES)
def test_what_is_keyed_in(secret: str, ask: Ask, uses: list[Used], sizes: list[int]) -> None:
    never_shown(secret, ask, uses, sizes)


@given(WORDS, st.sampled_from(TEXTS), st.lists(st.sampled_from(USES), max_size=4), SIZES)
def test_what_is_said_sent_or_named(
    secret: str, ask: Ask, uses: list[Used], sizes: list[int]
) -> None:
    never_shown(secret, ask, uses, sizes)
