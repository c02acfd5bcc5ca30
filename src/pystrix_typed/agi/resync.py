"""Staying in step with Asterisk: the fences that part what was abandoned from what comes next.

A *fence* is a command whose answer is unmistakable, ``GET FULL VARIABLE "<nonce>"``: whatever comes
before that answer is older. `pystrix_typed.agi.protocol` says when one is needed.

Asterisk polls the descriptor but reads through stdio: a fence that it reads in one gulp with the
command before it is only seen once more bytes arrive. So a fence that is not answered soon is
followed by others, the nudges, and no command is sent before the last of them is answered: read in
one gulp with a nudge, it would wait forever.
"""

# What is private to users is not so to the package.
# pyright: reportPrivateUsage=false
from os import urandom

from pystrix_typed import agi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pystrix_typed.agi.protocol import Exchange, Protocol
    from pystrix_typed.agi.record import AnyAction

__all__ = ["drop", "find_step", "first_fence", "take_answers", "wait_for_fences", "without_notices"]

_USAGE_END = b"520 End of proper usage.\n"
#: Seconds after which a fence that is not answered gets its first nudge; each next waits twice as
#: long.
_NUDGE = 0.1
#: A fence's answer is shorter than this.
_ANSWER = 80
_LINE_FEED = 10


def first_fence(protocol: "Protocol", value: bool) -> bytes:
    """Give the command line of a fence where none is out.

    Args:
        protocol: The session.
        value: A value may lie before it.
    """
    protocol._value_before = value
    protocol._waited = 0.0
    protocol._seen = 0
    protocol._nudge_pause = _NUDGE
    return _next_fence(protocol)


def _next_fence(protocol: "Protocol") -> bytes:
    """Give the command line of a fence, and expect its answer."""
    if not protocol._mark:
        protocol._mark = b"200 result=1 (fence-%b-" % urandom(8).hex().encode()
    protocol._nudge_at = protocol.now + protocol._nudge_pause
    protocol._nudge_pause *= 2
    answer = b"%b%d)" % (protocol._mark, protocol._sent_fences)
    protocol._sent_fences += 1
    protocol._fences.append(answer)
    return b'GET FULL VARIABLE "%b"\n' % answer[len(b"200 result=1 (") : -1]


def take_answers(protocol: "Protocol") -> "bytearray | None":
    """Take the fences' answers off the buffer; give what came before the first, if one came."""
    buffer, fences, mark = protocol._buffer, protocol._fences, protocol._mark
    first: bytearray | None = None
    while fences:
        at = buffer.find(mark, protocol._seen)
        if at < 0:
            protocol._seen = max(protocol._seen, len(buffer) - len(mark))
            break
        end = buffer.find(b"\n", at, at + _ANSWER)
        if end < 0 and len(buffer) < at + _ANSWER:
            protocol._seen = at
            break
        answer = bytes(buffer[at:end])
        if answer not in fences or (at and buffer[at - 1] != _LINE_FEED):
            protocol._seen = at + 1
            continue
        region = buffer[:at]
        # They are answered in the order in which they were sent.
        del buffer[: end + 1], fences[: fences.index(answer) + 1]
        protocol._seen = 0
        if first is None:
            first = region
        else:
            drop(protocol, region)
    return first


def drop(protocol: "Protocol", region: bytearray) -> None:
    """Forget a region, but for the notices in it."""
    if protocol._value_before:
        # A value may hold a line that looks like a notice; one before or behind it cannot be
        # its own.
        hung_up = region.startswith(b"HANGUP\n") or without_notices(region) < len(region)
    else:
        hung_up = _has_notice(region)
    if hung_up:
        protocol.note_hangup()


def wait_for_fences(
    protocol: "Protocol", action: "AnyAction", deadline: "float | None", data: bytes, why: str = ""
) -> "Exchange[bytearray]":
    """Wait until no fence is out, and give all that came before the first one's answer.

    Args:
        protocol: The session.
        action: The action that waits for it.
        deadline: Its deadline.
        data: The fence's command line, unless it was written before.
        why: Why the action's command is not sent yet, if it is not.
    """
    limit = protocol.now + protocol._resync_timeout - protocol._waited
    what = f"{action.command} was not sent: {why}; " if why else f"{action.command}: "
    first: bytearray | None = None
    while True:
        region = take_answers(protocol)
        if first is not None and region is not None:
            drop(protocol, region)
        elif region is not None:
            first = region
            if protocol._fences:
                # Asterisk may have read the other ones together with this one, so that only
                # new bytes bring it to see them.
                protocol._nudge_pause = _NUDGE
                data = _next_fence(protocol)
        if first is not None and not protocol._fences:
            return first
        if len(protocol._buffer) > protocol._max_reply:
            raise protocol._break(
                agi.AGIProtocolError,
                action,
                f"{what}what came before the end of a reply exceeds {protocol._max_reply} bytes",
            )
        until = min(limit, protocol._nudge_at)
        if deadline is not None:
            until = min(until, deadline)
        since = protocol.now
        came = yield from protocol._more(data, until, action)
        protocol._waited += protocol.now - since
        if came:
            data = b""
        elif until == deadline:
            raise agi.AGITimeoutError(f"{what}no answer before the deadline", action=action)
        elif until == limit:
            raise protocol._break(
                agi.AGIClosedError,
                action,
                f"{what}no answer to the fence within {protocol._resync_timeout:g} seconds, so "
                f"the session lost step and is closed",
            )
        else:
            data = _next_fence(protocol)


def find_step(
    protocol: "Protocol", action: "AnyAction", deadline: "float | None"
) -> "Exchange[None]":
    """Drop what abandoned commands and strays have left, up to a fence's answer."""
    fence = b""
    why = "the command before it was abandoned and has not ended"
    if not protocol._fences:
        protocol._tidy()
        stray = protocol._buffer and not b"HANGUP\n".startswith(bytes(protocol._buffer))
        if not stray and not protocol._unsure and protocol._in_flight is None:
            return
        why = "Asterisk said something that was not asked for"
        fence = first_fence(protocol, value=True)
    drop(protocol, (yield from wait_for_fences(protocol, action, deadline, fence, why)))
    protocol._unsure = False
    # Not None if a second interrupt kept the driver from abandoning it.
    protocol._in_flight = None
    protocol._tidy()


def without_notices(region: bytearray) -> int:
    """Give the length of a region without the notices at its end."""
    end = len(region)
    while region.endswith(b"\nHANGUP\n", 0, end):
        end -= len(b"HANGUP\n")
    return end


def _has_notice(region: bytearray) -> bool:
    """Tell whether there is a notice between the replies of a region that holds no value."""
    usage = region.find(b"520-")
    if usage >= 0:  # its text may hold such a line
        end = region.rfind(_USAGE_END, usage)
        region = region[:usage] + (region[end:] if end >= 0 else b"")
    return region.startswith(b"HANGUP\n") or b"\nHANGUP\n" in region
