"""What earlier runs found, beside this one: ratios, because machines and days differ.

``benchmarks/trend.jsonl`` has a line for each run that was kept (``--keep``). Nothing is asserted.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.report import Row

__all__ = ["keep", "trend"]

FILE = Path(__file__).with_name("trend.jsonl")
#: Earlier runs that are shown.
SHOWN = 5


def _ratios(rows: Sequence[Row]) -> dict[str, float]:
    return {
        f"{row.case}: {row.subject} to {row.against}": round(row.ratio, 3)
        for row in rows
        if row.ratio and row.subject != row.against
    }


def _version() -> str:
    """Give the version of the package, which is not installed where this runs."""
    source = Path(__file__).parents[1] / "src" / "pystrix_typed" / "__init__.py"
    found = re.search(r'^__version__ = "(.+)"', source.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "?"


def keep(rows: Sequence[Row], machine: Mapping[str, object]) -> None:
    """Add this run to the file."""
    line = {
        "date": time.strftime("%Y-%m-%d"),
        "version": _version(),
        "machine": machine,
        "ratios": _ratios(rows),
    }
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def trend(rows: Sequence[Row]) -> str:
    """Give a line for each ratio that earlier runs had, too; "" if there is none."""
    if not FILE.exists():
        return ""
    earlier = [json.loads(line)["ratios"] for line in FILE.read_text().splitlines() if line]
    lines: list[str] = []
    for name, ratio in _ratios(rows).items():
        before = [f"{each[name]:.2f}" for each in earlier if name in each][-SHOWN:]
        if before:
            lines.append(f"{name}: {', '.join(before)}, now {ratio:.2f}")
    return "\n".join(lines)
