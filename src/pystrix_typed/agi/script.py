"""`AGI`, the session of a script that Asterisk starts, and what surrounds it.

That is its descriptors, SIGHUP, forks, and its end.

Asterisk talks to a script over the descriptors that every program takes for its own: what it
prints is a command, and what it reads is a reply. Here they are put out of the way. And Asterisk
rarely shows a script's stderr to anyone, so an exception that ends the script is told on the
console as well (`pystrix_typed.agi.last_words`).
"""

# Whether a command is under way is the protocol's affair, and this module's.
# pyright: reportPrivateUsage=false
import os
import sys

from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.session import CHUNK, Session, Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta
    from types import FrameType, TracebackType
    from typing import TextIO

__all__ = ["AGI", "Script", "greet", "private", "shield", "take_sighup", "write_at_once"]

_scripts: "list[Script]" = []
_at_exit = False
_previous_hook: "Callable[[type[BaseException], BaseException, TracebackType | None], object]"
_previous_hook = sys.__excepthook__
_hooked = False


# ---- descriptors ----


def private(descriptor: int) -> int:
    """Duplicate a descriptor for this process alone: no program that it starts inherits it."""
    copy = os.dup(descriptor)
    if copy > 2:
        return copy
    # A standard descriptor was closed. What gets printed there must not reach Asterisk.
    try:
        return private(descriptor)
    finally:
        os.close(copy)


def shield(stdin: int, stdout: int) -> None:
    """Point the program's stdin at nothing and its stdout at stderr."""
    _point(stdin, os.O_RDONLY)
    try:
        os.dup2(2, stdout)
    except OSError:
        # There is no stderr, so nobody would read it; and no file that is opened later may take
        # its number.
        _point(2, os.O_WRONLY)
        os.dup2(2, stdout)


def _point(descriptor: int, mode: int) -> None:
    """Point a descriptor at nothing."""
    nothing = os.open(os.devnull, mode)
    if nothing == descriptor:
        os.set_inheritable(descriptor, True)
        return
    try:
        os.dup2(nothing, descriptor)
    finally:
        os.close(nothing)


def write_at_once(descriptor: int, line: bytes) -> None:
    """Write a short line, or drop it if that would have to wait or nobody reads any more."""
    try:
        blocking = os.get_blocking(descriptor)
        os.set_blocking(descriptor, False)
        try:
            os.write(descriptor, line)
        finally:
            os.set_blocking(descriptor, blocking)
    except OSError:
        return


def greet(descriptor: int) -> bool:
    """Tell somebody who started the script by hand what it waits for; tell whether that is so."""
    if not os.isatty(descriptor):
        return False
    from pystrix_typed.agi.last_words import say, script_name

    say(
        f"{script_name()}: Asterisk starts this script, with AGI() in the dialplan; to play its "
        f"part, type lines like 'agi_channel: test', then an empty one"
    )
    return True


def _flush_quietly() -> None:
    """Flush at exit what was printed; where nobody reads it any more, drop it without a word.

    Otherwise Python would complain and make the exit status 120, and Asterisk would take a call
    that went well for a FAILURE.
    """
    _flush(sys.stdout)
    _flush(sys.stderr)


def _flush(stream: "TextIO | None") -> None:
    if stream is not None:
        try:
            stream.flush()
        except (OSError, ValueError):
            try:
                _point(stream.fileno(), os.O_WRONLY)
            except (OSError, ValueError):
                return


# ---- the hangup signal ----


def take_sighup(protocol: "Protocol") -> "Callable[[], None]":
    """Take SIGHUP as notice of the hangup, where signals can be handled; give what hands it back.

    What hands it back puts back what was there, unless that was the default: it would kill the
    process.
    """
    # The module behind signal: signal itself imports enum, which costs a script's start.
    if TYPE_CHECKING:
        import signal as signals
    else:
        import _signal as signals
    if not hasattr(signals, "SIGHUP"):
        return _nothing  # Windows
    previous = signals.getsignal(signals.SIGHUP)

    def hang_up(number: int, frame: "FrameType | None") -> None:
        protocol.note_hangup()
        if callable(previous):
            previous(number, frame)

    def hand_back() -> None:
        if previous not in (None, signals.SIG_DFL):
            try:
                signals.signal(signals.SIGHUP, previous)
            except ValueError:
                return  # closed by another thread than the one that opened it

    try:
        signals.signal(signals.SIGHUP, hang_up)
    except ValueError:
        return _nothing  # not the main thread
    return hand_back


def _nothing() -> None:
    """Hand back nothing, where nothing was taken."""


# ---- one session ----


class Script:
    """What surrounds one session, from its start to its end.

    Args:
        protocol: The session's state.
        tell: Writes a line to Asterisk without waiting for anything.
        forget: Closes the session in a process that was forked from the script: its copies of the
            descriptors would keep Asterisk waiting, and two processes cannot share a dialogue.
        handle_sighup: Take SIGHUP as notice of the hangup.
        report_errors: Tell Asterisk of an exception that ends the script.
    """

    def __init__(
        self,
        protocol: "Protocol",
        tell: "Callable[[bytes], object]",
        forget: "Callable[[], object]",
        *,
        handle_sighup: bool,
        report_errors: bool,
    ) -> None:
        self._protocol = protocol
        self._tell = tell
        self._forget = forget
        self._report_errors = report_errors
        self._hand_back = take_sighup(protocol) if handle_sighup else _nothing
        self._hung_up = False
        _scripts.append(self)
        _hook()

    def report(self, error: "BaseException | None") -> None:
        """Tell Asterisk of an exception that ends the session, and with that end it.

        The line is written and its answer not awaited, so this takes no time. Asterisk gets to it
        even if a command that was abandoned still runs: what lies in the pipe stays there.
        """
        if error is None:
            return
        from pystrix_typed.agi.last_words import is_hangup, report_line

        protocol = self._protocol
        if is_hangup(error):
            self._hung_up = True
        elif (
            self._report_errors
            and isinstance(error, Exception)
            and self in _scripts
            # Losing step for good is no hindrance, but what was written must be whole lines.
            and not protocol._ended
            and not protocol.sending
            and protocol._in_flight is None  # of another thread
        ):
            protocol.close("an exception ended the script")
            self._tell(report_line(error))

    def leave(self) -> None:
        """End it all, but for what a hangup that now ends the script has to be spared."""
        global _hooked  # noqa: PLW0603 - there is one sys.excepthook
        if self not in _scripts:
            return
        _scripts.remove(self)
        self._hand_back()
        if not _scripts and not self._hung_up and sys.excepthook is _uncaught:
            sys.excepthook = _previous_hook
            _hooked = False

    def forked(self) -> None:
        """Leave the call to the process that has it."""
        self._protocol.close("this process was forked, and the call stays with the other one")
        self._forget()


def _hook() -> None:
    """See to the exit, to forks and to uncaught exceptions."""
    global _at_exit, _hooked, _previous_hook  # noqa: PLW0603 - a process has one of each
    if not _at_exit:
        _at_exit = True
        import atexit

        atexit.register(_flush_quietly)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forked)
    if not _hooked:
        _hooked = True
        _previous_hook = sys.excepthook
        sys.excepthook = _uncaught


def _forked() -> None:
    for script in _scripts[:]:
        script.forked()


def _uncaught(
    kind: "type[BaseException]", error: "BaseException", traceback: "TracebackType | None"
) -> None:
    """Stand in for `sys.excepthook`."""
    from pystrix_typed.agi.last_words import is_hangup, say, summary

    for script in _scripts[:]:
        script.report(error)
    if is_hangup(error) and _previous_hook is sys.__excepthook__:
        say(summary(error))
    else:
        _previous_hook(kind, error, traceback)


class AGI(Session):
    """The session of a script that Asterisk started: over stdin and stdout.

    The variables are read at once. From then on what the program prints goes to stderr, so that a
    stray ``print`` does not reach Asterisk as a command, and standard input is empty, so that a
    subprocess does not steal replies. A process forked from the script (`os.fork`,
    `multiprocessing`) has no part in the call: there every command raises `AGIClosedError`.

    Asterisk sends SIGHUP when the call is over. The session takes it as notice and no more; a
    handler of yours that was there before is called too. After the session it is handed back if
    there was one; otherwise a late SIGHUP stays harmless to the work after the call. A script that
    has closed its session still pins the channel until it exits.

    An exception that leaves the ``with`` block, or the script, ends the session: one line on
    Asterisk's console names script, exception and place, because few look at a script's stderr,
    where the traceback goes as usual. Python then exits with status 1, which makes ``AGISTATUS``
    FAILURE. An `AGIHangup` that leaves the script is no failure but how most calls end: one line
    on stderr instead of a traceback, and ``AGISTATUS`` is HANGUP whatever the script does.

    Args:
        debug: Write the dialogue to stderr.
        timeout: The deadline of a command in seconds (or a `timedelta`), unless `execute` names
            another; None for none.
        handshake_timeout: Seconds to wait for the variables at the start, which Asterisk sends at
            once; None waits as long as it takes.
        resync_timeout: Seconds that an abandoned command may take to end before the session is
            given up.
        verify_values: Ask Asterisk to prove the end of every value, at one round trip each: for
            those who read what strangers wrote, from a peer that may write it in pieces.
        redirect_stdout: Send what the program prints to stderr.
        handle_sighup: Take SIGHUP as notice of the hangup. Signals can only be handled in the main
            thread; elsewhere, and on Windows, this does nothing.
        report_errors: Tell Asterisk's console of an exception that ends the session.
        stdin: The descriptor to read from.
        stdout: The descriptor to write to.

    Raises:
        AGITimeoutError: No variables came in time: the script was not started by Asterisk. On a
            terminal this waits as long as it takes to type them.
        AGIProtocolError: What came is not AGI.
        AGISIGPIPEHangup: The input ended before the variables did.
    """

    def __init__(
        self,
        debug: bool = False,
        *,
        timeout: "float | timedelta | None" = None,
        handshake_timeout: "float | None" = None,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        redirect_stdout: bool = True,
        handle_sighup: bool = True,
        report_errors: bool = True,
        stdin: int = 0,
        stdout: int = 1,
    ) -> None:
        self._input = private(stdin)
        self._output = private(stdout)
        if redirect_stdout:
            shield(stdin, stdout)
            # Nothing but our commands reaches Asterisk, and a hangup comes as a signal.
            self._listens = False
        if greet(self._input):
            handshake_timeout = None
        protocol = Protocol(resync_timeout=resync_timeout, verify_values=verify_values)
        self._script = Script(
            protocol,
            lambda line: write_at_once(self._output, line),
            self._forget,
            handle_sighup=handle_sighup,
            report_errors=report_errors,
        )
        super().__init__(protocol, timeout, handshake_timeout, debug)

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        self._script.report(error)
        self.close()

    def _disconnect(self) -> None:
        # Another thread may still be at it, and the numbers may soon be those of other files.
        reader, writer = self._input, self._output
        self._input = self._output = -1
        os.close(reader)
        os.close(writer)
        self._script.leave()

    def _forget(self) -> None:
        """Close the session in a forked process, where another thread's turn would never end."""
        self._turn = Turn()
        self.close()

    def _send(self, data: bytes) -> "Iterable[int]":
        return map(os.write, (self._output,), (data,))

    def _receive(self) -> bytes:
        return os.read(self._input, CHUNK)

    def _fileno(self) -> int:
        return self._input
