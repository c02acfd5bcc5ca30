"""Running the command line: whatever goes wrong is one line that says what to do, and a status."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pystrix_typed.cli.app import PROGRAM, app
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["run"]

#: What Typer raises for a wrong option; where that is to be had from differs between its versions.
_WRONG: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
_INTERRUPTED = 130


def run() -> int:
    """Run the command line; give the exit status."""
    _prepare_streams()
    if not sys.stdout.isatty():
        app.rich_markup_mode = None  # help without frames
    status = _done()
    try:
        sys.stdout.flush()
    except OSError as error:
        status = _unwritten(error)
    return status


def _done() -> int:
    try:
        # The same name in the help and for a shell that completes, however it was started.
        status: object = app(sys.argv[1:] or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except Problem as problem:
        print(f"{PROGRAM}: {problem}", file=sys.stderr)
        return problem.status
    except _WRONG as error:
        print(f"{PROGRAM}: {_explained(error)}", file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except OSError as error:
        return _unwritten(error)
    return status if isinstance(status, int) else 0


def _unwritten(error: OSError) -> int:
    """Say that the output could not be written, as on a full disk."""
    # What is still kept back cannot be written at the end either.
    sys.stdout = _nowhere()
    if not isinstance(error, BrokenPipeError):
        where = f"{error.filename}: " if error.filename else "the output cannot be written: "
        print(f"{PROGRAM}: {where}{error.strerror or error}", file=sys.stderr)
    return 1


def _prepare_streams() -> None:
    """See to it that whatever is printed can be printed."""
    given: tuple[TextIO | None, TextIO | None] = sys.stdout, sys.stderr
    # None when a shell closed them (`>&-`); print() takes None for stdout.
    sys.stdout, sys.stderr = [stream or _nowhere() for stream in given]
    # The encoding of the locale may be ASCII. A stream that a test put there has no such method.
    reconfigure: Callable[..., None] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _explained(error: Exception) -> str:
    """Give a wrong option as one line, with the help that explains the right ones."""
    explain: Callable[[], str] = getattr(error, "format_message", error.__str__)
    text = " ".join(explain().split()).removesuffix(".").replace(": Value error, ", ": ")
    # An option that lacks its value does not say whose it is.
    named = sys.argv[1:2] if sys.argv[-1:] != sys.argv[1:2] else []
    command: str = getattr(getattr(error, "ctx", None), "command_path", " ".join([PROGRAM, *named]))
    text = f"{text[:1].lower()}{text[1:]}"
    return f"{text} See {command} --help" if text.endswith("?") else f"{text}; see {command} --help"
