#!/usr/bin/env python3
"""How long an AGI script takes from its start to its end: the time that a caller waits in silence.

Three programs run in turns, so that whatever else the machine does hits them alike: the bare
interpreter, the package with one action executed, and the same script with pystrix. Each library is
installed in a virtual environment of its own. Medians and ratios are printed; nothing is asserted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What Asterisk 22 sends, in its order.
ENVIRONMENT = b"""\
agi_request: bench.py
agi_channel: PJSIP/bench-00000001
agi_language: en
agi_type: PJSIP
agi_uniqueid: 1700000000.1
agi_version: 22.10.1
agi_callerid: unknown
agi_calleridname: unknown
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: unknown
agi_rdnis: unknown
agi_context: default
agi_extension: 100
agi_priority: 1
agi_enhanced: 0.0
agi_accountcode:\x20
agi_threadid: 140000000000000

"""
REPLY = b"200 result=0\n"

BARE = "pass"
TYPED = """
from pystrix_typed import agi
agi.AGI().execute(agi.core.Answer())
"""
PYSTRIX = """
from pystrix.agi import core, agi
agi.AGI().execute(core.Answer())
"""


def install(folder: Path, *requirements: str) -> Path:
    """Make a virtual environment with some packages in it; give its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if requirements:
        command = [str(python), "-m", "pip", "install", "--quiet", "--compile", *requirements]
        subprocess.run(command, check=True)
    return python


def run(python: Path, source: str) -> float:
    """Run a script as Asterisk does; give the seconds until it has ended."""
    began = time.perf_counter()
    with subprocess.Popen(
        [str(python), "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        if source != BARE:
            script.stdin.write(ENVIRONMENT)
            script.stdin.flush()
            line = script.stdout.readline()
            if line.strip() != b"ANSWER":
                raise SystemExit(f"the script said {line!r} instead of ANSWER")
            script.stdin.write(REPLY)
            script.stdin.flush()
        script.wait()
        elapsed = time.perf_counter() - began
    if script.returncode:
        raise SystemExit(f"the script failed with status {script.returncode}")
    return elapsed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time the start of an AGI script.")
    parser.add_argument("--rounds", type=int, default=60, help="how often each runs (default: 60)")
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = {
            "bare interpreter": (install(folder / "bare"), BARE),
            "pystrix-typed": (install(folder / "typed", "--no-deps", str(ROOT)), TYPED),
            "pystrix": (install(folder / "pystrix", "pystrix"), PYSTRIX),
        }
        times: dict[str, list[float]] = {label: [] for label in programs}
        for turn in range(rounds + 3):
            for label, (python, source) in programs.items():
                elapsed = run(python, source)
                if turn >= 3:  # the first ones warm the disk cache
                    times[label].append(elapsed * 1000)
    bare = statistics.median(times["bare interpreter"])
    print(f"Python {sys.version.split()[0]}, {rounds} rounds, one action each")
    print(f"{'':18}{'median':>9}{'best':>9}{'ratio':>9}")
    for label, values in times.items():
        median = statistics.median(values)
        print(f"{label:18}{median:6.1f} ms{min(values):6.1f} ms{median / bare:8.2f}x")


if __name__ == "__main__":
    main()
