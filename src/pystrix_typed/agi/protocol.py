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
from pystrix_typed.agi.wire import (
    LINE_LIMIT_BEFORE_8K,
    ONE_SEGMENT,
    VALUE,
    encode,
    line_limit,
    parse_success,
    variables_of,
    version,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias, TypeVar

    from pystrix_typed.agi.exceptions import AGIException, AGIHangup
    from pystrix_typed.agi.record import Action, AnyAction
    from pystrix_typed.agi.wire import Reply

    R = TypeVar("R")
    #: What to write, and until when to wait for an answer.
    Step: TypeAlias = tuple[bytes, float | None]
    #: What came: bytes, b"" at the end of the stream, None when the moment passed.
    Exchange: TypeAlias = Generator[Step, bytes | None, R]

__all__ = ["Protocol"]

_PLAIN = b"200 result="
#: Variables that strangers choose, and that Asterisk never sends last.
_STRANGERS = ("agi_callerid", "agi_calleridname", "agi_dnid", "agi_rdnis")


class Protocol:
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
        hung_up: Whether the call is known to be over.
        now: The present moment on the driver's clock.
        on_hangup: What to call when the call is found to be over, each once. An exception that one
            of them raises goes to whoever called the protocol, and leaves the state sound.
        reply: The last command's reply, once it has come; None before, and while one is awaited.
        sending: Bytes were handed to the driver and are not known to be written whole.
    """

    __slots__ = (
        "_broken",
        "_buffer",
        "_ended",
        "_fences",
        "_hangup",
        "_in_flight",
        "_mark",
        "_max_environment",
        "_max_line",
        "_max_reply",
        "_noise",
        "_nudge_at",
        "_nudge_pause",
        "_resync_timeout",
        "_seen",
        "_sent_fences",
        "_unsure",
        "_value_before",
        "_verify_values",
        "_waited",
        "asterisk_version",
        "hung_up",
        "now",
        "on_hangup",
        "reply",
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
        # What has come and is not read yet.
        self._buffer = bytearray()
        # Bytes that were dropped while a reply was awaited.
        self._noise = 0
        # The answers to fences that are still to come, oldest first. While there is one, no command
        # is sent. The rest of what `resync` remembers goes with them.
        self._fences: list[bytes] = []
        self._sent_fences = 0
        self._mark = b""
        # How much of the buffer is known to hold no answer to a fence.
        self._seen = 0
        self._nudge_at = 0.0
        self._nudge_pause = 0.0
        self._value_before = False
        # How long the fences that are out have been waited for.
        self._waited = 0.0
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
        self.hung_up: bool = False
        self._hangup: type[AGIHangup] | None = None
        self.now: float = 0.0
        self.on_hangup: list[Callable[[], object]] = []

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
            yield from agi.resync.find_step(self, action, deadline)
            self._refuse(action)
            line = action.line
            self._send(action)
        got = yield line, deadline
        concluded = self.conclude(action, got)
        if concluded is not None:
            return concluded[0]
        return (yield from agi.replies.finish(self, action, got, deadline))

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
        if not got or self._buffer or not got.startswith(_PLAIN) or got.find(b"\n") != len(got) - 1:
            return None
        value = action._multiline and got.startswith(VALUE)
        if value and (self._verify_values or len(got) >= ONE_SEGMENT or not got.endswith(b")\n")):
            return None
        reply = parse_success(got[:-1], value)
        if action._answers_twice and reply.result == "1":
            return None
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
        return agi.replies.finish(self, action, got, deadline)

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
            line = agi.resync.first_fence(self, value=action._multiline)
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
                region = agi.resync.take_answers(self)
                if region is not None:
                    agi.resync.drop(self, region)
                elif not self._value_before and b"\n" in data:
                    agi.resync.drop(self, self._buffer)
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

    # ---- notices ----

    @property
    def hangup(self) -> "type[AGIHangup] | None":
        """How the call ended, as the exception's class; None while it lasts."""
        if not self.hung_up:
            return None
        return self._hangup or agi.AGISIGHUPHangup

    def note_hangup(self, kind: "type[AGIHangup] | None" = None) -> None:
        """Take notice that the call is over; the first notice is the one that counts.

        Args:
            kind: The exception that says how; None for Asterisk's own notice. A signal handler
                gives that one, and must not be the first to load the exceptions: the program may
                be in the middle of doing so.
        """
        if not self.hung_up:
            self._hangup = kind
            self.hung_up = True
        while True:
            try:
                callback = self.on_hangup.pop(0)
            except IndexError:
                return  # a signal handler or another thread may take the last one
            callback()

    def _tidy(self) -> None:
        """Take the notices off the buffer; anything that stays is a stray."""
        while self._buffer.startswith(b"HANGUP\n"):
            del self._buffer[: len(b"HANGUP\n")]
            self.note_hangup()

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

    # ---- ends ----

    def _end(self) -> None:
        """Note the end of the stream."""
        self._ended = True
        if self._fences:
            agi.resync.drop(self, self._buffer)
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
