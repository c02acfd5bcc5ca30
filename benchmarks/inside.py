"""Inside a real Asterisk: how long a caller waits from ``AGI()`` to the script's first command.

Both moments are told by the exchange's own clock: the dialplan puts the first into the arguments of
``AGI()``, the second is the answer to the command. The Python is the one of the exchange's system.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.report import Row, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.places import Place
    from tests.asterisk.exchange import Exchange

__all__ = ["inside_rows"]

#: Seconds since 1970 and their fraction, as the exchange has it when it reads this.
NOW = "${STRFTIME(,,%s.%6q)}"

FLOOR = f"""
import os
data = b""
while not data.endswith(b"\\n\\n"):
    data += os.read(0, 65536)
def ask(line):
    os.write(1, line)
    return os.read(0, 65536)
answer = ask(b'GET FULL VARIABLE "{NOW}"\\n')
now = answer[answer.index(b"(") + 1 : answer.rindex(b")")]
began = data[data.index(b"agi_arg_1: ") + 11 :].partition(b"\\n")[0]
ask(b'SET VARIABLE WAITED %f\\n' % (float(now) - float(began)))
"""

TYPED = f"""
from pystrix_typed import agi
session = agi.AGI()
now = session.execute(agi.core.GetFullVariable("{NOW}")).value
began = session.environment.arguments[0]
session.execute(agi.core.SetVariable("WAITED", str(float(now) - float(began))))
"""

PYSTRIX = f"""
from pystrix.agi import AGI
from pystrix.agi import core
session = AGI()
now = session.execute(core.GetFullVariable("{NOW}"))
began = session.get_environment()["agi_arg_1"]
session.execute(core.SetVariable("WAITED", str(float(now) - float(began))))
"""


def inside_rows(
    places: Mapping[str, Place],
    note: Callable[[str], None],
    name_of: Callable[[str], str],
    rounds: int,
) -> list[Row]:
    """Measure in the newest Asterisk that is provisioned; none, with a note, if there is none."""
    from tests.asterisk.exchange import Exchange
    from tests.asterisk.provision import RELEASES, installed_version

    release = RELEASES[0]
    version = installed_version(release.root)
    if version is None:
        note("no Asterisk is provisioned: `python tests/asterisk/provision.py` does that")
        return []
    note(f"starts inside Asterisk {version}")
    with Exchange(release) as exchange:
        programs = {"floor": FLOOR, "typed": TYPED}
        library = places["pystrix"].python.parents[1]
        for package in library.glob("lib/python3*/site-packages/pystrix"):
            shutil.copytree(package, exchange.folder / "sources" / "pystrix", dirs_exist_ok=True)
            programs["pystrix"] = PYSTRIX
        scripts = {name: exchange.script(text, name) for name, text in programs.items()}
        times: dict[str, list[float]] = {name: [] for name in scripts}
        for turn in range(rounds + 1):
            for name, script in list(scripts.items()):
                waited = _waited(exchange, script)
                if not waited:
                    note(f"{name_of(name)} does not run inside Asterisk {version}")
                    del scripts[name], times[name]
                elif turn:  # the first one compiles
                    times[name].append(waited * 1000)
    case = f"AGI() to the first command, Asterisk {version}"
    return [
        compared(case, name_of(name), values, "ms", name_of("floor"), times["floor"])
        for name, values in times.items()
    ]


def _waited(exchange: Exchange, script: str) -> float:
    """Place a call; give the seconds that it waited, 0 if the script failed."""
    with exchange.call(None, after=[f"AGI({script},{NOW})"], watch=["WAITED"]) as call:
        told = call.wait(20).variables.get("WAITED")
    return float(told) if told else 0.0
