"""The commands and their options; what a command does stands in a module of its own.

What keeps a command from working it reports by raising `Problem`: one line for people, and no
traceback.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pystrix_typed import __version__
from pystrix_typed.cli.documentation import DEFAULT
from pystrix_typed.cli.problem import Problem

__all__ = ["app", "run"]

app = typer.Typer(
    name="pystrix-typed",
    help="Typed Asterisk AGI.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run() -> int:
    """Run the command line; give the exit status."""
    try:
        app()
    except Problem as problem:
        print(f"pystrix-typed: {problem}", file=sys.stderr)
        return problem.status
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _show_version(asked: bool) -> None:
    if asked:
        print(f"pystrix-typed {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Typed Asterisk AGI."""


@app.command()
def demo(
    asterisk: Annotated[
        bool,
        typer.Option(
            "--asterisk",
            help="Put the call through a real Asterisk (needs a checkout, Linux and root).",
        ),
    ] = False,
) -> None:
    """Play an example call, and print what was said and what it became in Python."""
    from pystrix_typed.cli import demo as module

    module.play(real=asterisk)


@app.command()
def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if anything would change.")
    ] = False,
    spec: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The spec to read: your own commands.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PACKAGE", help="The package folder to write.")
    ] = None,
) -> None:
    """Generate action classes from a spec (needs the extra `codegen`)."""
    from pystrix_typed.cli import generate as module

    raise typer.Exit(module.generate(check=check, spec=spec, out=out))


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The documentation that an Asterisk ships.")
    ] = Path(DEFAULT),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of lines.")
    ] = False,
) -> None:
    """Compare the commands of this package with those that an Asterisk documents.

    Exit status: 0 all as expected, 1 something differs, 2 the documentation cannot be read.
    """
    from pystrix_typed.cli import check as module

    raise typer.Exit(module.check(path, as_json=as_json))


@app.command()
def commands(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="A command, a class, or words to search for."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array of whole entries instead.")
    ] = False,
) -> None:
    """Browse the AGI commands: all of them, one, or those that mention something.

    Exit status: 0 something was found, 1 nothing was.
    """
    from pystrix_typed.cli import commands as module

    module.browse(words or (), as_json=as_json)
