"""What a server writes to the log of its calls: how each ended, and on request what was said.

Records go through `logging` and carry their facts as attributes beside a readable message, so that
they are lines for people and, with `JSONFormatter`, objects for machines. What callers key in stays
out of both; see `pystrix_typed.agi.redaction`.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

from pystrix_typed.agi.dialogue import Dialogue, Line, Unredacted, printable
from pystrix_typed.agi.exceptions import AGISIGPIPEHangup
from pystrix_typed.agi.observing import Observer, current_call
from pystrix_typed.agi.redaction import Redactor, Remembering

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from pystrix_typed.agi.keyed import Keyed
    from pystrix_typed.agi.observing import Call, Peer

__all__ = ["CallFilter", "CallLog", "JSONFormatter", "WireTrace", "configure"]

_calls = logging.getLogger("pystrix_typed.agi.calls")
_trace = logging.getLogger("pystrix_typed.agi.trace")

#: Seconds between two records of a kind that a flood of connections would multiply.
_SELDOM: Final = 1.0
_TEXT: Final = "%(asctime)s %(levelname)s [%(call_id)s] %(name)s: %(message)s"
#: What every record has, and what formatting adds to it.
_USUAL: Final = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])

_LEVELS: Final = {
    "error": logging.ERROR,
    "unrouted": logging.WARNING,
    "aborted": logging.WARNING,
}


class CallLog(Remembering):
    """Logs the end of each call, to the logger ``pystrix_typed.agi.calls``.

    Both servers have one unless they are told otherwise. One record per call: INFO when it was
    completed or the caller hung up, WARNING when no handler was found or the server ended it, ERROR
    with a traceback when its handler raised. A connection that leaves without a word, as probes do,
    is logged at DEBUG; one that is no call for another reason at INFO, the first in a second.

    The attributes of such a record: ``call_id``, ``channel``, ``caller``, ``path``, ``pattern``,
    ``peer``, ``duration`` (seconds), ``outcome``, ``commands`` (their number), ``error`` (the
    exception's class).

    What callers key in is taken out of paths, messages and tracebacks. Where a traceback held such
    a thing, the record carries the text that is left of it (`exc_text`) and not the exception: that
    would go on, unredacted, to whatever else handles records.

    Args:
        redactor: Decides what is shown.
        unredacted: Show everything.
        logger: Where to log.
    """

    def __init__(
        self,
        redactor: Redactor | None = None,
        *,
        unredacted: bool = False,
        logger: logging.Logger = _calls,
    ) -> None:
        super().__init__(redactor)
        self._unredacted = unredacted
        self._logger = logger
        self._seldom = _Seldom()
        self._state = ""

    def ended(self, call: Call) -> None:
        """Log the end."""
        try:
            level = _LEVELS.get(call.outcome, logging.INFO)
            if call.outcome == "handshake" and (
                _left(call.error) or self._seldom.left_out("handshake") < 0
            ):
                level = logging.DEBUG
            if self._logger.isEnabledFor(level):
                self._log(call, level)
        finally:
            super().ended(call)

    def refused(self, peer: Peer, why: str) -> None:
        """Log that a connection was refused; of many in a second the first."""
        left_out = self._seldom.left_out(why)
        if left_out >= 0:
            more = f" ({left_out} more before it)" if left_out else ""
            self._logger.info(
                "refused a connection from %s: %s%s",
                peer,
                why,
                more,
                extra={"peer": str(peer), "reason": why},
            )

    def state(self, state: str) -> None:
        """Log that the server takes calls, or does so no more."""
        # At its limit it changes with every call, and the server says why.
        was, self._state = self._state, state
        usual = state == "full" or (was, state) == ("full", "serving")
        level = logging.DEBUG if usual else logging.INFO
        self._logger.log(level, "the server is %s", state, extra={"state": state})

    def _log(self, call: Call, level: int) -> None:
        keyed = self.keyed(call)
        path = call.path if self._unredacted else self.redactor.scrub(call.path, keyed)
        facts: dict[str, object] = {
            "call_id": call.id,
            "channel": call.channel,
            "caller": call.caller,
            "path": path,
            "pattern": call.pattern,
            "peer": str(call.peer),
            "duration": round(call.duration, 6),
            "outcome": call.outcome,
            "commands": call.commands,
        }
        if call.error is not None:
            facts["error"] = type(call.error).__name__
        if call.outcome == "handshake":
            what = f"connection {call.id} from {call.peer} was no call"
        else:
            caller = f" ({printable(call.caller)})" if call.caller else ""
            what = (
                f"call {call.id} of {printable(call.channel)}{caller} from {call.peer}, "
                f"{printable(path)}: {call.outcome} after {call.duration:.1f} s, "
                f"{call.commands} commands"
            )
        error = call.error
        if error is not None and call.outcome in ("handshake", "aborted"):
            said = str(error) if self._unredacted else self.redactor.message(error, keyed)
            what = f"{what}: {printable(said)}"
        if error is None or call.outcome != "error":
            self._logger.log(level, "%s", what, extra=facts)
        else:
            self._log_error(level, what, facts, error, keyed)

    def failure(self, call: Call, what: str, error: BaseException) -> None:
        """Log something else that failed while a call lasted, with its traceback, at ERROR."""
        if self._logger.isEnabledFor(logging.ERROR):
            facts: dict[str, object] = {"call_id": call.id, "channel": call.channel}
            what = f"call {call.id} of {printable(call.channel or '?')}: {what}"
            self._log_error(logging.ERROR, what, facts, error, self.keyed(call))

    def _log_error(
        self, level: int, what: str, facts: dict[str, object], error: BaseException, keyed: Keyed
    ) -> None:
        shown = "" if self._unredacted else self.redactor.error(error, keyed)
        if not shown or shown == "".join(traceback.format_exception(error)).rstrip("\n"):
            self._logger.log(level, "%s", what, exc_info=error, extra=facts)
            return
        record = self._logger.makeRecord(
            self._logger.name, level, __file__, 0, "%s", (what,), None, "ended", facts
        )
        record.exc_text = shown
        self._logger.handle(record)


class WireTrace(Observer):
    """Logs what is said in each call, line by line, to the logger ``pystrix_typed.agi.trace``.

    A record for each line, at DEBUG unless another level is given: ``>>`` was sent, ``<<`` was
    received. Its attributes: ``call_id``, ``sent``. What callers key in is hidden, in the replies
    that bring it and wherever it comes again in the call.

    Args:
        redactor: Decides what is shown; None for one that hides what is hidden by default.
        unredacted: Show everything.
        only: Whether a call is traced, asked once its variables are known; None for all of them.
        level: The level of the records.
        logger: Where to log.
    """

    wants_wire = True

    def __init__(
        self,
        redactor: Redactor | None = None,
        *,
        unredacted: bool = False,
        only: Callable[[Call], bool] | None = None,
        level: int = logging.DEBUG,
        logger: logging.Logger = _trace,
    ) -> None:
        self._redactor = Redactor() if redactor is None else redactor
        self._dialogue = Unredacted if unredacted else Dialogue
        self._only = only
        self._level = level
        self._logger = logger
        self._dialogues: dict[str, Dialogue] = {}
        # What came before it was known whether the call is of interest.
        self._held: dict[str, list[Line]] = {}

    def wire(self, call: Call, sent: bool, data: bytes) -> None:
        """Log the lines that a piece completes."""
        dialogue = self._dialogues.get(call.id)
        if dialogue is None:
            if call.request is not None:
                return  # of no interest
            dialogue = self._begin(call)
        # Even when nobody listens: what is not seen now cannot be hidden later.
        lines = dialogue.feed(sent, data)
        if call.id in self._held:
            self._held[call.id] += lines
        else:
            self._show(call, lines)

    def started(self, call: Call) -> None:
        """Log what Asterisk sent first, if the call is of interest."""
        if self._only is not None and not self._only(call):
            self._dialogues.pop(call.id, None)
            self._held.pop(call.id, None)
            return
        dialogue = self._dialogues.get(call.id) or self._begin(call)
        held = self._held.pop(call.id)
        if not held and call.request is not None:
            # The server has read it before there was a session to watch.
            variables = call.request.environment.raw.items()
            greeting = "".join([f"{name}: {value}\n" for name, value in variables])
            held = dialogue.feed(False, f"{greeting}\n".encode("utf-8", "surrogateescape"))
        self._show(call, held)

    def ended(self, call: Call) -> None:
        """Log what is left."""
        dialogue = self._dialogues.pop(call.id, None)
        held = self._held.pop(call.id, [])
        if dialogue is not None and (self._only is None or call.request is not None):
            self._show(call, [*held, *dialogue.end()])

    def _begin(self, call: Call) -> Dialogue:
        dialogue = self._dialogues[call.id] = self._dialogue(self._redactor)
        self._held[call.id] = []
        return dialogue

    def _show(self, call: Call, lines: list[Line]) -> None:
        if self._logger.isEnabledFor(self._level):
            for line in lines:
                mark = ">>" if line.sent else "<<"
                facts = {"call_id": call.id, "sent": line.sent}
                self._logger.log(self._level, "%s %s", mark, line.text, extra=facts)


class CallFilter(logging.Filter):
    """Gives every record the call that it belongs to: `call_id` and `channel`.

    For what handlers log themselves: in a handler's thread or task, and in the tasks that it
    starts, records carry its call; elsewhere both are ``-``. Put it on a *handler* of `logging`;
    a filter on a logger does not see what the loggers below it log. ::

        shown = logging.Formatter("%(asctime)s [%(call_id)s] %(message)s")
        for handler in logging.getLogger().handlers:
            handler.addFilter(CallFilter())
            handler.setFormatter(shown)
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with the two attributes; those that it has already stay."""
        call = current_call.get()
        facts = vars(record)
        facts.setdefault("call_id", "-" if call is None else call.id)
        facts.setdefault("channel", "-" if call is None else call.channel)
        return True


class JSONFormatter(logging.Formatter):
    """Makes each record one line of JSON.

    ``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, then whatever was given as
    ``extra``, then ``exception`` (the traceback as text) and ``stack``. A value that JSON does not
    know is its text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its line feed."""
        made: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            empty = value is None or (isinstance(value, str) and value in ("", "-"))
            if name not in _USUAL and name not in made and not empty:
                made[name] = value
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            made["exception"] = record.exc_text
        if record.stack_info:
            made["stack"] = self.formatStack(record.stack_info)
        try:
            return json.dumps(made, default=str, allow_nan=False)
        except (TypeError, ValueError, RecursionError):  # keys that are no text, not a number
            plain = {
                name: value if isinstance(value, str) else repr(value)
                for name, value in made.items()
            }
            return json.dumps(plain)


def configure(
    form: Literal["text", "json"] = "text",
    level: int | str = logging.INFO,
    stream: TextIO | None = None,
) -> logging.Handler:
    """Have the whole program log to a stream, with the call that each line belongs to.

    Configuring again replaces what the last time set up, and nothing else.

    Args:
        form: Lines for people, or one JSON object per line.
        level: The lowest level that is shown.
        stream: Where to write; None for stderr.

    Returns:
        The handler that was added to the root logger.

    Raises:
        ValueError: There is no such level.
    """
    root = logging.getLogger()
    root.setLevel(level.upper() if isinstance(level, str) else level)
    for handler in root.handlers[:]:
        if isinstance(handler, _Configured):
            root.removeHandler(handler)
            handler.close()
    made = _Configured(stream)
    made.addFilter(CallFilter())
    made.setFormatter(JSONFormatter() if form == "json" else logging.Formatter(_TEXT))
    root.addHandler(made)
    return made


class _Configured(logging.StreamHandler["TextIO"]):
    """The handler that `configure` added."""


class _Seldom:
    """Lets the first of a kind through in a while, and counts the others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[str, tuple[float, int]] = {}

    def left_out(self, kind: str) -> int:
        """Give how many were left out since the last one, or -1 if this one is left out too."""
        now = monotonic()
        with self._lock:
            since, count = self._kinds.get(kind, (now - _SELDOM, 0))
            if now - since < _SELDOM:
                self._kinds[kind] = (since, count + 1)
                return -1
            self._kinds[kind] = (now, 0)
            return count


def _left(error: BaseException | None) -> bool:
    """Tell whether a connection just left, as a probe does."""
    return error is None or isinstance(error, (AGISIGPIPEHangup, ConnectionError))
