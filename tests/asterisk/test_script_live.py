"""What surrounds a script, on real calls: what the operator sees, and what disturbs nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from .calls import Far

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .calls import Ending
    from .exchange import Exchange

IMPORTS = """
import os, subprocess, sys, threading, time
from pystrix_typed import agi
from pystrix_typed.agi import core
"""


def told(
    exchange: Exchange,
    source: str,
    *,
    far: Far | None = None,
    dead: bool = False,
    variables: Mapping[str, str] | None = None,
    watch: tuple[str, ...] = (),
) -> tuple[list[str], Ending]:
    """Run a script on a call; give what AGI wrote on the console for it, and how the call ended."""
    script = exchange.script(IMPORTS + source, "menu")
    offset = exchange.log_size()
    with exchange.call(script, far=far, dead=dead, variables=variables, watch=watch) as call:
        ending = call.wait()
    lines = re.findall(rf"res_agi\.c: {re.escape(script)}: (.*)", exchange.log(offset))
    return lines, ending


FORMS = {
    "with": "with agi.AGI() as session:\n    {deed}\n",
    "plain": "session = agi.AGI()\n{deed}\n",
    "aio": """
import asyncio
async def main():
    async with agi.aio.AGI() as session:
        {deed}
asyncio.run(main())
""",
}
forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@forms
def test_an_uncaught_exception_is_told_on_the_console(latest: Exchange, form: str) -> None:
    deed = "raise KeyError('ä', 50 * '%s\\n')"
    lines, ending = told(latest, form.format(deed=deed))
    assert len(lines) == 1
    assert re.match(r"\d+-menu\.py: KeyError: \('ä', '%s.n%s.*\(\d+-menu\.py:\d+\)$", lines[0])
    assert ending.agi_status == "FAILURE"
    # And the dialplan goes on.
    assert len(ending.trace) == 1


@forms
def test_an_uncaught_exception_on_a_dead_channel(latest: Exchange, form: str) -> None:
    lines, ending = told(latest, form.format(deed="raise ValueError('x')"), dead=True)
    assert len(lines) == 1
    assert re.match(r"\d+-menu\.py: ValueError: x \(\d+-menu\.py:\d+\)$", lines[0])
    assert ending.agi_status == "FAILURE"


def test_a_long_report_is_whole(latest: Exchange) -> None:
    """In bytes it is as long as a report can be, with all of it to be quoted."""
    source = "session = agi.AGI()\nraise ValueError('\\\\\"' * 100 + '😀' * 200 + 'end')\n"
    lines, _ending = told(latest, source)
    assert len(lines) == 1
    assert '\\"' * 100 in lines[0]
    assert lines[0].count("😀") > 150
    assert lines[0].endswith("-menu.py:7)")


@pytest.mark.parametrize(
    "command",
    ["core.StreamFile('vm-intro')", "core.SayNumber(12)", "core.WaitForDigit(60000)"],
)
def test_a_report_behind_an_abandoned_command(latest: Exchange, command: str) -> None:
    source = f"with agi.AGI() as session:\n    session.execute({command}, timeout=0.2)\n"
    lines, ending = told(latest, source)
    assert len(lines) == 1
    assert "AGITimeoutError" in lines[0]
    assert ending.agi_status == "FAILURE"


def test_leaving_and_failing_are_told_apart(latest: Exchange) -> None:
    lines, ending = told(latest, "session = agi.AGI()\nsys.exit(0)\n")
    assert (lines, ending.agi_status) == ([], "SUCCESS")
    lines, ending = told(latest, "session = agi.AGI()\nsys.exit(1)\n")
    assert (lines, ending.agi_status) == ([], "FAILURE")


@pytest.mark.parametrize("setting", [{}, {"AGISIGHUP": "no"}, {"AGIEXITONHANGUP": "yes"}])
@forms
def test_a_hangup_that_ends_the_script_is_no_failure(
    latest: Exchange, form: str, setting: dict[str, str]
) -> None:
    waiting = "session.execute(core.WaitForDigit(20000))"
    if "asyncio" in form:
        waiting = f"await {waiting}"
    lines, ending = told(
        latest,
        form.format(deed=waiting),
        far=Far().wait(0.7).hangup(),
        variables=setting,
    )
    assert (lines, ending.agi_status) == ([], "HANGUP")


def test_a_forbidden_command_on_a_dead_channel_is_a_failure(latest: Exchange) -> None:
    """That is a mistake of the script's, not an ordinary end."""
    source = "session = agi.AGI()\nsession.execute(core.StreamFile('beep'))\n"
    assert told(latest, source, dead=True)[1].agi_status == "FAILURE"


def test_prints_and_subprocesses_do_not_disturb(latest: Exchange) -> None:
    source = """
print("NOOP before")
with agi.AGI() as session:
    def value(n):
        session.execute(core.SetVariable("N", str(n)))
        print("VERBOSE stray", n)
        return session.execute(core.GetVariable("N")).value
    for n, deed in enumerate([
        lambda: print("VERBOSE stray", flush=True),
        lambda: os.write(1, b"VERBOSE stray\\n"),
        lambda: os.system("echo VERBOSE stray"),
        lambda: os.system("cat"),
        lambda: subprocess.run(["cat"], close_fds=False),
        lambda: sys.stdin.read(),
    ]):
        deed()
        assert value(n) == str(n)
    session.execute(core.SetVariable("DONE", "yes"))
"""
    lines, ending = told(latest, source, watch=("DONE",))
    assert lines == []
    assert (ending.agi_status, ending.variables["DONE"]) == ("SUCCESS", "yes")


def test_a_background_process_does_not_hold_the_call(latest: Exchange) -> None:
    source = """
session = agi.AGI()
if not os.fork():
    time.sleep(30)
    os._exit(0)
session.execute(core.SetVariable("DONE", "yes"))
"""
    lines, ending = told(latest, source, watch=("DONE",))
    assert (lines, ending.agi_status, ending.variables["DONE"]) == ([], "SUCCESS", "yes")


@pytest.mark.parametrize("told_by_signal", [True, False], ids=["told", "not told"])
def test_notice_of_the_hangup(latest: Exchange, told_by_signal: bool) -> None:
    """By SIGHUP at once, in the middle of other work; otherwise by the next command."""
    source = """
gone = threading.Event()
with agi.AGI() as session:
    session.on_hangup(gone.set)
    told = gone.wait(3)
    assert session.hung_up == told
    session.execute(core.Noop())
    try:
        session.execute(core.WaitForDigit(1))
    except agi.AGIHangup as error:
        kind = type(error).__name__
    session.execute(core.SetVariable("TOLD", f"{told} {kind}"))
    assert session.hung_up
# The work after the call.
time.sleep(0.2)
"""
    _lines, ending = told(
        latest,
        source,
        far=Far().wait(0.7).hangup(),
        variables={} if told_by_signal else {"AGISIGHUP": "no"},
        watch=("TOLD",),
    )
    assert ending.variables["TOLD"] == (
        "True AGISIGHUPHangup" if told_by_signal else "False AGIDeadChannelError"
    )
    assert ending.agi_status == "HANGUP"
