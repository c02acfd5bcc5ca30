"""Completion in a shell: the scripts that are shown, and what is offered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli.choices import next_words

if TYPE_CHECKING:
    from pathlib import Path

BASH = shutil.which("bash")
LIMIT = 60

pytestmark = pytest.mark.skipif(BASH is None or sys.platform == "win32", reason="there is no bash")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which the command is on the PATH, with a home of its own."""
    program = tmp_path / "bin" / "pystrix-typed"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom pystrix_typed.cli import main\nraise SystemExit(main())\n"
    )
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(tmp_path)}


def shell(program: str, lines: str, environment: dict[str, str]) -> str:
    # A list of commands, or the shell would become the last one and be found no more.
    done = subprocess.run(
        [program, "-c", f"{lines}\ntrue"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="a process is known by its program elsewhere")
@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("bash", "complete -o default -F _pystrix_typed_completion pystrix-typed\n"),
        ("zsh", "#compdef pystrix-typed\n"),
        ("fish", "complete --command pystrix-typed "),
    ],
)
def test_the_script_for_a_shell_is_shown(
    name: str, mark: str, environment: dict[str, str], tmp_path: Path
) -> None:
    assert BASH
    program = tmp_path / name  # any program that is called so will do
    shutil.copy(BASH, program)
    told = shell(str(program), "pystrix-typed --show-completion", environment)
    assert mark in told
    assert "_PYSTRIX_TYPED_COMPLETE=" in told


def offered(words: str, environment: dict[str, str]) -> list[str]:
    """Give what bash offers for a line, with the cursor at its end."""
    assert BASH
    given = words.split(" ")
    lines = f"""
eval "$(pystrix-typed --show-completion)"
COMP_WORDS=({words}{' ""' if words.endswith(" ") else ""})
COMP_CWORD={len(given) - 1}
_pystrix_typed_completion pystrix-typed
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return shell(BASH, lines, environment).split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("pystrix-typed c", ["call", "commands", "check"]),
        ("pystrix-typed new ", ["agi", "fastagi", "asyncio"]),
        ("pystrix-typed doctor --s", ["--script", "--server"]),
        ("pystrix-typed commands st", ["stream"]),
        ("pystrix-typed commands stream ", ["file"]),
        ("pystrix-typed commands Str", ["StreamFile"]),
        ("pystrix-typed commands stream file ", []),
    ],
)
def test_bash_completes(words: str, found: list[str], environment: dict[str, str]) -> None:
    assert offered(words, environment) == found


def test_it_is_installed(environment: dict[str, str], tmp_path: Path) -> None:
    assert BASH
    told = shell(BASH, "pystrix-typed --install-completion", environment)
    [script] = (tmp_path / ".bash_completions").iterdir()
    assert str(script) in told
    assert "_pystrix_typed_completion" in script.read_text(encoding="utf-8")
    assert str(script) in (tmp_path / ".bashrc").read_text(encoding="utf-8")


def test_words_of_commands() -> None:
    assert list(next_words(["SAY"], "date")) == ["date", "datetime"]
    assert list(next_words(["say", "date"], "")) == []
    assert list(next_words([], "savings")) == []
    assert {"answer", "Answer"} <= set(next_words([], "a"))
