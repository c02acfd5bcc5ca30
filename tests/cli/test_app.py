"""The command line: options, exit statuses, and what it says when it cannot do something."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import pystrix_typed
from pystrix_typed.cli.app import app

LIMIT = 60
COMMANDS = ["demo", "new", "serve", "call", "doctor", "commands", "check", "generate"]


def run(
    *arguments: str, code: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = ["-c", code] if code else ["-m", "pystrix_typed"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        cwd=cwd,
    )


WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name in {missing} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""
MAIN = "from pystrix_typed.cli import main\nraise SystemExit(main())"

#: What a shell puts into the background does not hear of Ctrl-C, and hands that on.
HEARING = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


def without(*modules: str) -> str:
    """Give code that runs the command line as if these were not installed."""
    return WITHOUT.replace("{missing}", repr(modules)) + MAIN


def test_version_is_that_of_the_package() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"pystrix-typed {pystrix_typed.__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_names_the_commands_on_a_line_each(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  ([a-z]+) +\S.*\.$", done.stdout, re.MULTILINE)
    assert listed == COMMANDS
    assert len(app.registered_commands) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_a_pipe_is_plain_and_tells_the_statuses(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert done.stdout.startswith(f"Usage: pystrix-typed {command} ")
    assert "Exit status: 0 " in " ".join(done.stdout.split())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
@pytest.mark.parametrize("plain", [True, False])
def test_on_a_terminal_help_has_colours_unless_they_are_not_wanted(plain: bool) -> None:
    told = on_terminal("--help", environment={"NO_COLOR": "1"} if plain else {})
    assert "Browse and search the AGI commands." in re.sub(r"\x1b\[[\d;]*m", "", told)
    # Bold is no colour.
    assert bool(re.search(r"\x1b\[[\d;]*3\dm", told)) is not plain


def on_terminal(*arguments: str, environment: dict[str, str]) -> str:
    """Give what is printed on a pseudo-terminal."""
    import pty

    ours, theirs = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "pystrix_typed", *arguments],
        stdout=theirs,
        env=inherited | {"TERM": "xterm-256color", "COLUMNS": "90"} | environment,
    ) as process:
        os.close(theirs)
        told = b""
        try:
            while piece := os.read(ours, 65536):
                told += piece
        except OSError:  # Linux's way to say that the other end is closed
            pass
        os.close(ours)
        assert process.wait(LIMIT) == 0
    return told.decode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nonsense"], "no such option: --nonsense; see pystrix-typed --help"),
        (["nonsense"], "no such command 'nonsense'; see pystrix-typed --help"),
        (["demo", "--nonsense"], "no such option: --nonsense; see pystrix-typed demo --help"),
        (["serve"], "missing argument 'MODULE:SERVER'; see pystrix-typed serve --help"),
        (
            ["doctor", "--server"],
            "option '--server' requires an argument; see pystrix-typed doctor --help",
        ),
        (
            ["new", "pbx", "x"],
            "invalid value for 'kind': 'pbx' is not one of .*; see pystrix-typed new --help",
        ),
        (["docter"], r"no such command 'docter'. Did you mean 'doctor'\? See pystrix-typed --help"),
    ],
)
def test_what_it_does_not_know_is_one_line(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"pystrix-typed: {told}\n", done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way there")
@pytest.mark.parametrize("arguments", [["demo"], ["commands", "--json"], ["--help"]])
def test_nobody_reads_to_the_end(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pystrix_typed", *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=LIMIT,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", [["commands", "--json"], ["commands", "answer"], ["--help"], ["--version"]]
)
def test_what_cannot_be_written_is_one_line(arguments: list[str], unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pystrix_typed", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            timeout=LIMIT,
            check=False,
        )
    told = "pystrix-typed: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such shell")
@pytest.mark.parametrize(
    ("closed", "arguments", "status"),
    [
        (">&-", "commands answer", 0),
        (">&-", "demo", 0),
        (">&-", "--help", 0),
        ("2>&-", "nonsense", 2),
        ("<&-", "demo >/dev/null", 0),
    ],
)
def test_a_stream_may_be_closed(closed: str, arguments: str, status: int) -> None:
    line = f"{shlex.quote(sys.executable)} -m pystrix_typed {arguments} {closed}"
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_what_the_locale_cannot_say_is_escaped() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pystrix_typed", "commands", "SendText"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"gr\\xfc\\xdfe" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT")
def test_interrupted_it_ends_without_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"agi://127.0.0.1:{server.getsockname()[1]}/"
        with subprocess.Popen(
            [sys.executable, "-c", HEARING + MAIN, "call", url, "--timeout=50"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1)  # it waits for a command now
                process.send_signal(signal.SIGINT)
                _, told = process.communicate(timeout=LIMIT)
    assert (process.returncode, told) == (130, b"")


def test_serve_on_windows_says_that_it_cannot() -> None:
    # As there: signals are missing, not only the name of the system is another one.
    code = """
import signal, sys
import asyncio, multiprocessing, rich.console, subprocess, typer, zoneinfo
for name in ("SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGPIPE"):
    delattr(signal, name) if hasattr(signal, name) else None
import pystrix_typed.cli.run
sys.platform = "win32"
"""
    done = run("serve", "greet", code=code + MAIN)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"pystrix-typed: .*\n", done.stderr)


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extra_one_line_says_how_to_get_it(missing: str) -> None:
    done = run("demo", code=without(missing))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "pystrix-typed needs its extra: pip install 'pystrix-typed[cli]'\n"


@pytest.mark.parametrize("missing", ["jinja2", "yaml"])
def test_generate_without_its_extra_says_how_to_get_it(missing: str) -> None:
    done = run("generate", "--check", code=without(missing))
    assert done.returncode == 2
    assert done.stdout == ""
    needed = r"pystrix-typed: the extra 'codegen' is needed for \w+: "
    assert re.fullmatch(needed + r"pip install 'pystrix-typed\[codegen\]'\n", done.stderr)


def test_generate_hands_its_options_on(tmp_path: Path) -> None:
    done = run("generate", "--spec", str(tmp_path / "nowhere"), "--out", str(tmp_path / "made"))
    assert done.returncode != 0
    assert "nowhere" in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("pystrix-typed: ")
    assert not (tmp_path / "made").exists()


def test_a_real_asterisk_needs_the_working_tree(tmp_path: Path) -> None:
    # Moved away from the tree: an installed package knows none.
    moved = "import sys, pystrix_typed; pystrix_typed.__file__ = sys.argv.pop()\n"
    away = tmp_path / "lib" / "site-packages" / "pystrix_typed" / "__init__.py"
    done = run("demo", "--asterisk", str(away), code=moved + MAIN, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"pystrix-typed: --asterisk needs .*\n", done.stderr)
