"""What an AGI script loads, because Asterisk starts an interpreter for every call.

Modules are counted, not seconds: a stopwatch would be flaky (``benchmarks/startup.py`` has one).
The interpreter is isolated and runs without `site`, whose ``.pth`` files may load anything.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from pystrix_typed.testing import Caller, SimulatedAsterisk

from .checkers import PACKAGES

LIMIT = 20

#: Each of these alone takes longer than the rest of the package.
FORBIDDEN = {
    "asyncio",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "inspect",
    "logging",
    "re",
    "signal",
    "socket",
    "threading",
    "typing",
}
#: Written in C and part of the interpreter, or nothing to speak of.
CHEAP = {"__future__", "_signal", "_thread", "atexit", "select", "time"}

# What `site` always loads is part of a bare interpreter's start.
SCRIPT = """
import sys, os, site
bare = set(sys.modules)
sys.path.insert(0, {packages!r})
from pystrix_typed import agi
session = agi.AGI()
{body}
session.close()
sys.stderr.write("\\n".join(sorted(set(sys.modules) - bare)))
"""


def loaded(body: str) -> set[str]:
    """Run a script on a call and give the modules that it has loaded by its end."""
    source = SCRIPT.format(packages=str(PACKAGES), body=body)
    asterisk = SimulatedAsterisk(sounds={"prompt": 1.0}, database={("family", "key"): "value"})
    call = asterisk.run_script(
        [sys.executable, "-I", "-S", "-c", source], caller=Caller().waits(1.2).presses("12")
    )
    output = call.stderr.decode()
    assert call.agistatus == "SUCCESS", output
    return set(output.split("\n"))


@pytest.mark.parametrize(
    "action",
    [
        "Answer()",
        "StreamFile('prompt', '#')",
        "GetData('prompt', 2000, 2)",
        "WaitForDigit(1000)",
        "GetVariable('X')",
        "SetVariable('X', 'y')",
        "DatabaseGet('family', 'key')",
        "Exec('NoOp', 'x')",
        "SayDigits('12')",
        "Verbose('hello')",
    ],
)
def test_one_action_loads_next_to_nothing(action: str) -> None:
    modules = loaded(f"session.execute(agi.core.{action})")
    assert not modules & FORBIDDEN
    others = {name for name in modules if not name.startswith("pystrix_typed")}
    assert others <= CHEAP


def test_environment_loads_next_to_nothing() -> None:
    modules = loaded("session.environment.caller_id, session.get_environment()")
    assert not modules & FORBIDDEN


def test_package_itself_loads_nothing() -> None:
    source = (
        f"import sys, os, site; bare = set(sys.modules); sys.path.insert(0, {str(PACKAGES)!r})\n"
        "import pystrix_typed; print(*sorted(set(sys.modules) - bare))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"__future__", "pystrix_typed"}


def test_action_that_asks_for_more_gets_it() -> None:
    """The measurement sees what is loaded: this one does load what the others may not."""
    assert "dataclasses" in loaded("__import__('dataclasses').fields(agi.core.Answer())")
