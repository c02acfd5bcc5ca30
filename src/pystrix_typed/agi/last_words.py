"""What a script says when an exception ends it, in one line: loaded when one does."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pystrix_typed.agi.exceptions import AGIHangup
from pystrix_typed.agi.wire import encode, text

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["is_hangup", "report_line", "say", "script_name", "summary"]

#: Characters of a report: Asterisk before 22.6 cuts a command at 2047 bytes, and a character may
#: take four.
_REPORT = 400
_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - compared with the path of a frame's file


def say(line: str) -> None:
    """Write a line to stderr, if there is one."""
    stderr: TextIO | None = sys.__stderr__
    if stderr is not None:
        try:
            stderr.write(f"{line}\n")
            stderr.flush()
        except (OSError, ValueError):
            return


def is_hangup(error: BaseException) -> bool:
    """Tell whether an exception says that the call is over, and nothing else."""
    return all(isinstance(single, AGIHangup) for single in _singles(error))


def _singles(error: BaseException) -> list[BaseException]:
    """Give the exceptions of a group, those of the groups in it included, or the one itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    # What it is a group of is lost to the checker.
    group: BaseExceptionGroup[BaseException] = error  # pyright: ignore[reportUnknownVariableType]
    return [single for member in group.exceptions for single in _singles(member)]


def report_line(error: BaseException) -> bytes:
    """Give the command that tells Asterisk's console of an exception."""
    return encode("VERBOSE", text(summary(error)))


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
    line = f"{script_name()}: {type(error).__name__}{': ' if message else ''}{message}"
    line = "".join([character if character.isprintable() else " " for character in line])
    if len(line) > _REPORT:
        line = line[: _REPORT - 3] + "..."
    return line + place


def script_name() -> str:
    """Give the script's name."""
    return os.path.basename(sys.argv[0]) or "the script"  # noqa: PTH119 - as above
