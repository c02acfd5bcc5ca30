"""One AGI session without I/O: what is said, in which order, and what the answers mean.

An exchange is a generator. It yields a `Step`, the bytes to write (perhaps none) and the moment
until which to wait for an answer, and is sent what came: the bytes, ``b""`` at the end of the
stream, or None when the moment passed. What it returns is the result. The driver keeps the clock;
moments are numbers on that clock, and none means "as long as it takes".

::

    protocol = Protocol()
    environment = drive(protocol.start(deadline))
    result = drive(protocol.execute(action, deadline))

The calling contract of a driver:

- one exchange at a time;
- after it has written a step's bytes whole, it sets `Protocol.sending` to False;
- when an exchange ends in any exception, its own `KeyboardInterrupt` or cancellation included, it
  calls `Protocol.abandon` and writes what that gives, then raises on;
- what arrives between exchanges goes to `Protocol.received`.

The state lives here and not in the generators, because an interrupt kills a generator.

**Staying in step.** Asterisk answers one command at a time and says nothing unasked but ``HANGUP``.
A command that was abandoned still gets its answer, later, and that answer must not be taken for the
next command's. A *fence* settles it: ``GET FULL VARIABLE "<nonce>"`` is legal on every channel, its
answer is unmistakable, and whatever comes before that answer is older. Sending it also interrupts
the commands that a new command interrupts, so abandoning a playback stops it.

Asterisk polls the descriptor but reads through stdio: a fence that it reads in one gulp with the
command before it is only seen once more bytes arrive. So a fence that is not answered soon is
followed by others, the nudges, and an answer to any of them is dropped wherever it turns up.

**Values.** Asterisk never escapes a variable's content, so a value can hold line feeds and look
like a reply. It is written in one go: whatever else lies in the buffer when a value seems complete
belongs to it, and then a fence settles where it ends. One that is longer than a network segment
might be cut just where it seems complete, so it is fenced too.
"""

from __future__ import annotations

# The spec's facts on an action are for this module: private to users, not to the package.
# pyright: reportPrivateUsage=false
from os import urandom

from pystrix_typed.agi.exceptions import (
    AGIClosedError,
    AGIDeadChannelError,
    AGIException,
    AGIHangup,
    AGIInvalidCommandError,
    AGINoResultError,
    AGIProtocolError,
    AGIResultHangup,
    AGISIGHUPHangup,
    AGISIGPIPEHangup,
    AGITimeoutError,
    AGIUnknownError,
    AGIUsageError,
)
from pystrix_typed.agi.wire import LINE_LIMIT_BEFORE_8K, line_limit, parse, reply_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias, TypeVar

    from pystrix_typed.agi.record import Action, AnyAction
    from pystrix_typed.agi.wire import Reply

    R = TypeVar("R")
    #: What to write, and until when to wait for an answer.
    Step: TypeAlias = tuple[bytes, float | None]
    #: What came: bytes, b"" at the end of the stream, None when the moment passed.
    Exchange: TypeAlias = Generator[Step, bytes | None, R]

__all__ = ["Protocol"]

_HANGUP = b"HANGUP"
_VALUE = b"200 result=1 ("
_USAGE_END = b"520 End of proper usage.\n"
#: A reply shorter than this arrives in one piece over any network that carries IPv6 (1280 bytes
#: with headers), because Asterisk writes it in one go.
_ONE_SEGMENT = 1200
#: Seconds after which a fence that is not answered gets its first nudge; each next waits twice as
#: long.
_NUDGE = 0.1


class Protocol:
    """The state of one session.

    Args:
        resync_timeout: Seconds that an abandoned command may take to end before the session gives
            up. What a new command interrupts ends at once; a number being spoken, a recording or
            an application runs to its own end first.
        verify_values: Fence every value. Without it a value that fits in one network segment is
            taken to end where it seems to end, which only a peer that does not write it in one go
            can betray.
        max_environment: Bytes that the variables at the start may take.
        max_reply: Bytes that one reply may take.

    Attributes:
        hangup: How the call ended, as the exception's class; None while it lasts.
        sending: Bytes were handed to the driver and are not known to be written whole.
    """

    __slots__ = (
        "_abandoned_value",
        "_broken",
        "_buffer",
        "_ended",
        "_fenced_at",
        "_fences",
        "_in_flight",
        "_max_environment",
        "_max_line",
        "_max_reply",
        "_noise",
        "_nonce",
        "_nudges",
        "_resync",
        "_resync_timeout",
        "_verify_values",
        "hangup",
        "on_hangup",
        "sending",
    )

    def __init__(
        self,
        *,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        max_environment: int = 65_536,
        max_reply: int = 1_048_576,
    ) -> None:
        self._resync_timeout = resync_timeout
        self._verify_values = verify_values
        self._max_environment = max_environment
        self._max_reply = max_reply
        self._max_line = LINE_LIMIT_BEFORE_8K
        self._buffer = bytearray()
        self._ended = False
        self._broken = ""
        self._in_flight: AnyAction | None = None
        # Fences: the answers still to come, the one that ends the resynchronisation, its moment.
        self._nonce = b""
        self._fences: list[bytes] = []
        self._resync: bytes = b""
        self._fenced_at = 0.0
        self._nudges = 0
        self._noise = 0
        self._abandoned_value = False
        self.hangup: type[AGIHangup] | None = None
        self.on_hangup: list[Callable[[], object]] = []
        self.sending = False

    # ---- what the driver calls ----

    def start(self, deadline: float | None) -> Exchange[dict[str, str]]:
        """Read the ``agi_*`` variables that Asterisk sends first.

        Raises:
            AGISIGPIPEHangup: The stream ended before the empty line that ends them.
            AGIProtocolError: The peer does not speak AGI, or sends too much.
            AGITimeoutError: The moment passed.
        """
        buffer = self._buffer
        while True:
            if buffer.startswith(b"\n"):
                end = 0
                break
            end = buffer.find(b"\n\n")
            if end >= 0:
                break
            if not b"agi_".startswith(bytes(buffer[:4])):
                raise self._break(AGIProtocolError, None, "the peer does not speak AGI")
            if len(buffer) > self._max_environment:
                raise self._break(
                    AGIProtocolError,
                    None,
                    f"the variables at the start exceed {self._max_environment} bytes",
                )
            yield from self._more(b"", deadline, None)
        if end > self._max_environment or (end and not buffer.startswith(b"agi_")):
            raise self._break(AGIProtocolError, None, "the peer does not speak AGI")
        block = bytes(buffer[:end])
        del buffer[: end + 1 if end == 0 else end + 2]
        variables = _environment(block)
        self._max_line = line_limit(variables.get("agi_version", ""))
        self._tidy()
        return variables

    def execute(self, action: Action[R], deadline: float | None) -> Exchange[R]:
        """Send one command and give what its reply means.

        Raises:
            AGIHangup: The call is over, and the command is not one of those still allowed.
            AGIError: See `pystrix_typed.agi.exceptions`.
            ValueError: The command is too long for this Asterisk. Nothing was sent.
        """
        line = action.line
        if len(line) > self._max_line:
            raise ValueError(
                f"{action.command}: the command line has {len(line)} bytes, and this version of "
                f"Asterisk would cut it at {self._max_line} and run the rest as another command"
            )
        self._refuse(action)
        if self._resync or self._buffer:
            yield from self._find_step(action, deadline)
            self._refuse(action)
        self._in_flight = action
        reply = yield from self._ask(line, action, deadline)
        if reply.code not in action._codes or reply.result is None:
            self._in_flight = None
            raise self._undefined(action, reply)
        if action._answers_twice and reply.result == "1":
            yield from self._drop_second_answer(action, deadline)
        meaning = self._meaning(action, reply)
        if reply.outcome in action._settles:
            yield from self._settle(action, reply, deadline)
        self._in_flight = None
        if isinstance(meaning, tuple):
            return meaning[0]
        if isinstance(meaning, AGIHangup):
            self.note_hangup(AGIResultHangup)
        try:
            raise meaning
        finally:
            del meaning  # or the exception and this frame would keep each other alive

    def abandon(self, now: float) -> bytes:
        """Leave the exchange that is under way; give the fence to write, or nothing.

        Calling it when nothing is under way does no harm.

        Args:
            now: The present moment on the driver's clock: the fence's own deadline runs from here.
        """
        action = self._in_flight
        if action is None or self._ended or self._broken:
            return b""
        self._in_flight = None
        if self.sending:
            # Whatever followed would be read as the rest of that line.
            self._broken = f"{action.command} was only partly written"
            return b""
        self._abandoned_value = action._multiline
        self._fenced_at = now
        if self._resync:
            # The exchange had sent a fence of its own, which does as well.
            return b""
        line = self._new_fence()
        self._resync = self._fences[-1]
        self.sending = True
        return line

    def received(self, data: bytes) -> None:
        """Take what arrived between exchanges; ``b""`` is the end of the stream."""
        if not data:
            self._end()
        elif not self._broken:
            self._buffer += data
            if not self._resync:
                self._tidy()
            if len(self._buffer) > self._max_reply:
                self._break(AGIProtocolError, None, "the peer talks unasked, and too much")

    def note_hangup(self, kind: type[AGIHangup] = AGISIGHUPHangup) -> None:
        """Take notice that the call is over; the first notice is the one that counts."""
        if self.hangup is None:
            self.hangup = kind
            for callback in self.on_hangup:
                callback()

    def close(self, why: str = "the session was closed") -> None:
        """Refuse every further command."""
        if not self._broken:
            self._broken = why
        self._buffer.clear()

    @property
    def closed(self) -> bool:
        """Whether no command can be sent any more, not even those for a dead channel."""
        return self._ended or bool(self._broken)

    # ---- before and after a command ----

    def _refuse(self, action: AnyAction) -> None:
        """Raise if the command cannot be sent; nothing was sent then."""
        if self.sending and not self._broken:
            self._broken = "a command was only partly written"
        if self._broken:
            raise AGIClosedError(f"{action.command} was not sent: {self._broken}", action=action)
        if self._ended:
            raise self._gone(action)
        if self.hangup is not None and not action._dead:
            raise self.hangup(
                f"{action.command} was not sent: the call is over, and Asterisk does not permit it "
                f"on a dead channel",
                action=action,
            )

    def _meaning(self, action: Action[R], reply: Reply) -> tuple[R] | AGIException:
        """Give what the action reads in the reply, or the exception that it makes of it."""
        try:
            return (action._read(reply),)
        except AGIException as error:
            return error
        except (LookupError, TypeError, ValueError) as error:
            # Not a number where the spec has one: the peer is no Asterisk, or a new one.
            undefined = self._undefined(action, reply)
            undefined.__cause__ = error
            return undefined

    def _undefined(self, action: AnyAction, reply: Reply) -> AGIException:
        """Build the exception for a reply that is none of the action's outcomes."""
        kind: type[AGIException] = AGIUnknownError
        outcome, meaning = "unknown", "a reply that AGI does not define for it"
        if reply.code == 510:
            kind, outcome = AGIInvalidCommandError, "invalid-command"
            meaning = "this Asterisk does not know the command, or its module is not loaded"
        elif reply.code == 511:
            self.note_hangup(AGIDeadChannelError)
            kind, outcome = AGIDeadChannelError, "dead-channel"
            meaning = "not permitted: the channel is dead, or this is an interception routine"
        elif reply.code == 520:
            kind, outcome = AGIUsageError, "usage"
            meaning = action._usage_hint or "Asterisk refused the arguments"
        elif reply.code == 200 and reply.result is None:
            kind, outcome = AGINoResultError, "no-result"
            meaning = 'the reply carries no "result="'
        reply.outcome = outcome
        return kind(f"{action.command}: {meaning} ({reply.shown})", action=action, reply=reply)

    def _settle(self, action: AnyAction, reply: Reply, deadline: float | None) -> Exchange[None]:
        """Find out whether a reply that may mean failure or hangup means hangup.

        Asterisk answers ``result=-1`` for both, and gives notice of the hangup some tens of
        milliseconds later, or never. CHANNEL STATUS is refused on a dead channel.
        """
        if self.hangup is None:
            try:
                status = yield from self._ask(b"CHANNEL STATUS\n", action, deadline)
            except AGIHangup:
                pass
            else:
                if status.code == 511:
                    self.note_hangup(AGIResultHangup)
        if self.hangup is not None:
            self._in_flight = None
            reply.outcome = "hangup"
            raise AGIResultHangup(
                f"{action.command}: the caller hung up ({reply.shown})", action=action, reply=reply
            )

    def _drop_second_answer(self, action: AnyAction, deadline: float | None) -> Exchange[None]:
        """Drop the 520 that follows when an application returned 1 (res_agi.c, handle_exec)."""
        second = self._next_reply()
        if second is None or second.code != 520:
            self._abandoned_value = False
            self._drop((yield from self._fence(action, deadline)))
        self._tidy()

    # ---- reading ----

    def _more(self, data: bytes, until: float | None, action: AnyAction | None) -> Exchange[None]:
        """Write `data`, then wait for more; the deadline and the end of the stream raise."""
        self.sending = bool(data)
        got = yield data, until
        if got:
            self._buffer += got
            return
        what = action.command if action else "the variables at the start"
        if got is None:
            raise AGITimeoutError(f"{what}: no answer before the deadline", action=action)
        self._end()
        raise self._gone(action)

    def _ask(self, line: bytes, action: AnyAction, deadline: float | None) -> Exchange[Reply]:
        """Send a line and give its reply."""
        buffer = self._buffer
        self._noise = 0
        yield from self._more(line, deadline, action)
        while True:
            if action._multiline and self._reply_begins() and buffer.startswith(_VALUE):
                return (yield from self._value(action, deadline))
            reply = self._next_reply()
            if reply is not None:
                if buffer:
                    self._tidy()
                return reply
            yield from self._line(action, deadline)

    def _line(self, action: AnyAction, deadline: float | None) -> Exchange[None]:
        """Wait for more, until there is a line feed in it: nothing ends without one."""
        buffer = self._buffer
        while True:
            size = len(buffer)
            if size + self._noise > self._max_reply:
                raise self._break(
                    AGIProtocolError,
                    action,
                    f"{action.command}: the reply exceeds {self._max_reply} bytes",
                )
            yield from self._more(b"", deadline, action)
            if buffer.find(b"\n", size) >= 0:
                return

    def _reply_begins(self) -> bool:
        """Drop what is no reply to the command under way; tell whether one is there."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\n")
            if end < 0:
                return False
            line = bytes(buffer[:end])
            code = reply_code(line)
            if code and code != 100 and line not in self._fences:
                return True
            if line == _HANGUP:
                self.note_hangup()
            elif line in self._fences:
                self._fences.remove(line)
            else:
                # Provisional, or no reply at all: never taken for one.
                self._noise += end + 1
            del buffer[: end + 1]

    def _next_reply(self) -> Reply | None:
        """Take one reply, which is no value, off the buffer if it is there whole."""
        if not self._reply_begins():
            return None
        buffer = self._buffer
        if buffer.startswith(b"520-"):
            end = buffer.find(_USAGE_END)
            if end < 0:
                return None
            end += len(_USAGE_END) - 1
        else:
            end = buffer.find(b"\n")
        raw = bytes(buffer[:end])
        del buffer[: end + 1]
        return parse(raw)

    def _value(self, action: AnyAction, deadline: float | None) -> Exchange[Reply]:
        """Take a value's reply, whose end only a fence can prove."""
        buffer = self._buffer
        seems = buffer.find(b")\n")
        while seems < 0:
            size = len(buffer)
            yield from self._line(action, deadline)
            seems = buffer.find(b")\n", size - 1)
        end = _without_hangups(buffer)
        if seems + 2 == end < _ONE_SEGMENT and not self._verify_values:
            raw = bytes(buffer[: seems + 1])
            del buffer[:end]
        else:
            region = yield from self._fence(action, deadline)
            end = _without_hangups(region)
            if end < len(region):
                self.note_hangup()
            raw = bytes(region[: region.rfind(b")\n", 0, end) + 1])
        self._tidy()
        return parse(raw, multiline=True)

    def _tidy(self) -> None:
        """Take the notices off the buffer; anything that stays is a stray."""
        buffer = self._buffer
        while buffer:
            end = buffer.find(b"\n")
            line = bytes(buffer[:end]) if end >= 0 else b""
            if line == _HANGUP:
                self.note_hangup()
            elif line in self._fences:
                self._fences.remove(line)
            else:
                return
            del buffer[: end + 1]

    # ---- fences ----

    def _new_fence(self) -> bytes:
        """Give a fence's command line; its answer is the last of `_fences`."""
        if not self._nonce:
            self._nonce = urandom(8).hex().encode()
        nonce = b"fence-%b-%d" % (self._nonce, self._nudges)
        self._nudges += 1
        self._fences.append(b"200 result=1 (%b)" % nonce)
        return b'GET FULL VARIABLE "%b"\n' % nonce

    def _fence(self, action: AnyAction, deadline: float | None) -> Exchange[bytearray]:
        """Send a fence now, and give all that came before its answer."""
        line = self._new_fence()
        self._resync = answer = self._fences[-1]
        yield from self._more(line, deadline, action)
        while True:
            region = self._before(answer)
            if region is not None:
                return region
            yield from self._line(action, deadline)

    def _before(self, answer: bytes) -> bytearray | None:
        """Take all up to and with a fence's answer off the buffer; give what came before it."""
        buffer = self._buffer
        if buffer.startswith(answer + b"\n"):
            at = 0
        else:
            at = buffer.find(b"\n" + answer + b"\n") + 1
            if not at:
                return None
        region = buffer[:at]
        del buffer[: at + len(answer) + 1]
        self._fences.remove(answer)
        self._resync = b""
        return region

    def _find_step(self, action: AnyAction, deadline: float | None) -> Exchange[None]:
        """Drop what abandoned commands and strays have left, up to the fence's answer."""
        self._tidy()
        if not self._resync:
            if not self._buffer or b"HANGUP\n".startswith(bytes(self._buffer)):
                return
            # A stray lies in the buffer: nothing is known to be under way, so this is quick.
            self._abandoned_value = True
            self._in_flight = action
            self._drop((yield from self._fence(action, deadline)))
            self._in_flight = None
            return
        region = self._before(self._resync)
        limit = self._fenced_at + self._resync_timeout
        nudge = pause = _NUDGE
        data = b""
        while region is None:
            until = min(limit, self._fenced_at + nudge)
            if deadline is not None:
                until = min(until, deadline)
            self.sending = bool(data)
            got = yield data, until
            data = b""
            if got:
                self._buffer += got
                if len(self._buffer) > self._max_reply:
                    raise self._break(
                        AGIProtocolError,
                        action,
                        f"{action.command} was not sent: the answer of the command abandoned "
                        f"before it exceeds {self._max_reply} bytes",
                    )
                region = self._before(self._resync)
            elif got is not None:
                self._end()
                self._drop(self._buffer)
                raise self._gone(action)
            elif until == deadline:
                raise AGITimeoutError(
                    f"{action.command} was not sent before the deadline: the command before it was "
                    f"abandoned and has not ended",
                    action=action,
                )
            elif until == limit:
                raise self._break(
                    AGIClosedError,
                    action,
                    f"{action.command} was not sent: a command that was abandoned did not end "
                    f"within {self._resync_timeout:g} seconds, so the session lost step",
                )
            else:
                data = self._new_fence()
                pause *= 2
                nudge += pause
        self._drop(region)
        self._tidy()

    def _drop(self, region: bytearray) -> None:
        """Forget a region, but for the notices in it."""
        if self._abandoned_value:
            # A value may hold a line that looks like a notice; one behind it cannot be its own.
            if _without_hangups(region) < len(region):
                self.note_hangup()
        elif _HANGUP in bytes(region).split(b"\n"):
            self.note_hangup()

    # ---- ends ----

    def _end(self) -> None:
        """Note the end of the stream."""
        self._tidy()
        self._ended = True
        self.note_hangup(AGISIGPIPEHangup)

    def _gone(self, action: AnyAction | None) -> AGIHangup:
        """Build the exception for a stream that ended."""
        what = action.command if action else "the variables at the start"
        if self.hangup is not None and issubclass(self.hangup, AGISIGHUPHangup):
            return AGISIGHUPHangup(
                f"{what}: the call is over, and Asterisk has left", action=action
            )
        return AGISIGPIPEHangup(f"{what}: Asterisk closed the connection", action=action)

    def _break(
        self, kind: type[AGIException], action: AnyAction | None, message: str
    ) -> AGIException:
        """Give up on the session; give the exception to raise."""
        self._broken = message
        self._in_flight = None
        self._buffer.clear()
        return kind(message, action=action)


def _without_hangups(region: bytearray) -> int:
    """Give the length of a region without the notices at its end."""
    end = len(region)
    while region.endswith(b"\nHANGUP\n", 0, end):
        end -= len(b"HANGUP\n")
    return end


def _environment(block: bytes) -> dict[str, str]:
    """Read the variables.

    A line that names none goes on with the value before it: Asterisk writes a caller's name as it
    is, line feeds included.
    """
    variables: dict[str, str] = {}
    last = ""
    for line in block.decode("utf-8", "surrogateescape").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.startswith("agi_") and " " not in name:
            last = name
            variables[last] = value.removeprefix(" ")
        elif last:
            variables[last] += "\n" + line
    return variables
