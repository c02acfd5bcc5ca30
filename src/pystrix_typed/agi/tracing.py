"""OpenTelemetry spans of a server's calls and commands, over the official API (extra ``otel``).

The API does nothing until the program sets an SDK up, and costs next to nothing then. What callers
key in is in no attribute: commands are told by their names alone, and what exceptions say is
redacted as in the log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pystrix_typed import __version__
from pystrix_typed.agi.exceptions import AGIHangup
from pystrix_typed.agi.redaction import Redactor, Remembering

try:
    from opentelemetry import context, propagate, trace
except ImportError as _error:
    raise ImportError(
        "spans need the OpenTelemetry API: pip install 'pystrix-typed[otel]'"
    ) from _error

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

    from pystrix_typed.agi.keyed import Keyed
    from pystrix_typed.agi.observing import Call, CommandEvent

__all__ = ["CallSpans"]

#: Seconds to nanoseconds.
_NANO: Final = 1_000_000_000


class _Open(NamedTuple):
    span: Span
    context: Context
    token: Token[Context]


class CallSpans(Remembering):
    """Makes a span of each call, and one of each command within it.

    ::

        server = agi.FastAGIServer(observers=[CallSpans()])

    The span of a call is current while its handler runs, in threads and in tasks, so that what the
    handler does elsewhere (a database, an HTTP request) is found within it. A ``traceparent`` in
    the address's query, ``agi://host/path?traceparent=...``, has the call continue that trace.

    A call's attributes: ``agi.call_id``, ``agi.channel``, ``agi.uniqueid``, ``agi.path``,
    ``agi.pattern``, ``agi.asterisk_version``, ``agi.outcome``, ``agi.commands``,
    ``network.peer.address``, ``network.peer.port``, ``network.transport``, and ``error.type`` when
    its handler raised. A command's: ``agi.command``, ``agi.outcome``, ``agi.call_id``, and
    ``error.type`` when it raised anything but a hangup.

    Args:
        provider: Where the tracer comes from; None for the program's own.
        redactor: Decides what is shown.
        commands: Whether commands have spans, too.
    """

    def __init__(
        self,
        provider: TracerProvider | None = None,
        *,
        redactor: Redactor | None = None,
        commands: bool = True,
    ) -> None:
        super().__init__(redactor)
        self._tracer = trace.get_tracer("pystrix_typed", __version__, provider)
        self._spans_of_commands = commands
        self._open: dict[str, _Open] = {}

    def started(self, call: Call) -> None:
        """Begin the span of a call, and make it current."""
        super().started(call)
        if call.request is None:
            return
        environment = call.request.environment
        span = self._tracer.start_span(
            f"AGI {call.pattern or '(default)'}",
            propagate.extract(call.request.query),
            trace.SpanKind.SERVER,
            start_time=time.time_ns() - int(call.duration * _NANO),
        )
        if span.is_recording():
            keyed = self.keyed(call)
            span.set_attributes(
                {
                    "agi.call_id": call.id,
                    "agi.channel": call.channel,
                    "agi.uniqueid": environment.raw.get("agi_uniqueid", ""),
                    "agi.path": self.redactor.scrub(call.path, keyed),
                    "agi.pattern": call.pattern,
                    "agi.asterisk_version": environment.raw.get("agi_version", ""),
                    "network.peer.address": call.peer.host,
                    "network.peer.port": call.peer.port,
                    "network.transport": "tcp",
                }
            )
        within = trace.set_span_in_context(span)
        self._open[call.id] = _Open(span, within, context.attach(within))

    def command(self, call: Call, event: CommandEvent) -> None:
        """Make the span of a command that has ended."""
        super().command(call, event)
        opened = self._open.get(call.id)
        if opened is None or not self._spans_of_commands or not opened.span.is_recording():
            return
        # The handler may have begun a span of its own around it; a thread that it started knows of
        # none, and belongs to the call all the same.
        known = trace.get_current_span().get_span_context().is_valid
        ended = time.time_ns()
        span = self._tracer.start_span(
            event.action.command,
            None if known else opened.context,
            trace.SpanKind.CLIENT,
            {
                "agi.command": event.action.command,
                "agi.outcome": event.outcome,
                "agi.call_id": call.id,
            },
            start_time=ended - int(event.seconds * _NANO),
        )
        error = event.error
        if isinstance(error, Exception) and not isinstance(error, AGIHangup):
            self._fail(span, error, self.redactor.message(error, self.keyed(call)))
        span.end(ended)

    def ended(self, call: Call) -> None:
        """End the span of a call."""
        try:
            opened = self._open.pop(call.id, None)
            if opened is None:
                return
            span, error = opened.span, call.error
            if span.is_recording():
                span.set_attributes({"agi.outcome": call.outcome, "agi.commands": call.commands})
                if call.outcome == "error" and error is not None:
                    keyed = self.keyed(call)
                    self._fail(span, error, self.redactor.message(error, keyed), keyed)
            span.end()
            context.detach(opened.token)
        finally:
            super().ended(call)

    def _fail(
        self, span: Span, error: BaseException, message: str, keyed: Keyed | None = None
    ) -> None:
        """Record what was raised: what it says, and with `keyed` where it came from."""
        kind = type(error).__qualname__
        facts = {"exception.type": kind, "exception.message": message}
        if keyed is not None:
            facts["exception.stacktrace"] = self.redactor.error(error, keyed)
        span.add_event("exception", facts)
        span.set_attribute("error.type", kind)
        span.set_status(trace.Status(trace.StatusCode.ERROR, message))
