"""``pystrix-typed call`` shows conversations with servers of other libraries, mistakes included.

The libraries are installed for this alone, each in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).parent
LIMIT = 60
CALL = [sys.executable, "-m", "pystrix_typed", "call"]


def environment(folder: Path, library: str) -> Path:
    """Install a library, alone; give its Python."""
    uv = [sys.executable, "-m", "uv"]
    make = [*uv, "venv", "--quiet", "--python", sys.executable, str(folder)]
    subprocess.run(make, check=True, timeout=LIMIT)
    python = folder / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--python", str(python), library]
    subprocess.run(install, check=True, timeout=LIMIT)
    return python


@contextmanager
def serving(folder: Path, library: str) -> Generator[tuple[str, Path], None, None]:
    """Run the library's server; give its address and the file with what its handler got."""
    python, told = environment(folder / "venv", library), folder / "told"
    # pystrix asks sysctl, which lives with the administrator's programs.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    with told.open("w") as errors:
        process = subprocess.Popen(
            [python, HERE / f"server_of_{library}.py"],
            env={"PATH": path},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield f"agi://127.0.0.1:{port}", told
        finally:
            process.kill()
            process.communicate(timeout=LIMIT)


@pytest.fixture(scope="module")
def pystrix(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, Path], None, None]:
    with serving(tmp_path_factory.mktemp("pystrix"), "pystrix") as server:
        yield server


@pytest.fixture(scope="module")
def panoramisk(
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[tuple[str, Path], None, None]:
    with serving(tmp_path_factory.mktemp("panoramisk"), "panoramisk") as server:
        yield server


def call(url: str, *options: str) -> str:
    done = subprocess.run(
        [*CALL, url, *options], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def said(output: str) -> list[str]:
    """Give the lines of the dialogue behind the variables, without what happened besides."""
    lines = [line.strip() for line in output.splitlines()]
    return [line for line in lines[lines.index("<") + 1 :] if line.startswith((">", "<"))]


def got(told: Path) -> dict[str, str]:
    """Give what the handler got in the last call."""
    found: dict[str, str] = {}
    for line in told.read_text().splitlines():
        name, _, value = line.partition(": ")
        found[name] = value
    return found


def answer_to(lines: list[str], command: str) -> str:
    return lines[lines.index(f"> {command}") + 1]


def test_a_server_of_pystrix(pystrix: tuple[str, Path]) -> None:
    url, told = pystrix
    lines = said(call(f"{url}/x", "--press", "12#"))
    # The escape digits are quoted twice, so the key that was pressed ended nothing.
    assert answer_to(lines, 'STREAM FILE "prompt" ""#"" "0"') == "< 200 result=0 endpos=4800"
    # SEND IMAGE is sent as a command that Asterisk does not have.
    assert answer_to(lines, 'SEND FILE "logo"') == "< 510 Invalid or unknown command"
    assert answer_to(lines, 'RECEIVE TEXT "1000"') == "< 200 result=-1"
    assert got(told)["picture"] == "AGIInvalidCommandError"
    assert got(told)["text"] == "'-1'"  # a failure, taken for the text
    assert got(told)["after"] == "AGIDeadChannelError"


def test_a_server_of_panoramisk(panoramisk: tuple[str, Path]) -> None:
    url, told = panoramisk
    lines = said(call(f"{url}/menu", "--press", "#"))
    assert answer_to(lines, 'STREAM FILE "prompt" "#"').startswith("< 200 result=35")
    # Nothing is quoted, so Asterisk finds too many words; and the answer's last line is taken for
    # that to the next command.
    assert answer_to(lines, "SAY ALPHA two words #").startswith("< 520-")
    assert answer_to(lines, "SAY NUMBER 1 #") == "< 200 result=0"
    assert got(told)["SAY NUMBER 1 #"] == "AGIUsageError"


def test_a_hangup_puts_panoramisk_out_of_step(panoramisk: tuple[str, Path]) -> None:
    url, told = panoramisk
    lines = said(call(f"{url}/menu", "--hangup-after", "0.3"))
    assert answer_to(lines, 'STREAM FILE "prompt" "#"').startswith("< 200 result=-1")
    assert answer_to(lines, "SAY ALPHA two words #") == "< HANGUP"
    # Every answer is taken for the one to the next command from here on.
    assert answer_to(lines, "NOOP") == "< 200 result=0"
    assert got(told)["NOOP"] == "('1', 'PJSIP/caller-00000001')"


def test_the_same_as_json(pystrix: tuple[str, Path]) -> None:
    url, _ = pystrix
    data = cast("dict[str, Any]", json.loads(call(f"{url}/x", "--json")))
    assert data["heard"][0] == "prompt"
    assert data["hung_up_by"] == "script"
