"""Cold start: how long an AGI script takes from its start to its end, a caller waiting in silence.

Each program is a whole process that reads its variables, executes one action and exits; they run in
turns, so that whatever else the machine does hits them alike, and each is compared with the bare
interpreter of its own round. ``floor`` is a script that does the same without any library.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ENVIRONMENT", "PROGRAMS", "cold_starts"]

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

#: By the name of an environment.
PROGRAMS = {
    "bare": "pass",
    "floor": """
import os
data = b""
while not data.endswith(b"\\n\\n"):
    data += os.read(0, 65536)
os.write(1, b"ANSWER\\n")
os.read(0, 65536)
""",
    "typed": """
from pystrix_typed import agi
agi.AGI().execute(agi.core.Answer())
""",
    "pystrix": """
from pystrix.agi import core, agi
agi.AGI().execute(core.Answer())
""",
    "pyst2": """
from asterisk import agi
agi.AGI().answer()
""",
}


def run(python: Path, source: str) -> float:
    """Run a script as Asterisk does; give the seconds until it has ended."""
    to_script, ours = os.pipe()
    theirs, from_script = os.pipe()
    began = time.perf_counter()
    child = os.posix_spawn(
        python,
        [str(python), "-c", source],
        {"PATH": os.defpath},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, to_script, 0),
            (os.POSIX_SPAWN_DUP2, from_script, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            *[(os.POSIX_SPAWN_CLOSE, each) for each in (to_script, ours, theirs, from_script)],
        ],
    )
    os.close(to_script)
    os.close(from_script)
    if source != PROGRAMS["bare"]:
        os.write(ours, ENVIRONMENT)
        line = os.read(theirs, 4096)
        if line.strip() != b"ANSWER":
            raise SystemExit(f"the script said {line!r} instead of ANSWER")
        os.write(ours, REPLY)
    _, status = os.waitpid(child, 0)
    elapsed = time.perf_counter() - began
    os.close(ours)
    os.close(theirs)
    if status:
        raise SystemExit(f"the script failed with status {status}")
    return elapsed


def cold_starts(places: Mapping[str, Path], rounds: int) -> dict[str, list[float]]:
    """Time the programs of some environments in turns; give the seconds of each round."""
    times: dict[str, list[float]] = {name: [] for name in places}
    for turn in range(rounds + 3):
        for name, python in places.items():
            elapsed = run(python, PROGRAMS[name])
            if turn >= 3:  # the first ones warm the disk cache
                times[name].append(elapsed)
    return times
