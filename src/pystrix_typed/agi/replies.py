"""Replies that are more than one line which came alone: the rest of them, and what they mean.

A session reads most replies without this module (`pystrix_typed.agi.protocol.Protocol.conclude`).
It is loaded with the first reply that comes in pieces, behind something else or twice, with the
first value that only a fence can prove, and with the first reply that does not mean success.
"""

# What is private to users is not so to the package.
# pyright: reportPrivateUsage=false
from pystrix_typed import agi
from pystrix_typed.agi import resync
from pystrix_typed.agi.wire import ONE_SEGMENT, VALUE, parse, reply_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from pystrix_typed.agi.exceptions import AGIException
    from pystrix_typed.agi.protocol import Exchange, Protocol
    from pystrix_typed.agi.record import Action, AnyAction
    from pystrix_typed.agi.wire import Reply

    R = TypeVar("R")

__all__ = ["finish"]

_HANGUP = b"HANGUP"
_USAGE_END = b"520 End of proper usage.\n"


def finish(
    protocol: "Protocol", action: "Action[R]", got: "bytes | None", deadline: "float | None"
) -> "Exchange[R]":
    """Give what the reply means that begins with what came first."""
    reply = yield from _answer(protocol, got, action, deadline)
    protocol.reply = reply
    if reply.code not in action._codes or reply.result is None:
        protocol._in_flight = None
        raise _undefined(protocol, action, reply)
    if action._answers_twice and reply.result == "1":
        yield from _drop_second_answer(protocol, action, deadline)
    try:
        meaning: tuple[R] | AGIException = (action._read(reply),)
    except Exception as error:  # noqa: BLE001 - what it is not for is raised again
        meaning = _meaning(protocol, action, reply, error)
    if reply.outcome in action._settles:
        yield from _settle(protocol, action, reply, deadline)
    protocol._in_flight = None
    if isinstance(meaning, tuple):
        return meaning[0]
    if isinstance(meaning, agi.AGIHangup):
        protocol.note_hangup(agi.AGIResultHangup)
    elif isinstance(meaning, agi.AGIUnknownError):
        protocol._unsure = True
    try:
        raise meaning
    finally:
        del meaning  # or the exception and this frame would keep each other alive


def _meaning(
    protocol: "Protocol", action: "AnyAction", reply: "Reply", error: "Exception"
) -> "AGIException":
    """Give the exception that the reply means, for what reading it has raised."""
    if isinstance(error, agi.AGIException):
        return error
    if isinstance(error, (ArithmeticError, LookupError, TypeError, ValueError)):
        # Not a number where the spec has one: the peer is no Asterisk, or a new one.
        undefined = _undefined(protocol, action, reply)
        undefined.__cause__ = error
        return undefined
    raise error


def _undefined(protocol: "Protocol", action: "AnyAction", reply: "Reply") -> "AGIException":
    """Build the exception for a reply that is none of the action's outcomes."""
    kind: type[AGIException] = agi.AGIUnknownError
    outcome, meaning = "unknown", "a reply that AGI does not define for it"
    # Such a line may have come from elsewhere, with the command's own reply still to come.
    protocol._unsure = reply.code not in (510, 511, 520)
    if reply.code == 510:
        kind, outcome = agi.AGIInvalidCommandError, "invalid-command"
        from pystrix_typed.agi.versions import unknown_command

        meaning = unknown_command(action, protocol.asterisk_version)
    elif reply.code == 511:
        protocol.note_hangup(agi.AGIDeadChannelError)
        kind, outcome = agi.AGIDeadChannelError, "dead-channel"
        meaning = "not permitted: the channel is dead, or this is an interception routine"
    elif reply.code == 520:
        kind, outcome = agi.AGIUsageError, "usage"
        meaning = action._usage_hint or "Asterisk refused the arguments"
    elif reply.code == 200 and reply.result is None:
        kind, outcome = agi.AGINoResultError, "no-result"
        meaning = 'the reply carries no "result="'
    reply.outcome = outcome
    return kind(f"{action.command}: {meaning} ({reply.shown})", action=action, reply=reply)


def _settle(
    protocol: "Protocol", action: "AnyAction", reply: "Reply", deadline: "float | None"
) -> "Exchange[None]":
    """Find out whether a reply that may mean failure or hangup means hangup.

    Asterisk answers ``result=-1`` for both, and gives notice of the hangup some tens of
    milliseconds later, or never. CHANNEL STATUS is refused on a dead channel.
    """
    if protocol.hangup is None:
        try:
            status = yield from _ask(protocol, b"CHANNEL STATUS\n", action, deadline)
        except agi.AGIHangup:
            pass
        else:
            if status.code == 511:
                protocol.note_hangup(agi.AGIResultHangup)
    if protocol.hangup is not None:
        protocol._in_flight = None
        reply.outcome = "hangup"
        raise agi.AGIResultHangup(
            f"{action.command}: the caller hung up ({reply.shown})", action=action, reply=reply
        )


def _drop_second_answer(
    protocol: "Protocol", action: "AnyAction", deadline: "float | None"
) -> "Exchange[None]":
    """Drop the 520 that follows when an application returned 1 (res_agi.c, handle_exec)."""
    if _reply_begins(protocol):
        size = _reply_size(protocol, 0)
        if size > 0 and protocol._buffer.startswith(b"520"):
            del protocol._buffer[:size]
            protocol._tidy()
            return
    fence = resync.first_fence(protocol, value=False)
    resync.drop(protocol, (yield from resync.wait_for_fences(protocol, action, deadline, fence)))
    protocol._tidy()


def _ask(
    protocol: "Protocol", line: bytes, action: "AnyAction", deadline: "float | None"
) -> "Exchange[Reply]":
    """Send a line and give its reply."""
    protocol._noise = 0
    protocol.sending = True
    return (yield from _answer(protocol, (yield line, deadline), action, deadline))


def _answer(
    protocol: "Protocol", got: "bytes | None", action: "AnyAction", deadline: "float | None"
) -> "Exchange[Reply]":
    """Give the reply that begins with what came first."""
    buffer = protocol._buffer
    if not protocol._took(got, action):
        raise _late(action)
    if b"\n" not in buffer:
        yield from _line(protocol, action, deadline)
    while not _reply_begins(protocol):
        yield from _line(protocol, action, deadline)
    if action._multiline and buffer.startswith(VALUE):
        return (yield from _value(protocol, action, deadline))
    size = _reply_size(protocol, 0)
    while size < 0:
        seen = len(buffer)
        yield from _line(protocol, action, deadline)
        size = _reply_size(protocol, seen)
    raw = bytes(buffer[: size - 1])
    del buffer[:size]
    if buffer:
        protocol._tidy()
    return parse(raw)


def _line(protocol: "Protocol", action: "AnyAction", deadline: "float | None") -> "Exchange[None]":
    """Wait until there is a new line feed: nothing ends without one."""
    buffer = protocol._buffer
    while True:
        size = len(buffer)
        if size + protocol._noise > protocol._max_reply:
            raise protocol._break(
                agi.AGIProtocolError,
                action,
                f"{action.command}: the reply exceeds {protocol._max_reply} bytes",
            )
        if not (yield from protocol._more(b"", deadline, action)):
            raise _late(action)
        if buffer.find(b"\n", size) >= 0:
            return


def _late(action: "AnyAction") -> "AGIException":
    """Build the exception for a reply that did not come in time."""
    return agi.AGITimeoutError(f"{action.command}: no answer before the deadline", action=action)


def _value(
    protocol: "Protocol", action: "AnyAction", deadline: "float | None"
) -> "Exchange[Reply]":
    """Take a value's reply, whose end only a fence can prove."""
    buffer = protocol._buffer
    seems = buffer.find(b")\n")
    while seems < 0:
        size = len(buffer)
        yield from _line(protocol, action, deadline)
        seems = buffer.find(b")\n", size - 1)
    end = resync.without_notices(buffer)
    if seems + 2 == end < ONE_SEGMENT and not protocol._verify_values:
        raw = bytes(buffer[: seems + 1])
        del buffer[:end]
    else:
        fence = resync.first_fence(protocol, value=True)
        region = yield from resync.wait_for_fences(protocol, action, deadline, fence)
        end = resync.without_notices(region)
        if end < len(region):
            protocol.note_hangup()
        raw = bytes(region[: region.rfind(b")\n", 0, end) + 1])
    protocol._tidy()
    return parse(raw, multiline=True)


def _reply_begins(protocol: "Protocol") -> bool:
    """Drop what is no reply to the command under way; tell whether one is there."""
    buffer = protocol._buffer
    while True:
        end = buffer.find(b"\n")
        if end < 0:
            return False
        line = bytes(buffer[:end])
        code = reply_code(line)
        if code and code != 100:
            return True
        # Provisional, a notice, or no reply at all: never taken for one.
        protocol._noise += end + 1
        del buffer[: end + 1]
        if line == _HANGUP:
            protocol.note_hangup()


def _reply_size(protocol: "Protocol", seen: int) -> int:
    """Give the size of the reply that begins the buffer, or -1 while a block has no end."""
    buffer = protocol._buffer
    if not buffer.startswith(b"520-"):
        return buffer.find(b"\n") + 1
    end = buffer.find(_USAGE_END, max(seen - len(_USAGE_END), 0))
    return end if end < 0 else end + len(_USAGE_END)
