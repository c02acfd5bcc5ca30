"""The README is true: its code runs against the stand-in, its types are what it says they are."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pystrix_typed import agi
from pystrix_typed.cli.standin import StandIn

from .checkers import CHECKERS, expected

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIMIT = 20


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SCRIPT, SERVER, EDITOR = blocks("python")


def pin(keys: str) -> StandIn:
    """Run the README's script on a call, as Asterisk does: over its stdin and stdout."""
    call = StandIn(
        keys={"vm-password": keys}, sounds=dict.fromkeys(["vm-password", "vm-goodbye"], 1.0)
    )
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        killer = threading.Timer(LIMIT, script.kill)
        killer.start()
        call.converse(script.stdout, script.stdin, "/usr/local/bin/pin.py")
        script.stdin.close()
        status = script.wait(LIMIT)
        killer.cancel()
    assert status == 0
    return call


def test_script_keeps_what_was_entered() -> None:
    assert pin("0042").variables == {"PIN": "0042"}


def test_script_says_goodbye_when_nothing_is_entered() -> None:
    assert pin("").variables == {}


@pytest.mark.parametrize(
    ("database", "customer"),
    [({("customers", "5550123"): "Ada"}, "Ada"), ({}, "a stranger")],
    ids=["known", "unknown"],
)
@pytest.mark.parametrize("hangs_up_at", ["", "STREAM FILE"])
def test_server_greets(
    database: dict[tuple[str, str], str], customer: str, hangs_up_at: str, tmp_path: Path
) -> None:
    file = tmp_path / "readme_server.py"
    file.write_text(SERVER, encoding="utf-8")
    greet: agi.Handler = runpy.run_path(str(file), run_name="readme_server")["greet"]
    call = StandIn(database=database, sounds={"hello-world": 1.2}, hangs_up_at=hangs_up_at)
    with agi.FastAGIServer(port=0) as server:
        server.register_script_handler("greet", greet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        call.call(server.server_address, "greet?family=customers", timeout=LIMIT)
    assert call.variables == {"CUSTOMER": customer}
    last = "5550123 hung up" if hangs_up_at else f"{customer} pressed None"
    assert call.log == [last]


@pytest.mark.parametrize("checker", CHECKERS)
def test_editor_reports_what_the_comments_say(checker: str, tmp_path: Path) -> None:
    written, checked = tmp_path / "written", tmp_path / "checked"
    written.mkdir()
    checked.mkdir()
    files = [written / name for name in ("script.py", "server.py", "editor.py")]
    for file, text in zip(files, (SCRIPT, SERVER, EDITOR), strict=True):
        file.write_text(text, encoding="utf-8")
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
