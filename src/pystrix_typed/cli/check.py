"""``pystrix-typed check``: does this Asterisk have the commands that the package knows?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console

from pystrix_typed.agi.core.catalogue import COMMANDS, ENUMERATIONS
from pystrix_typed.cli.documentation import read
from pystrix_typed.cli.drift import compare

if TYPE_CHECKING:
    from pathlib import Path

    from pystrix_typed.cli.drift import Report

__all__ = ["check"]


def check(path: Path, *, as_json: bool = False) -> int:
    """Compare the catalogue with a documentation, and print what differs.

    Args:
        path: Asterisk's ``core-en_US.xml``.
        as_json: Print one JSON object, for programs.

    Returns:
        0 when everything is as the spec has it, 1 when something differs.

    Raises:
        Problem: The documentation cannot be read.
    """
    report = compare(read(path), COMMANDS, ENUMERATIONS)
    if as_json:
        print(json.dumps(_data(path, report), indent=2))
    else:
        _show(path, report)
    return 1 if report.differences else 0


def _data(path: Path, report: Report) -> dict[str, object]:
    return {
        "documentation": str(path),
        "compared": report.compared,
        "differences": [difference._asdict() for difference in report.differences],
        "known": [difference._asdict() for difference in report.known],
        "notes": list(report.notes),
    }


def _show(path: Path, report: Report) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for difference in report.differences:
        console.print(f"{difference.command}: {difference.difference}", style="yellow")
        places = [f"{path}:{difference.line}"] if difference.line else []
        if difference.topic:
            places.append(f"spec/commands/{difference.topic}.yaml")
        console.print(f"    see {', '.join(places)}", style="dim")
    for note in report.notes:
        console.print(note)
    count = len(report.differences)
    verdict = "no differences" if not count else f"{count} difference{'s' if count > 1 else ''}"
    known = f", and {len(report.known)} that the spec explains" if report.known else ""
    console.print(f"{report.compared} commands compared: {verdict}{known}.")
