"""The command line: options, exit statuses, and what it says when it cannot do something."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pystrix_typed

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 60


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


def without(*modules: str) -> str:
    """Give code that runs the command line as if these were not installed."""
    return WITHOUT.replace("{missing}", repr(modules)) + MAIN


def test_version_is_that_of_the_package() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"pystrix-typed {pystrix_typed.__version__}\n")


def test_help_names_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("demo", "generate"):
        assert command in done.stdout


@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["demo", "--nonsense"]])
def test_what_it_does_not_know_is_a_usage_error(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


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
    assert re.fullmatch(r".*install the extra codegen\n", done.stderr)


def test_generate_hands_its_options_on(tmp_path: Path) -> None:
    done = run("generate", "--spec", str(tmp_path / "nowhere"), "--out", str(tmp_path / "made"))
    assert done.returncode != 0
    assert "nowhere" in done.stdout + done.stderr
    assert not (tmp_path / "made").exists()


def test_a_real_asterisk_needs_the_working_tree(tmp_path: Path) -> None:
    # Moved away from the tree: an installed package knows none.
    moved = "import sys, pystrix_typed; pystrix_typed.__file__ = sys.argv.pop()\n"
    away = tmp_path / "lib" / "site-packages" / "pystrix_typed" / "__init__.py"
    done = run("demo", "--asterisk", str(away), code=moved + MAIN, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"pystrix-typed: --asterisk needs .*\n", done.stderr)
