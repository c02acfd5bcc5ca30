"""What surrounds a script that Asterisk starts: its descriptors, SIGHUP, forks, and its last words.

Asterisk talks to a script over the descriptors that every program takes for its own: what it
prints is a command, and what it reads is a reply. Here they are put out of the way. And Asterisk
rarely shows a script's stderr to anyone, so an exception that ends the script is told on the
console as well.
"""

from __future__ import annotations

# Whether a command is under way is the protocol's affair, and this module's.
# pyright: reportPrivateUsage=false
import os
import sys

from pystrix_typed import agi
from pystrix_typed.agi.wire import encode, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import TextIO

    from pystrix_typed.agi.protocol import Protocol

__all__ = ["Script", "Sighup", "greet", "private", "shield", "write_at_once"]

#: Characters of a report: Asterisk before 22.6 cuts a command at 2047 bytes, and a character may
#: take four.
_REPORT = 400
_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib costs a script's start

_scripts: list[Script] = []
_at_exit = False
_previous_hook: Callable[[type[BaseException], BaseException, TracebackType | None], object]
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
    _say(
        f"{_name()}: Asterisk starts this script, with AGI() in the dialplan; to play its part, "
        f"type lines like 'agi_channel: test', then an empty one"
    )
    return True


def _say(line: str) -> None:
    """Write a line to stderr, if there is one."""
    stderr: TextIO | None = sys.__stderr__
    if stderr is not None:
        try:
            stderr.write(f"{line}\n")
            stderr.flush()
        except (OSError, ValueError):
            return


def _flush_quietly() -> None:
    """Flush at exit what was printed; where nobody reads it any more, drop it without a word.

    Otherwise Python would complain and make the exit status 120, and Asterisk would take a call
    that went well for a FAILURE.
    """
    _flush(sys.stdout)
    _flush(sys.stderr)


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        try:
            stream.flush()
        except (OSError, ValueError):
            try:
                _point(stream.fileno(), os.O_WRONLY)
            except (OSError, ValueError):
                return


# ---- the hangup signal ----


class Sighup:
    """Takes SIGHUP as notice of the hangup, where signals can be handled."""

    def __init__(self, protocol: Protocol) -> None:
        # The module behind signal: signal itself imports enum, which costs a script's start.
        if TYPE_CHECKING:
            import signal as signals
        else:
            import _signal as signals
        self._signals = signals
        self._installed = False
        if not hasattr(signals, "SIGHUP"):
            return  # Windows
        previous = self._previous = signals.getsignal(signals.SIGHUP)

        def hang_up(number: int, frame: FrameType | None) -> None:
            protocol.note_hangup()
            if callable(previous):
                previous(number, frame)

        try:
            signals.signal(signals.SIGHUP, hang_up)
        except ValueError:
            return  # not the main thread
        self._installed = True

    def hand_back(self) -> None:
        """Put back what was there, unless it was the default: that would kill the process."""
        signals = self._signals
        if self._installed and self._previous not in (None, signals.SIG_DFL):
            try:
                signals.signal(signals.SIGHUP, self._previous)
            except ValueError:
                return  # closed by another thread than the one that opened it


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
        protocol: Protocol,
        tell: Callable[[bytes], object],
        forget: Callable[[], object],
        *,
        handle_sighup: bool,
        report_errors: bool,
    ) -> None:
        self._protocol = protocol
        self._tell = tell
        self._forget = forget
        self._report_errors = report_errors
        self._sighup = Sighup(protocol) if handle_sighup else None
        self._hung_up = False
        _scripts.append(self)
        _hook()

    def report(self, error: BaseException | None) -> None:
        """Tell Asterisk of an exception that ends the session, and with that end it.

        The line is written and its answer not awaited, so this takes no time. Asterisk gets to it
        even if a command that was abandoned still runs: what lies in the pipe stays there.
        """
        protocol = self._protocol
        if error is not None and is_hangup(error):
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
            self._tell(encode("VERBOSE", (text(summary(error)),)))

    def leave(self) -> None:
        """End it all, but for what a hangup that now ends the script has to be spared."""
        global _hooked  # noqa: PLW0603 - there is one sys.excepthook
        if self not in _scripts:
            return
        _scripts.remove(self)
        if self._sighup is not None:
            self._sighup.hand_back()
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
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Stand in for `sys.excepthook`."""
    for script in _scripts[:]:
        script.report(error)
    if is_hangup(error) and _previous_hook is sys.__excepthook__:
        _say(summary(error))
    else:
        _previous_hook(kind, error, traceback)


def is_hangup(error: BaseException) -> bool:
    """Tell whether an exception says that the call is over, and nothing else."""
    return all(isinstance(single, agi.AGIHangup) for single in _singles(error))


def _singles(error: BaseException) -> list[BaseException]:
    """Give the exceptions of a group, those of the groups in it included, or the one itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group: BaseExceptionGroup[BaseException] = error  # pyright: ignore[reportUnknownVariableType]
    return [single for member in group.exceptions for single in _singles(member)]


def summary(error: BaseException) -> str:
    """Put an exception in one line: ``menu.py: KeyError: 'pin' (accounts.py:12)``."""
    error = _singles(error)[0]
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a report must not fail for what it reports
        message = "(no message)"
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        folder, file = os.path.split(traceback.tb_frame.f_code.co_filename)
        if not folder.startswith(_PACKAGE):
            place = f" ({file}:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    line = f"{_name()}: {type(error).__name__}{': ' if message else ''}{message}"
    line = "".join([character if character.isprintable() else " " for character in line])
    if len(line) > _REPORT:
        line = line[: _REPORT - 3] + "..."
    return line + place


def _name() -> str:
    """Give the script's name."""
    return os.path.basename(sys.argv[0]) or "the script"  # noqa: PTH119 - as above
