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
- before it starts an exchange and whenever it goes on with one, it sets `Protocol.now`;
- once a step's bytes are written whole, or known not to be written at all, it sets
  `Protocol.sending` to False;
- when an exchange ends in any exception, its own `KeyboardInterrupt` or cancellation included, it
  calls `Protocol.abandon` and writes what that gives, then raises on;
- what arrives between exchanges goes to `Protocol.received`.

The state lives here and not in the generators, because an interrupt kills a generator.

**Staying in step.** Asterisk answers one command at a time and says nothing unasked but ``HANGUP``.
A command that was abandoned still gets its answer, later, and that answer must not be taken for the
next command's. A *fence* settles it: ``GET FULL VARIABLE "<nonce>"`` is legal on every channel, its
answer is unmistakable, and whatever comes before that answer is older. Sending it also interrupts
the commands that a new command interrupts, so abandoning a playback stops it.

**Values.** Asterisk never escapes a variable's content, so a value can hold line feeds and look
like a reply. It is written in one go: whatever else lies in the buffer when a value seems complete
belongs to it, and then a fence settles where it ends. One that is longer than a network segment
might be cut just where it seems complete, so it is fenced too.
"""

# The spec's facts on an action are for this module: private to users, not to the package.
# pyright: reportPrivateUsage=false
from pystrix_typed import agi
from pystrix_typed.agi.stream import NUDGE, Stream, without_notices
from pystrix_typed.agi.wire import (
    LINE_LIMIT_BEFORE_8K,
    encode,
    line_limit,
    parse,
    parse_success,
    variables_of,
    version,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeAlias, TypeVar

    from pystrix_typed.agi.exceptions import AGIException
    from pystrix_typed.agi.record import Action, AnyAction
    from pystrix_typed.agi.wire import Reply

    R = TypeVar("R")
    #: What to write, and until when to wait for an answer.
    Step: TypeAlias = tuple[bytes, float | None]
    #: What came: bytes, b"" at the end of the stream, None when the moment passed.
    Exchange: TypeAlias = Generator[Step, bytes | None, R]

__all__ = ["Protocol"]

_VALUE = b"200 result=1 ("
_PLAIN = b"200 result="
#: A reply shorter than this arrives in one piece over any network that carries IPv6 (1280 bytes
#: with headers), because Asterisk writes it in one go.
_ONE_SEGMENT = 1200
#: Variables that strangers choose, and that Asterisk never sends last.
_STRANGERS = ("agi_callerid", "agi_calleridname", "agi_dnid", "agi_rdnis")


class Protocol(Stream):
    """The state of one session.

    Args:
        resync_timeout: Seconds to wait for an abandoned command's end before the session gives up;
            they count while the next commands wait for it. What a new command interrupts ends at
            once; a number being spoken, a recording or an application runs to its own end first.
        verify_values: Fence every value. Without it a value that fits in one network segment is
            taken to end where it seems to end, which only a peer that does not write it in one go
            can betray.
        max_environment: Bytes that the variables at the start may take.
        max_reply: Bytes that one reply may take.

    Attributes:
        asterisk_version: The version that Asterisk told at the start; empty when it told none.
        reply: The last command's reply, once it has come; None before, and while one is awaited.
        sending: Bytes were handed to the driver and are not known to be written whole.
    """

    __slots__ = (
        "_broken",
        "_ended",
        "_in_flight",
        "_max_environment",
        "_max_line",
        "_max_reply",
        "_resync_timeout",
        "_unsure",
        "_verify_values",
        "asterisk_version",
        "reply",
        "sending",
    )

    now: float

    def __init__(
        self,
        *,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        max_environment: int = 65_536,
        max_reply: int = 1_048_576,
    ) -> None:
        super().__init__()
        self._resync_timeout = resync_timeout
        self._verify_values = verify_values
        self._max_environment = max_environment
        self._max_reply = max_reply
        self._max_line = LINE_LIMIT_BEFORE_8K
        self._ended = False
        self._broken = ""
        self._in_flight: AnyAction | None = None
        # Something may be on its way that no command asked for.
        self._unsure = False
        self.asterisk_version: tuple[int, ...] = ()
        self.reply: Reply | None = None
        self.sending: bool = False

    # ---- what the driver calls ----

    def started(self, received: bytes) -> "dict[str, str]":
        """Take the variables, and perhaps more, which the driver has read whole already.

        Raises:
            AGIProtocolError: They are not there.
        """
        steps = self.start(None)
        next(steps)
        try:
            steps.send(received)
        except StopIteration as end:
            variables: dict[str, str] = end.value
            return variables
        raise self._break(agi.AGIProtocolError, None, "the variables at the start have no end")

    def start(self, deadline: "float | None") -> "Exchange[dict[str, str]]":
        """Read the ``agi_*`` variables that Asterisk sends first.

        Raises:
            AGISIGPIPEHangup: The stream ended before the empty line that ends them.
            AGIProtocolError: The peer does not speak AGI, or sends too much.
            AGITimeoutError: The moment passed.
        """
        buffer = self._buffer
        size, end = 0, -1
        while end < 0 and not buffer.startswith(b"\n"):
            if not (yield from self._more(b"", deadline, None)):
                raise agi.AGITimeoutError("the variables at the start: none before the deadline")
            if not (buffer.startswith(b"\n") or b"agi_".startswith(bytes(buffer[:4]))):
                raise self._break(agi.AGIProtocolError, None, "the peer does not speak AGI")
            end = buffer.find(b"\n\n", max(size - 1, 0))
            size = len(buffer)
            if (size if end < 0 else end) > self._max_environment:
                raise self._break(
                    agi.AGIProtocolError,
                    None,
                    f"the variables at the start exceed {self._max_environment} bytes",
                )
        if buffer.startswith(b"\n"):
            end = -1
        variables = variables_of(bytes(buffer[: max(end, 0)]))
        del buffer[: end + 2]
        self.asterisk_version = version(variables.get("agi_version", ""))
        self._max_line = line_limit(self.asterisk_version)
        # What strangers name can hold an empty line: then the rest of the variables is yet to come.
        last = next(reversed(variables), "")
        self._unsure = "agi_version" in variables and last in _STRANGERS
        self._tidy()
        return variables

    def execute(self, action: "Action[R]", deadline: "float | None") -> "Exchange[R]":
        """Send one command and give what its reply means.

        Raises:
            AGIHangup: The call is over, and the command is not one of those still allowed.
            AGIError: See `pystrix_typed.agi.exceptions`.
            ValueError: The command is too long for this Asterisk. Nothing was sent.
        """
        line = self.begin(action)
        if not line:
            yield from self._find_step(action, deadline)
            self._refuse(action)
            line = action.line
            self._send(action)
        got = yield line, deadline
        concluded = self.conclude(action, got)
        if concluded is not None:
            return concluded[0]
        return (yield from self.finish(action, got, deadline))

    # The same in two calls, for a driver that can do without a generator where one line is sent and
    # one comes back, as for nearly every command. The driver need not set `now` before `begin`.

    def begin(self, action: "AnyAction") -> bytes:
        """Give the command line to write; b"" when `execute` has to find the step first.

        Raises:
            AGIHangup: As for `execute`.
            AGIError: As for `execute`.
            ValueError: As for `execute`.
        """
        if action._newest > self.asterisk_version:
            self._refuse_version(action)
        line = encode(action.command, action._words())
        if len(line) > self._max_line:
            raise ValueError(
                f"{action.command}: the command line has {len(line)} bytes, and this version of "
                f"Asterisk would cut it at {self._max_line} and run the rest as another command"
            )
        if self.sending or self._broken or self._ended or self.hung_up:
            self._refuse(action)
        if self._buffer or self._fences or self._unsure or self._in_flight is not None:
            return b""
        self._send(action)
        return line

    def conclude(self, action: "Action[R]", got: "bytes | None") -> "tuple[R] | None":
        """Give what the reply means, if it is one line that came alone and means success.

        None, and nothing has changed, if `finish` is to read it.
        """
        if (
            not got
            or self._buffer
            or not got.startswith(_PLAIN)
            or got.find(b"\n") != len(got) - 1
            or action._answers_twice
        ):
            return None
        value = action._multiline and got.startswith(_VALUE)
        if value and (self._verify_values or len(got) >= _ONE_SEGMENT or not got.endswith(b")\n")):
            return None
        reply = parse_success(got[:-1], value)
        try:
            result = action._read(reply)
        except Exception:  # noqa: BLE001 - `finish` says what it means
            return None
        if reply.outcome in action._settles:
            return None
        self.reply = reply
        self._in_flight = None
        return (result,)

    def finish(
        self, action: "Action[R]", got: "bytes | None", deadline: "float | None"
    ) -> "Exchange[R]":
        """Give what the reply means that begins with what came first."""
        reply = yield from self._answer(got, action, deadline)
        self.reply = reply
        if reply.code not in action._codes or reply.result is None:
            self._in_flight = None
            raise self._undefined(action, reply)
        if action._answers_twice and reply.result == "1":
            yield from self._drop_second_answer(action, deadline)
        try:
            meaning: tuple[R] | AGIException = (action._read(reply),)
        except Exception as error:  # noqa: BLE001 - what it is not for is raised again
            meaning = self._meaning(action, reply, error)
        if reply.outcome in action._settles:
            yield from self._settle(action, reply, deadline)
        self._in_flight = None
        if isinstance(meaning, tuple):
            return meaning[0]
        if isinstance(meaning, agi.AGIHangup):
            self.note_hangup(agi.AGIResultHangup)
        elif isinstance(meaning, agi.AGIUnknownError):
            self._unsure = True
        try:
            raise meaning
        finally:
            del meaning  # or the exception and this frame would keep each other alive

    def abandon(self, now: float) -> bytes:
        """Leave the exchange that is under way; give the fence to write, or nothing.

        Calling it when nothing is under way does no harm.

        Args:
            now: The present moment on the driver's clock.
        """
        if self._fences:
            self._waited += now - self.now
            self.now = now
        action = self._in_flight
        line = b""
        if action is None or self._ended or self._broken:
            pass
        elif self.sending:
            # Whatever followed would be read as the rest of that line.
            self._broken = f"{action.command} was only partly written"
        elif not self._fences:  # or the exchange had sent a fence of its own, which does as well
            self.now = now
            line = self._first_fence(value=action._multiline)
            self.sending = True
        # Last, because a second interrupt may end this anywhere.
        self._in_flight = None
        return line

    def received(self, data: bytes) -> None:
        """Take what arrived between exchanges; ``b""`` is the end of the stream."""
        if not data:
            self._end()
        elif not self._broken:
            self._buffer += data
            if self._fences:
                region = self._take_answers()
                if region is not None:
                    self._drop(region)
                elif not self._value_before and b"\n" in data:
                    self._drop(self._buffer)
            if not self._fences:
                self._tidy()
            if len(self._buffer) > self._max_reply:
                self._break(agi.AGIProtocolError, None, "the peer talks unasked, and too much")

    def close(self, why: str = "the session was closed") -> None:
        """Refuse every further command."""
        if not self._broken:
            self._broken = why

    @property
    def closed(self) -> bool:
        """Whether no command can be sent any more, not even those for a dead channel."""
        return self._ended or bool(self._broken)

    # ---- before and after a command ----

    def _send(self, action: "AnyAction") -> None:
        """Note that the command's line is given to the driver."""
        self._in_flight = action
        self.reply = None
        self._noise = 0
        self.sending = True

    def _refuse(self, action: "AnyAction") -> None:
        """Raise if the command cannot be sent; nothing was sent then."""
        if self.sending and not self._broken:
            self._broken = "a command was only partly written"
        if self._broken:
            raise agi.AGIClosedError(
                f"{action.command} was not sent: {self._broken}", action=action
            )
        if self._ended:
            raise self._gone(action)
        if self.hangup is not None and not action._dead:
            raise self.hangup(
                f"{action.command} was not sent: the call is over, and Asterisk does not permit it "
                f"on a dead channel",
                action=action,
            )

    def _refuse_version(self, action: "AnyAction") -> None:
        """Raise if this Asterisk does not have what the action asks for."""
        if self.asterisk_version:
            from pystrix_typed.agi.versions import refuse

            refuse(action, self.asterisk_version)

    def _meaning(self, action: "AnyAction", reply: "Reply", error: "Exception") -> "AGIException":
        """Give the exception that the reply means, for what reading it has raised."""
        if isinstance(error, agi.AGIException):
            return error
        if isinstance(error, (ArithmeticError, LookupError, TypeError, ValueError)):
            # Not a number where the spec has one: the peer is no Asterisk, or a new one.
            undefined = self._undefined(action, reply)
            undefined.__cause__ = error
            return undefined
        raise error

    def _undefined(self, action: "AnyAction", reply: "Reply") -> "AGIException":
        """Build the exception for a reply that is none of the action's outcomes."""
        kind: type[AGIException] = agi.AGIUnknownError
        outcome, meaning = "unknown", "a reply that AGI does not define for it"
        # Such a line may have come from elsewhere, with the command's own reply still to come.
        self._unsure = reply.code not in (510, 511, 520)
        if reply.code == 510:
            kind, outcome = agi.AGIInvalidCommandError, "invalid-command"
            from pystrix_typed.agi.versions import unknown_command

            meaning = unknown_command(action, self.asterisk_version)
        elif reply.code == 511:
            self.note_hangup(agi.AGIDeadChannelError)
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
        self, action: "AnyAction", reply: "Reply", deadline: "float | None"
    ) -> "Exchange[None]":
        """Find out whether a reply that may mean failure or hangup means hangup.

        Asterisk answers ``result=-1`` for both, and gives notice of the hangup some tens of
        milliseconds later, or never. CHANNEL STATUS is refused on a dead channel.
        """
        if self.hangup is None:
            try:
                status = yield from self._ask(b"CHANNEL STATUS\n", action, deadline)
            except agi.AGIHangup:
                pass
            else:
                if status.code == 511:
                    self.note_hangup(agi.AGIResultHangup)
        if self.hangup is not None:
            self._in_flight = None
            reply.outcome = "hangup"
            raise agi.AGIResultHangup(
                f"{action.command}: the caller hung up ({reply.shown})", action=action, reply=reply
            )

    def _drop_second_answer(
        self, action: "AnyAction", deadline: "float | None"
    ) -> "Exchange[None]":
        """Drop the 520 that follows when an application returned 1 (res_agi.c, handle_exec)."""
        if self._reply_begins():
            size = self._reply_size(0)
            if size > 0 and self._buffer.startswith(b"520"):
                del self._buffer[:size]
                self._tidy()
                return
        fence = self._first_fence(value=False)
        self._drop((yield from self._fence(action, deadline, fence)))
        self._tidy()

    # ---- reading ----

    def _more(
        self, data: bytes, until: "float | None", action: "AnyAction | None"
    ) -> "Exchange[bool]":
        """Write `data`, then wait for more; False when the moment passed."""
        self.sending = bool(data)
        return self._took((yield data, until), action)

    def _took(self, got: "bytes | None", action: "AnyAction | None") -> bool:
        """Keep what came; False when the moment passed."""
        if got:
            self._buffer += got
            return True
        if got is None:
            return False
        self._end()
        raise self._gone(action)

    def _ask(self, line: bytes, action: "AnyAction", deadline: "float | None") -> "Exchange[Reply]":
        """Send a line and give its reply."""
        self._noise = 0
        self.sending = True
        return (yield from self._answer((yield line, deadline), action, deadline))

    def _answer(
        self, got: "bytes | None", action: "AnyAction", deadline: "float | None"
    ) -> "Exchange[Reply]":
        """Give the reply that begins with what came first."""
        buffer = self._buffer
        if not self._took(got, action):
            raise self._late(action)
        if b"\n" not in buffer:
            yield from self._line(action, deadline)
        while not self._reply_begins():
            yield from self._line(action, deadline)
        if action._multiline and buffer.startswith(_VALUE):
            return (yield from self._value(action, deadline))
        size = self._reply_size(0)
        while size < 0:
            seen = len(buffer)
            yield from self._line(action, deadline)
            size = self._reply_size(seen)
        raw = bytes(buffer[: size - 1])
        del buffer[:size]
        if buffer:
            self._tidy()
        return parse(raw)

    def _line(self, action: "AnyAction", deadline: "float | None") -> "Exchange[None]":
        """Wait until there is a new line feed: nothing ends without one."""
        buffer = self._buffer
        while True:
            size = len(buffer)
            if size + self._noise > self._max_reply:
                raise self._break(
                    agi.AGIProtocolError,
                    action,
                    f"{action.command}: the reply exceeds {self._max_reply} bytes",
                )
            if not (yield from self._more(b"", deadline, action)):
                raise self._late(action)
            if buffer.find(b"\n", size) >= 0:
                return

    def _late(self, action: "AnyAction") -> "AGIException":
        """Build the exception for a reply that did not come in time."""
        return agi.AGITimeoutError(
            f"{action.command}: no answer before the deadline", action=action
        )

    def _value(self, action: "AnyAction", deadline: "float | None") -> "Exchange[Reply]":
        """Take a value's reply, whose end only a fence can prove."""
        buffer = self._buffer
        seems = buffer.find(b")\n")
        while seems < 0:
            size = len(buffer)
            yield from self._line(action, deadline)
            seems = buffer.find(b")\n", size - 1)
        end = without_notices(buffer)
        if seems + 2 == end < _ONE_SEGMENT and not self._verify_values:
            raw = bytes(buffer[: seems + 1])
            del buffer[:end]
        else:
            fence = self._first_fence(value=True)
            region = yield from self._fence(action, deadline, fence)
            end = without_notices(region)
            if end < len(region):
                self.note_hangup()
            raw = bytes(region[: region.rfind(b")\n", 0, end) + 1])
        self._tidy()
        return parse(raw, multiline=True)

    # ---- fences ----

    def _fence(
        self, action: "AnyAction", deadline: "float | None", data: bytes, why: str = ""
    ) -> "Exchange[bytearray]":
        """Wait until no fence is out, and give all that came before the first one's answer.

        Args:
            action: The action that waits for it.
            deadline: Its deadline.
            data: The fence's command line, unless it was written before.
            why: Why the action's command is not sent yet, if it is not.
        """
        limit = self.now + self._resync_timeout - self._waited
        what = f"{action.command} was not sent: {why}; " if why else f"{action.command}: "
        first: bytearray | None = None
        while True:
            region = self._take_answers()
            if first is not None and region is not None:
                self._drop(region)
            elif region is not None:
                first = region
                if self._fences:
                    # Asterisk may have read the other ones together with this one, so that only
                    # new bytes bring it to see them.
                    self._nudge_pause = NUDGE
                    data = self._next_fence()
            if first is not None and not self._fences:
                return first
            if len(self._buffer) > self._max_reply:
                raise self._break(
                    agi.AGIProtocolError,
                    action,
                    f"{what}what came before the end of a reply exceeds {self._max_reply} bytes",
                )
            until = min(limit, self._nudge_at)
            if deadline is not None:
                until = min(until, deadline)
            since = self.now
            came = yield from self._more(data, until, action)
            self._waited += self.now - since
            if came:
                data = b""
            elif until == deadline:
                raise agi.AGITimeoutError(f"{what}no answer before the deadline", action=action)
            elif until == limit:
                raise self._break(
                    agi.AGIClosedError,
                    action,
                    f"{what}no answer to the fence within {self._resync_timeout:g} seconds, so "
                    f"the session lost step and is closed",
                )
            else:
                data = self._next_fence()

    def _find_step(self, action: "AnyAction", deadline: "float | None") -> "Exchange[None]":
        """Drop what abandoned commands and strays have left, up to a fence's answer."""
        fence = b""
        why = "the command before it was abandoned and has not ended"
        if not self._fences:
            self._tidy()
            stray = self._buffer and not b"HANGUP\n".startswith(bytes(self._buffer))
            if not stray and not self._unsure and self._in_flight is None:
                return
            why = "Asterisk said something that was not asked for"
            fence = self._first_fence(value=True)
        self._drop((yield from self._fence(action, deadline, fence, why)))
        self._unsure = False
        # Not None if a second interrupt kept the driver from abandoning it.
        self._in_flight = None
        self._tidy()

    # ---- ends ----

    def _end(self) -> None:
        """Note the end of the stream."""
        self._ended = True
        if self._fences:
            self._drop(self._buffer)
        self._tidy()
        self.note_hangup(agi.AGISIGPIPEHangup)

    def _gone(self, action: "AnyAction | None") -> "AGIException":
        """Build the exception for a stream that ended."""
        what = action.command if action else "the variables at the start"
        if self._broken:
            return agi.AGIClosedError(f"{what}: {self._broken}", action=action)
        if self.hangup is not None and issubclass(self.hangup, agi.AGISIGHUPHangup):
            return agi.AGISIGHUPHangup(
                f"{what}: the call is over, and Asterisk has left", action=action
            )
        return agi.AGISIGPIPEHangup(f"{what}: Asterisk closed the connection", action=action)

    def _break(
        self, kind: "type[AGIException]", action: "AnyAction | None", message: str
    ) -> "AGIException":
        """Give up on the session; give the exception to raise."""
        self._broken = message
        self._in_flight = None
        self._buffer.clear()
        return kind(message, action=action)
