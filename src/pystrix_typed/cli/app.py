"""The commands and their options; what a command does stands in a module of its own.

What keeps a command from working it reports by raising `Problem`, which `run` makes one line of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pystrix_typed import __version__
from pystrix_typed.cli.choices import Kind, LogFormat, LogLevel, next_words
from pystrix_typed.cli.documentation import DEFAULT

__all__ = ["PROGRAM", "app"]


PROGRAM: str = "pystrix-typed"

app: typer.Typer = typer.Typer(
    name=PROGRAM,
    epilog="'pystrix-typed COMMAND --help' explains one. Begin with 'demo', then with 'new'.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _complete_words(context: typer.Context, incomplete: str) -> list[str]:
    given: list[str] = context.params.get("words") or []
    return list(next_words(given, incomplete))


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
    """Typed Asterisk AGI: see a call, begin a call flow, test it, serve it."""


@app.command(short_help="Play an example call, and show what is said in it.")
def demo(
    asterisk: Annotated[
        bool,
        typer.Option(
            "--asterisk",
            help="Put the call through a real Asterisk (needs a checkout, Linux and root).",
        ),
    ] = False,
) -> None:
    """Play an example call, and print what was said and what it became in Python.

    Exit status: 0 it came to its end, 1 it did not, 2 there can be no real Asterisk here.
    """
    from pystrix_typed.cli import demo as module

    module.play(real=asterisk)


@app.command(short_help="Make a project to begin with: a call flow and its tests.")
def new(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="agi: a script that Asterisk starts; fastagi: a server; asyncio: a server, too."
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="Where; new or empty, '.' for here.")
    ],
    name: Annotated[
        str, typer.Option(help="What it is called, if not like the directory: front-desk.")
    ] = "",
    python: Annotated[
        str,
        typer.Option(
            metavar="PATH", help="The Python that runs the script, if not this one (kind agi)."
        ),
    ] = "",
) -> None:
    """Make a project to begin with: a call flow, its tests, and the lines for the dialplan.

    It passes its own tests, mypy and ruff as it is.

    Exit status: 0 it was made, 1 it could not be written, 2 the name or an option is wrong.
    """
    from pystrix_typed.cli import new as module

    module.new(kind.value, folder, name=name, python=python)


@app.command(short_help="Serve calls with your server, in one process or several.")
def serve(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:SERVER",
            help="The server, or a function that makes one; ':server' may be left out.",
        ),
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The TCP port.")] = 4573,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port.")] = 1,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds that calls have to end when a worker is to.")
    ] = 30.0,
    recycle_after: Annotated[
        int, typer.Option(min=0, help="Calls after which a worker is replaced; 0: never.")
    ] = 0,
    reload: Annotated[
        bool, typer.Option("--reload", help="Restart the workers when a Python file changes.")
    ] = False,
    app_dir: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Where the module is.")
    ] = Path(),
    max_calls: Annotated[
        int | None, typer.Option(min=1, help="Calls at a time, in each worker.")
    ] = None,
    queue: Annotated[
        int | None, typer.Option(min=0, help="Calls beyond them that wait for their turn.")
    ] = None,
    max_handshakes: Annotated[
        int | None, typer.Option(min=1, help="Connections at a time that have said nothing yet.")
    ] = None,
    handshake_timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds for sending the variables; 0: no limit.")
    ] = None,
    max_environment: Annotated[
        int | None, typer.Option(min=1024, help="Bytes that the variables may take.")
    ] = None,
    max_reply: Annotated[
        int | None, typer.Option(min=1024, help="Bytes that one reply may take.")
    ] = None,
    idle_timeout: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds without a command after which a call ends; 0: never."),
    ] = None,
    command_timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds that a command may take; 0: no limit.")
    ] = None,
    keepalive: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds of silence until TCP looks for the peer; 0: never."),
    ] = None,
    backlog: Annotated[
        int, typer.Option(min=1, help="Connections that wait to be accepted.")
    ] = 1024,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Who may connect (10.0.0.0/8); may be repeated."),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Balancers that send a PROXY header; repeatable."),
    ] = None,
    health: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve /healthz and /readyz over HTTP there.")
    ] = "",
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Serve /metrics there, too (extra 'metrics').")
    ] = False,
    uvloop: Annotated[
        bool, typer.Option("--uvloop", help="Run an asyncio server on uvloop (extra 'uvloop').")
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="Lines for people, or a JSON object per line.")
    ] = LogFormat.TEXT,
    log_level: Annotated[
        LogLevel, typer.Option(help="The lowest level that is shown.")
    ] = LogLevel.INFO,
    trace: Annotated[
        bool,
        typer.Option("--trace", help="Log what is said in each call, but for what callers key in."),
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record each call there, to be replayed as a test."),
    ] = None,
) -> None:
    """Serve calls with your FastAGIServer, blocking or asyncio, in one process or several.

    Limits that are not given here are those of the server in the program; its address is not used.
    SIGTERM and SIGINT let the calls end first, a second one does not; SIGHUP restarts the workers
    one by one, with new code, without losing a call; SIGTTIN and SIGTTOU make it one worker more or
    less. Under systemd it takes a socket that is handed over, and says when it is ready.

    Exit status: 0 ended as asked, 1 could not begin, 2 wrong options.
    """
    from pystrix_typed.cli import serve as module

    service = module.Service(
        target=target,
        folder=app_dir,
        host=host,
        port=port,
        workers=workers,
        drain=drain,
        recycle_after=recycle_after,
        reload=reload,
        uvloop=uvloop,
        max_calls=max_calls,
        queue=queue,
        max_handshakes=max_handshakes,
        handshake_timeout=handshake_timeout,
        max_environment=max_environment,
        max_reply=max_reply,
        idle_timeout=idle_timeout,
        command_timeout=command_timeout,
        keepalive=keepalive,
        backlog=backlog,
        allow=allow or (),
        proxy=proxy or (),
        health=health,
        metrics=metrics,
        log_format=log_format.value,
        log_level=log_level.value,
        trace=trace,
        record=record,
    )
    raise typer.Exit(module.serve(service))


@app.command(short_help="Call a FastAGI server as Asterisk does.")
def call(
    url: Annotated[str, typer.Argument(help="Whom to call: agi://host:port/path?query.")],
    press: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEYS", help="Keys to press when the script asks for some; again for each time."
        ),
    ] = None,
    hangup_after: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Hang up then.")
    ] = None,
    steps: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the caller does, a step a line: 'presses 12#'."),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", "-i", help="Press the keys yourself; 'h' hangs up."),
    ] = False,
    caller: Annotated[str, typer.Option(metavar="NUMBER[:NAME]", help="Who calls.")] = "5550123",
    arg: Annotated[
        list[str] | None, typer.Option(help="An argument of AGI(); may be repeated.")
    ] = None,
    var: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A channel variable; may be repeated."),
    ] = None,
    sound: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SECONDS",
            help="A sound file; others are missing then. Without it every name is a short one.",
        ),
    ] = None,
    database: Annotated[
        list[str] | None,
        typer.Option(metavar="FAMILY/KEY=VALUE", help="A row of AstDB; may be repeated."),
    ] = None,
    asterisk: Annotated[
        str, typer.Option(metavar="VERSION", help="Which Asterisk calls.")
    ] = "22.10.1",
    speed: Annotated[
        float,
        typer.Option(min=0, help="Seconds of the call in a real one; 0: it waits for nothing."),
    ] = 0.0,
    timeout: Annotated[
        float, typer.Option(min=0.01, help="Real seconds to wait for a silent server.")
    ] = 10.0,
    repeat: Annotated[int, typer.Option(min=1, help="How many calls to place.")] = 1,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="How many of them at a time.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the dialogue.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the dialogue, to be replayed as a test."),
    ] = None,
) -> None:
    """Call a FastAGI server, in whatever language it is written, as Asterisk does.

    The dialogue is shown: '>' is what the script sends, '<' what Asterisk answers.

    Exit status: 0 the call ended in order, 1 it failed, 2 wrong options, 3 nobody was there.
    """
    from pystrix_typed.cli import call as module

    order = module.Order(
        url=url,
        press=press or (),
        hangup_after=hangup_after,
        steps=steps,
        interactive=interactive,
        caller=caller,
        arguments=arg or (),
        variables=var or (),
        sounds=sound or (),
        database=database or (),
        asterisk=asterisk,
        speed=speed,
        timeout=timeout,
        repeat=max(repeat, 1),
        concurrency=concurrency,
        as_json=as_json,
        record=record,
    )
    raise typer.Exit(module.place(order))


@app.command(short_help="Say what keeps calls from working here, and what to do.")
def doctor(
    asterisk_config: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="asterisk.conf or its folder, if not the usual one."),
    ] = None,
    script: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="An AGI script to look at; may be repeated."),
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A server to call: agi://host:port/path; repeatable."),
    ] = None,
    through_asterisk: Annotated[
        bool,
        typer.Option("--through-asterisk", help="Have the running Asterisk call the servers, too."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of lines.")
    ] = False,
) -> None:
    """Look for what keeps calls from working on this machine, and say what to do about it.

    It looks at Python, at Asterisk and its folder for scripts, at scripts, and at servers. A server
    gets one call, whose caller hangs up at its first command, and with --through-asterisk a second
    one, on a dead channel. Run it as root to find out what Asterisk's user may do.

    Exit status: 0 there is no problem, 1 there is one, 2 an option is wrong.
    """
    from pystrix_typed.cli import doctor as module

    status = module.doctor(
        config=asterisk_config,
        scripts=script or (),
        servers=server or (),
        through=through_asterisk,
        as_json=as_json,
    )
    raise typer.Exit(status)


@app.command(short_help="Browse and search the AGI commands.")
def commands(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS",
            help="A command, a class, or words to search for.",
            autocompletion=_complete_words,
        ),
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


@app.command(short_help="Compare the AGI commands with those of your Asterisk.")
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


@app.command(short_help="Generate action classes from a spec of your own.")
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
    """Generate action classes from a spec (needs the extra 'codegen').

    Exit status: 0 done, or nothing would change, 1 something would, 2 the spec or place is wrong.
    """
    from pystrix_typed.cli import generate as module

    raise typer.Exit(module.generate(check=check, spec=spec, out=out))
