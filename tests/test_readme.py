"""The README is true: its code runs against the simulator, its types are what it says they are."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk

from .checkers import CHECKERS, PLUGIN, expected

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT = 120


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SCRIPT, SERVER, LOOP, TEST, EDITOR = blocks("python")


def pin(keys: str) -> Mapping[str, str]:
    """Run the README's script on a call, as Asterisk does: over its stdin and stdout."""
    asterisk = SimulatedAsterisk(sounds={"vm-password": 1.0, "vm-goodbye": 1.0})
    caller = Caller().hears("vm-password")
    call = asterisk.run_script(
        [sys.executable, "-c", SCRIPT], caller=caller.presses(keys) if keys else caller
    )
    assert call.agistatus == "SUCCESS"
    return call.variables


def test_script_keeps_what_was_entered() -> None:
    assert pin("0042")["PIN"] == "0042"


def test_script_says_goodbye_when_nothing_is_entered() -> None:
    assert "PIN" not in pin("")


@pytest.mark.parametrize(
    ("database", "customer"),
    [({("customers", "5550123"): "Ada"}, "Ada"), ({}, "a stranger")],
    ids=["known", "unknown"],
)
@pytest.mark.parametrize("hangs_up_at", ["", "STREAM FILE"])
def test_server_greets(
    database: dict[tuple[str, str], str], customer: str, hangs_up_at: str
) -> None:
    asterisk = SimulatedAsterisk(database=database, sounds={"hello-world": 1.2})
    server = made_by(SERVER)
    assert isinstance(server, agi.FastAGIServer)
    call = asterisk.call(
        server,
        "greet?family=customers",
        faults=[HungUp(hangs_up_at, after=0.5)] if hangs_up_at else [],
    )
    assert call.log == [f"{customer} hung up" if hangs_up_at else f"{customer} pressed None"]


def test_asyncio_server_says_the_number() -> None:
    server = made_by(LOOP)
    assert isinstance(server, agi.aio.FastAGIServer)
    asterisk = SimulatedAsterisk(sounds={"agent-user": 1.2})
    caller = Caller().hears("agent-user").presses("4711#")
    assert asyncio.run(asterisk.call_async(server, "account", caller=caller)).said == ["4711"]


def made_by(source: str) -> object:
    """Give the server that a program makes; it listens nowhere."""
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec"), names)
    return names["server"]


def test_the_test_passes(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text(SERVER, encoding="utf-8")
    (tmp_path / "test_greet.py").write_text(TEST, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("checker", CHECKERS)
def test_editor_reports_what_the_comments_say(checker: str, tmp_path: Path) -> None:
    written, checked = tmp_path / "written", tmp_path / "checked"
    written.mkdir()
    checked.mkdir()
    texts = {"script": SCRIPT, "greet": SERVER, "loop": LOOP, "test_greet": TEST, "editor": EDITOR}
    files: list[Path] = []
    for name, text in texts.items():
        files.append(written / f"{name}.py")
        files[-1].write_text(text, encoding="utf-8")
    found = CHECKERS[checker](files, checked)
    assert found == {finding for file in files for finding in expected(checker, file)}
    assert found, "a checker that finds nothing has not looked"


def test_ci_runs_the_line_that_the_readme_gives() -> None:
    demo, test = [block.strip() for block in blocks("sh")]
    assert demo.endswith("pystrix-typed demo")
    assert test.endswith("nox")
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands[-1] == test


def test_readme_fits_on_two_screens() -> None:
    assert len(README.splitlines()) <= 120


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
