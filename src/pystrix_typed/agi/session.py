"""The blocking session; `pystrix_typed.agi.script.AGI` and `FastAGI` say over what.

It is a short loop that feeds `pystrix_typed.agi.protocol.Protocol`: write what it yields, read
until the moment that it names, send it what came.
"""

import sys
from _thread import TIMEOUT_MAX, allocate_lock, get_ident
from time import monotonic

from pystrix_typed import agi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from types import EllipsisType, TracebackType
    from typing import Self, TypeAlias, TypeVar

    from pystrix_typed.agi.core.environment import Environment
    from pystrix_typed.agi.observing import CommandEvent
    from pystrix_typed.agi.protocol import Exchange, Protocol
    from pystrix_typed.agi.record import Action

    R = TypeVar("R")
    #: Where a thread sleeps, if it has to, and which thread that is.
    Place: TypeAlias = tuple[list[LockType], int]

__all__ = ["CHUNK", "Session", "Turn"]

CHUNK = 65_536
#: Seconds; poll() counts milliseconds in 32 bits.
_LONGEST_POLL = 1_000_000.0


def in_seconds(timeout: "float | timedelta | None") -> "float | None":
    """Give a time in seconds."""
    if timeout is None or isinstance(timeout, (int, float)):
        return timeout
    return timeout.total_seconds()


class Turn:
    """The right to send a command on a session.

    A plain lock wakes whichever thread the system likes, and taking it twice in one thread would
    wait forever: a signal handler that executes an action in the middle of another one.

    Whoever stands first in the line has the turn. The line is a list, each of whose operations is
    atomic. No lock guards it, because a signal handler that comes in between would wait for it
    forever.
    """

    __slots__ = ("_line",)

    def __init__(self) -> None:
        # Each place has a gate to sleep at, which is opened when the place becomes the first.
        self._line: list[Place] = []

    @property
    def taken(self) -> bool:
        """Whether somebody has the turn."""
        return bool(self._line)

    def take(self, timeout: "float | None") -> bool:
        """Wait for the turn; False when `timeout` seconds passed first.

        Raises:
            RuntimeError: This thread has the turn already, or waits for it.
        """
        me = get_ident()
        if self._line and any(owner == me for _, owner in self._line[:]):
            raise RuntimeError(
                "a command was executed from within another one of the same session (by a signal "
                "handler or a hangup callback); AGI runs one at a time"
            )
        gates: list[LockType] = []
        place = (gates, me)
        line = self._line
        try:
            line.append(place)
            if line[0] is place:
                return True
            gate = allocate_lock()
            gate.acquire()
            # Before it looks again who is the first: whoever leaves after that opens it.
            gates.append(gate)
            until = None if timeout is None else monotonic() + min(timeout, TIMEOUT_MAX / 2)
            while self._line[0] is not place:
                wait = -1 if until is None else until - monotonic()
                if until is not None and wait <= 0:
                    self._leave(place)
                    return False
                gate.acquire(timeout=wait)
        except BaseException:
            self._leave(place)
            raise
        return True

    def take_if_free(self) -> bool:
        """Take the turn if nobody has it."""
        return not self._line and self.take(0)

    def give(self) -> None:
        """End the turn: the next in line has it."""
        line = self._line
        try:
            del line[0]
        finally:
            # Even if an interrupt came just now.
            if line:
                self._wake_first()

    def _leave(self, place: "Place") -> None:
        try:
            if place in self._line:
                self._line.remove(place)
        finally:
            self._wake_first()

    def _wake_first(self) -> None:
        """Open the gate of the first; doing so once too often does no harm."""
        try:  # noqa: SIM105 - contextlib costs a script's start
            self._line[0][0][0].release()
        except (IndexError, RuntimeError):
            pass  # there is none, or it does not sleep


class Session:
    """One call, steered over AGI or FastAGI; `AGI` and `FastAGI` say over what.

    A session may be shared by threads: their commands are sent one at a time, in the order of the
    calls.

    Attributes:
        on_command: Called with each command that has ended, in the thread that executed it; what it
            raises is logged. None for nothing.
        trace: Called with each piece of the dialogue, and whether it was sent; None for nothing.
    """

    on_command: "Callable[[CommandEvent], object] | None" = None
    trace: "Callable[[bool, bytes], object] | None" = None

    #: Gives the present moment, on the clock that deadlines are on.
    _clock: "Callable[[], float]" = staticmethod(monotonic)

    #: Whether something may have arrived between commands: a notice, or the answer to a stray.
    _listens = True

    def __init__(
        self,
        protocol: "Protocol",
        timeout: "float | timedelta | None",
        handshake: "float | None",
        debug: bool,
        received: bytes = b"",
    ) -> None:
        self._protocol = protocol
        self._timeout = in_seconds(timeout)
        self._turn = Turn()
        if debug:
            self.trace = show
        self._progress: list[int] = []
        self._closed = False
        self._environment: Environment | None = None
        try:
            if received:
                protocol.now = monotonic()
                self._variables = protocol.started(received)
            else:
                self._variables = self._drive(
                    protocol.start(None if handshake is None else self._clock() + handshake)
                )
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def execute(
        self, action: "Action[R]", *, timeout: "float | timedelta | EllipsisType | None" = ...
    ) -> "R":
        """Execute one action and give what it reports.

        Args:
            action: What to do; the same action may be executed any number of times.
            timeout: Seconds (or a `timedelta`) until the command is abandoned; None waits as long
                as it takes. Without it the session's own deadline counts. The wait for another
                thread's command is part of it.

        Raises:
            AGIHangup: The call is over, and the command needs a live channel.
            AGIAppError: Asterisk tried and failed.
            AGITimeoutError: The deadline passed. The session stays usable.
            AGIError: Anything else that went wrong; see `pystrix_typed.agi.exceptions`.
            ValueError: The command line is longer than what this Asterisk reads. Nothing was sent.
        """
        protocol, turn, on_command = self._protocol, self._turn, self.on_command
        if on_command is not None:
            # What a command that sends nothing must not be taken to have got.
            protocol.reply = None
        began = self._clock()
        limit = self._timeout if timeout is ... else in_seconds(timeout)
        deadline = None if limit is None else began + limit
        try:
            if not turn.take(limit):
                raise agi.AGITimeoutError(
                    f"{action.command} was not sent before the deadline: another command is "
                    f"running",
                    action=action,
                )
            try:
                if self._listens and self._has_arrived():
                    self._listen()
                # Most commands are one line and one answer; the others go on from where that ended.
                line = protocol.begin(action)
                if line:
                    self._write(line)
                    got = self._read(deadline)
                    protocol.now = self._clock()
                    concluded = protocol.conclude(action, got)
                    if concluded is None:
                        result = self._drive(protocol.finish(action, got, deadline))
                    else:
                        result = concluded[0]
                else:
                    result = self._drive(protocol.execute(action, deadline))
            except BaseException:
                self._abandon()
                raise
            finally:
                turn.give()
        except BaseException as error:
            if on_command is not None:
                seconds = self._clock() - began
                agi.observing.tell_command(on_command, action, protocol.reply, seconds, None, error)
            raise
        if on_command is not None:
            seconds = self._clock() - began
            agi.observing.tell_command(on_command, action, protocol.reply, seconds, result)
        return result

    @property
    def environment(self) -> "Environment":
        """The variables that Asterisk sent at the start, typed."""
        if self._environment is None:
            from pystrix_typed.agi.core.environment import Environment

            self._environment = Environment(self._variables)
        return self._environment

    @property
    def asterisk_version(self) -> "tuple[int, ...]":
        """The numbers of Asterisk's version, to compare: ``(22, 10, 1)``; () when it told none."""
        return self._protocol.asterisk_version

    def get_environment(self) -> "dict[str, str]":
        """Give a copy of the ``agi_*`` variables, as Asterisk sent them."""
        return dict(self._variables)

    @property
    def hung_up(self) -> bool:
        """Whether the call is known to be over.

        Looks at what Asterisk has already said, and asks nothing.
        """
        if self._protocol.hangup is None and not self._closed and self._turn.take_if_free():
            try:
                self._listen()
            finally:
                self._turn.give()
        return self._protocol.hangup is not None

    def on_hangup(self, callback: "Callable[[], object]") -> None:
        """Call `callback` once when the call is found to be over; at once if it already is.

        It runs where the session learns of it: in the thread that is executing a command, or in
        the signal handler of an `AGI`. It must not execute actions. An exception that it raises is
        shown on stderr and changes nothing, unless it is one that ends programs, such as
        `SystemExit`.
        """
        protocol = self._protocol
        protocol.on_hangup.append(guarded(callback))
        # The hangup may have come a moment before, in another thread or in a signal handler.
        if protocol.hangup is not None:
            protocol.note_hangup()

    @property
    def idle_since(self) -> "float | None":
        """When the last command ended, on `time.monotonic`'s clock; None while one is under way."""
        return None if self._turn.taken else self._protocol.now

    def close(self, why: str = "the session was closed") -> None:
        """End the session: Asterisk goes on with the dialplan. Closing twice does no harm.

        Args:
            why: What a later command's `AGIClosedError` says.
        """
        if not self._closed:
            self._closed = True
            self._protocol.close(why)
            self._disconnect()

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    # ---- the driver ----

    def _has_arrived(self) -> bool:
        """Tell whether something may have arrived since the last command."""
        return True

    def _listen(self) -> None:
        """Take what has arrived since the last command: a notice, the end, or a stray."""
        if not self._protocol.closed:
            data = self._arrived()
            if data is not None:
                self._protocol.received(data)

    def _arrived(self) -> "bytes | None":
        """Give what has arrived already, without waiting."""
        return self._read(0)

    def _drive(self, steps: "Exchange[R]") -> "R":
        """Run one exchange."""
        protocol = self._protocol
        protocol.now = self._clock()
        try:
            data, until = next(steps)
            while True:
                if data:
                    self._write(data)
                came = self._read(until)
                protocol.now = self._clock()
                data, until = steps.send(came)
        except StopIteration as end:
            result: R = end.value
            return result

    def _abandon(self) -> None:
        """Leave the exchange that is under way; harmless when none is."""
        fence = self._protocol.abandon(self._clock())
        if fence:
            self._write(fence)

    def _write(self, data: bytes) -> None:
        """Write all of it; a connection that is gone is found out by the read that follows."""
        if self.trace is not None:
            self.trace(True, data)
        progress = self._progress
        progress.clear()
        size = len(data)
        gone = False
        try:
            # Writing and counting are one call into C: no interrupt comes in between, so that it is
            # known afterwards whether the line went out.
            progress.extend(self._send(data))
            if progress[0] != size:
                while (sent := sum(progress)) < size:
                    progress.extend(self._send(data[sent:]))
        except OSError:
            gone = True
        finally:
            if gone or not progress or progress[0] == size or sum(progress) == size:
                self._protocol.sending = False

    def _read(self, until: "float | None") -> "bytes | None":
        """Give what comes, ``b""`` at the end of the stream, None when the moment passed."""
        if until is not None and not _readable(self._fileno(), until):
            return None
        try:
            data = self._receive()
        except OSError:
            # Reset, timed out, unreachable; or closed by another thread.
            data = b""
        if self.trace is not None:
            self.trace(False, data)
        return data

    def _send(self, data: bytes) -> "Iterable[int]":
        """Give what writes, when it is asked for its one item: the number of bytes written."""
        raise NotImplementedError  # abstract

    def _receive(self) -> bytes:
        raise NotImplementedError  # abstract

    def _fileno(self) -> int:
        raise NotImplementedError  # abstract

    def _disconnect(self) -> None:
        raise NotImplementedError  # abstract


def show(sent: bool, data: bytes) -> None:
    """Show a piece of the dialogue on stderr, line by line."""
    mark = ">>" if sent else "<<"
    lines = data.decode("utf-8", "backslashreplace").splitlines()
    sys.stderr.write("".join([f"{mark} {line}\n" for line in lines]))


def _readable(descriptor: int, until: float) -> bool:
    """Wait until there is something to read, the end included; False when the moment passed."""
    import select

    if descriptor < 0:
        return True  # closed by another thread: reading tells
    if sys.platform != "win32":
        poll = select.poll()  # unlike select, good for any number of descriptors
        poll.register(descriptor, select.POLLIN)
    while True:
        wait = min(max(until - monotonic(), 0.0), _LONGEST_POLL)
        if sys.platform == "win32":
            ready = bool(select.select([descriptor], [], [], wait)[0])
        else:
            # Round up: a wait that ends early would be one more round for nothing.
            ready = bool(poll.poll(-(-wait * 1000 // 1)))
        if ready or until <= monotonic():
            return ready


def guarded(callback: "Callable[[], object]") -> "Callable[[], None]":
    """Make a callback whose exceptions are shown instead of raised into the session."""

    def call() -> None:
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - it is shown
            sys.__excepthook__(type(error), error, error.__traceback__)

    return call
