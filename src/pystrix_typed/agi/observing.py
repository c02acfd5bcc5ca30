"""What a server lets be seen of its calls: who called, what was executed, how it ended.

Logs, metrics and traces are observers; `FastAGIServer` takes any number of them. An AGI script
pays for none of it.
"""

from __future__ import annotations

import logging
import os
import traceback
from contextvars import ContextVar
from itertools import count
from os import urandom
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from pystrix_typed.agi.exceptions import (
    AGIClosedError,
    AGIException,
    AGIHangup,
    AGIProtocolError,
    AGITimeoutError,
    AGIVersionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.routing import Request
    from pystrix_typed.agi.wire import Reply

    _Values: TypeAlias = tuple[AnyAction, str, float, object | None, BaseException | None]

__all__ = ["Call", "CommandEvent", "Observer", "Observers", "Peer", "current_call", "tell_command"]

_log = logging.getLogger(__name__)

#: The call that the running handler serves: of the current thread, or of the current task.
current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)


class Peer(NamedTuple):
    """The other end of a connection: the Asterisk, or the balancer in front of the server."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class CommandEvent(NamedTuple):
    """One command that a handler executed.

    Attributes:
        action: What was executed.
        outcome: How it ended: the id of the spec's outcome, or ``timeout``, ``hangup``,
            ``cancelled``, ``closed``, ``refused`` (nothing was sent), ``protocol``, ``unknown``,
            ``usage``, ``dead-channel``, ``invalid-command`` or ``no-result``.
        seconds: From `execute` to its end.
        result: What it gave.
        error: What it raised.
    """

    action: AnyAction
    outcome: str
    seconds: float
    result: object | None
    error: BaseException | None


if TYPE_CHECKING:

    def _new(_kind: type[CommandEvent], _values: _Values) -> CommandEvent: ...

else:
    # Sooner than by the class, whose own way is a function of Python's.
    _new = tuple.__new__

# Call ids are short, and differ between the processes of one service.
_numbers = count(1)
_prefix = ""


def _choose_prefix() -> None:
    global _prefix  # noqa: PLW0603 - a process has one, and one that is forked needs another
    _prefix = urandom(3).hex()


_choose_prefix()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_choose_prefix)


class Call:
    """One connection to a server, from its acceptance to its end.

    Attributes:
        id: A short text, unique among the processes of a service.
        peer: The other end: the address that a PROXY header names, if there was one.
        started: When it was accepted, on the clock of `time.monotonic`.
        ended: When it ended; None while it lasts.
        request: What Asterisk asked for; None before the handshake is done.
        pattern: The pattern that the path matched, as it was registered; "" for the default
            handler, and for none.
        outcome: "" while it lasts; then ``completed``, ``hangup``, ``error`` (the handler raised),
            ``unrouted`` (no handler), ``aborted`` (the server ended it), ``handshake`` (it did not
            become a call).
        error: What the handler raised, or why it did not become a call.
    """

    __slots__ = (
        "commands",
        "ended",
        "error",
        "id",
        "outcome",
        "pattern",
        "peer",
        "request",
        "started",
    )

    def __init__(self, peer: Peer) -> None:
        self.id: str = f"{_prefix}-{next(_numbers):x}"
        self.peer: Peer = peer
        self.started: float = monotonic()
        self.ended: float | None = None
        self.request: Request | None = None
        self.pattern: str = ""
        self.outcome: str = ""
        self.error: BaseException | None = None
        #: How many commands were executed.
        self.commands: int = 0

    @property
    def duration(self) -> float:
        """Seconds since it was accepted, or that it took."""
        return (monotonic() if self.ended is None else self.ended) - self.started

    @property
    def path(self) -> str:
        """The path that Asterisk asked for; "" before the handshake is done."""
        return self.request.path if self.request else ""

    @property
    def channel(self) -> str:
        """The channel's name; "" before the handshake is done."""
        return self.request.environment.channel if self.request else ""

    @property
    def caller(self) -> str:
        """The caller's number; "" when it is not known."""
        return (self.request.environment.caller_id or "") if self.request else ""

    def __repr__(self) -> str:
        return f"<call {self.id} of {self.channel or '?'} from {self.peer} {self.outcome}>"


class Observer:
    """Sees the calls of a server; override what is of interest.

    `started`, `command` and the `ended` of a call that was started come from where its handler
    runs: its thread, or its task. The others come from where the server accepts calls. None of
    them may wait. What they raise is logged, and changes nothing for the call.

    Attributes:
        wants_wire: Whether `wire` is to be called, which costs time with every command.
    """

    wants_wire: bool = False

    def connected(self, call: Call) -> None:
        """See a connection that was accepted; nothing is known of it but the peer."""

    def started(self, call: Call) -> None:
        """See a call whose handler is about to run."""

    def command(self, call: Call, event: CommandEvent) -> None:
        """See a command that has ended."""

    def wire(self, call: Call, sent: bool, data: bytes) -> None:
        """See bytes as they were sent or received, in the pieces in which they travelled."""

    def ended(self, call: Call) -> None:
        """See the end of a call, or of a connection that did not become one."""

    def refused(self, peer: Peer, why: str) -> None:
        """See a connection that was refused: ``network`` (not an allowed one)."""

    def state(self, state: str) -> None:
        """See the server change: ``idle``, ``serving``, ``full``, ``draining``, ``stopped``."""


def tell_command(
    on_command: Callable[[CommandEvent], object],
    action: AnyAction,
    reply: Reply | None,
    seconds: float,
    result: object | None,
    error: BaseException | None = None,
) -> None:
    """Tell of a command that has ended.

    Args:
        on_command: Whom to tell; what it raises is logged.
        action: What was executed.
        reply: The command's own reply, if it got one.
        seconds: How long it took.
        result: What it gave.
        error: What it raised.
    """
    outcome = reply.outcome if reply is not None else ""
    if error is not None:
        outcome = _outcome_of(error, outcome)
    try:
        on_command(_new(CommandEvent, (action, outcome, seconds, result, error)))
    except Exception as failure:  # noqa: BLE001 - as in _tell, which would cost one call more
        _log_failure(on_command, failure)


def _outcome_of(error: BaseException, outcome: str) -> str:
    """Give how a command ended that raised; `outcome` is what its reply was, if it had one."""
    if isinstance(error, AGITimeoutError):
        return "timeout"
    if isinstance(error, AGIException) and outcome and error.reply is not None:
        return outcome
    if isinstance(error, AGIHangup):
        return "hangup"
    if isinstance(error, AGIClosedError):
        return "closed"
    if isinstance(error, AGIProtocolError):
        return "protocol"
    if isinstance(error, (AGIVersionError, ValueError, TypeError, RuntimeError)):
        return "refused"
    return outcome or ("unknown" if isinstance(error, Exception) else "cancelled")


class Observers:
    """All observers of a server, as one that never raises."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._all: tuple[Observer, ...] = ()
        self.add(tuple(observers))

    def add(self, observers: tuple[Observer, ...]) -> None:
        """Add some, in front of the others."""
        self._all = (*observers, *self._all)
        self.see_wire: bool = any(each.wants_wire for each in self._all)

    @property
    def all(self) -> tuple[Observer, ...]:
        """Each of them."""
        return self._all

    def connected(self, call: Call) -> None:
        """Tell of a connection."""
        for each in self._all:
            _tell(each.connected, call)

    def started(self, call: Call) -> None:
        """Tell of a call whose handler is about to run."""
        for each in self._all:
            _tell(each.started, call)

    def commands_of(
        self, call: Call, also: Callable[[Call, CommandEvent], object] | None = None
    ) -> Callable[[CommandEvent], None] | None:
        """Give what tells of a call's commands, `also` last; None when nobody wants to know."""
        # Bound once, because there are many commands.
        see: list[Callable[[Call, CommandEvent], object]] = [
            each.command for each in self._all if type(each).command is not Observer.command
        ]
        if also is not None:
            see.append(also)
        if not see:
            return None

        def tell(event: CommandEvent) -> None:
            call.commands += 1
            for each in see:
                try:
                    each(call, event)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - as in _tell: another call for each
                    _log_failure(each, error)

        return tell

    def wire(self, call: Call, sent: bool, data: bytes) -> None:
        """Tell of bytes those who want them."""
        for each in self._all:
            if each.wants_wire:
                _tell(each.wire, call, sent, data)

    def ended(self, call: Call) -> None:
        """Tell of an end; in reverse, so that what began first ends last."""
        for each in reversed(self._all):
            _tell(each.ended, call)

    def refused(self, peer: Peer, why: str) -> None:
        """Tell of a refusal."""
        for each in self._all:
            _tell(each.refused, peer, why)

    def state(self, state: str) -> None:
        """Tell of the server's state."""
        for each in self._all:
            _tell(each.state, state)


def _tell(method: Callable[..., object], *what: object) -> None:
    try:
        method(*what)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it may raise anything, and the call goes on
        _log_failure(method, error)


def _log_failure(method: Callable[..., object], error: BaseException) -> None:
    # What it says may be what a caller keyed in: the place must do.
    _log.error(
        "the observer %r failed: %s at\n%s",
        getattr(method, "__self__", method),
        type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)).rstrip("\n"),
    )
