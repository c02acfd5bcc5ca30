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

#: What a session loads, whatever it does.
SESSION = {
    "pystrix_typed",
    "pystrix_typed.agi",
    "pystrix_typed.agi.core",
    "pystrix_typed.agi.protocol",
    "pystrix_typed.agi.record",
    "pystrix_typed.agi.script",
    "pystrix_typed.agi.session",
    "pystrix_typed.agi.wire",
}
ARGUMENTS = "pystrix_typed.agi.arguments"
ENVIRONMENT = {"pystrix_typed.agi.core.environment", "pystrix_typed.agi.variables"}
#: Each of these alone takes longer than a module of the package, most longer than all of it.
FORBIDDEN = {
    "__future__",
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
CHEAP = {"_signal", "_thread", "atexit", "time"}

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
    # The simulator gives it as the name of the script: an empty line would end the variables.
    source = SCRIPT.format(packages=str(PACKAGES), body=body).strip()
    asterisk = SimulatedAsterisk(sounds={"prompt": 1.0}, database={("family", "key"): "value"})
    call = asterisk.run_script(
        [sys.executable, "-I", "-S", "-c", source], caller=Caller().waits(1.2).presses("12")
    )
    output = call.stderr.decode()
    assert call.agistatus == "SUCCESS", output
    return set(output.split("\n"))


@pytest.mark.parametrize(
    ("action", "its_own"),
    [
        ("Answer()", ["_answer"]),
        ("StreamFile('prompt', '#')", ["_stream_file", "_playback_result"]),
        ("GetData('prompt', 2000, 2)", ["_get_data", "_get_data_result"]),
        ("WaitForDigit(1000)", ["_wait_for_digit", "_digit_result"]),
        ("GetVariable('X')", ["_get_variable", "_variable_result"]),
        ("SetVariable('X', 'y')", ["_set_variable"]),
        ("DatabaseGet('family', 'key')", ["_database_get", "_database_get_result"]),
        ("Exec('NoOp', 'x')", ["_exec", "_exec_result"]),
        ("SayDigits('12')", ["_say_digits", "_digit_result"]),
        ("Verbose('hello')", ["_verbose"]),
    ],
)
def test_one_action_loads_its_own_class_and_nothing_else(action: str, its_own: list[str]) -> None:
    modules = loaded(f"session.execute(agi.core.{action})")
    assert not modules & FORBIDDEN
    ours = {name for name in modules if name.startswith("pystrix_typed")}
    assert ours - {ARGUMENTS} == SESSION | {f"pystrix_typed.agi.core.{name}" for name in its_own}
    assert (ARGUMENTS in ours) is not action.endswith("()")
    assert modules - ours <= CHEAP


def test_environment_loads_next_to_nothing() -> None:
    modules = loaded("session.environment.caller_id, session.get_environment()")
    assert not modules & FORBIDDEN
    ours = {name for name in modules if name.startswith("pystrix_typed")}
    core = {"pystrix_typed.agi.core", "pystrix_typed.agi.record"}
    assert ours - core == (SESSION - core) | ENVIRONMENT


def test_package_itself_loads_nothing() -> None:
    source = (
        f"import sys, os, site; bare = set(sys.modules); sys.path.insert(0, {str(PACKAGES)!r})\n"
        "import pystrix_typed; print(*sorted(set(sys.modules) - bare))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["pystrix_typed"]


def test_action_that_asks_for_more_gets_it() -> None:
    """The measurement sees what is loaded: this one does load what the others may not."""
    assert "dataclasses" in loaded("__import__('dataclasses').fields(agi.core.Answer())")
