"""The simulator is a witness of its own: it shares no code with the runtime that it judges."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pystrix_typed.testing

FOLDER = Path(pystrix_typed.testing.__file__).parent
#: What drives the runtime's sessions in this process, and so knows them.
DRIVERS = {"aio.py", "handlers.py", "repeatable.py", "sessions.py"}
#: The spec, and the exceptions that a handler raises.
ALLOWED = {
    "pystrix_typed.agi.core.catalogue",
    "pystrix_typed.agi.catalogue_model",
    "pystrix_typed.agi.exceptions",
}
SCRIPT = """
import sys
from pystrix_typed.testing import Caller, SimulatedAsterisk

asterisk = SimulatedAsterisk(dialplan="[a]\\nexten => s,1,Return()")
call = asterisk.prepare(caller=Caller().presses("1"))
call.begin()
call.output()
for line in (b"ANSWER", b'STREAM FILE "x" "1"', b"EXEC NoOp", b"GOSUB a s 1", b"FOO", b"NOOP"):
    call.feed(line + b"\\n")
    call.advance()
    print(call.output().splitlines()[-1].decode())
print(*sorted(name for name in sys.modules if name.startswith("pystrix_typed.agi")))
"""


def imported(path: Path) -> set[str]:
    """Give the modules that a file imports while it runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If)
        and isinstance(branch.test, ast.Name)
        and branch.test.id == "TYPE_CHECKING"
        for child in branch.body
        for node in ast.walk(child)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_module_knows_nothing_of_the_runtime(path: Path) -> None:
    own = {name for name in imported(path) if name.startswith("pystrix_typed")}
    runtime = {name for name in own if not name.startswith("pystrix_typed.testing")}
    if path.name in DRIVERS:
        assert runtime - ALLOWED, "it need not be listed as a driver"
    else:
        assert runtime <= ALLOWED


def test_a_call_runs_without_the_runtime() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    *replies, modules = done.stdout.splitlines()
    assert replies == [
        "200 result=0",
        "200 result=49 endpos=640",
        "200 result=0",
        "200 result=0 Gosub complete",
        "510 Invalid or unknown command",
        "200 result=0",
    ]
    allowed = {*ALLOWED, "pystrix_typed.agi", "pystrix_typed.agi.core"}
    assert set(modules.split()) <= allowed
