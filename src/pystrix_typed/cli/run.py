"""Running the command line: whatever goes wrong is one line that says what to do, and a status."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from pystrix_typed.cli.app import PROGRAM, app
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]

#: What Typer raises for a wrong option; where that is to be had from differs between its versions.
_WRONG: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
_INTERRUPTED = 130


def run() -> int:
    """Run the command line; give the exit status."""
    if not sys.stdout.isatty():
        app.rich_markup_mode = None  # help without frames
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
    return status if isinstance(status, int) else 0


def _explained(error: Exception) -> str:
    """Give a wrong option as one line, with the help that explains the right ones."""
    explain: Callable[[], str] = getattr(error, "format_message", error.__str__)
    text = " ".join(explain().split()).removesuffix(".")
    # An option that lacks its value does not say whose it is.
    named = sys.argv[1:2] if sys.argv[-1:] != sys.argv[1:2] else []
    command: str = getattr(getattr(error, "ctx", None), "command_path", " ".join([PROGRAM, *named]))
    return f"{text[:1].lower()}{text[1:]}; see {command} --help"
