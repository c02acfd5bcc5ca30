"""The outcome of the crossed tests as tables: what was tried against what, and how it went."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .test_abandon import INTERRUPTED, UNINTERRUPTED
from .test_hangup import BLOCKING, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

__all__ = ["write"]

HANGUPS = re.compile(
    r"test_hangup\.py::test_a_hangup_in_the_middle\[(.+?-(?:fastagi|agi)(?:-asyncio)?)-(.+)-(.+)\]"
)
ABANDONED = re.compile(
    r"test_abandon\.py::test_an_abandoned_command\[(.+?-(?:fastagi|agi)(?:-asyncio)?)-(.+)\]"
)

MEANINGS = (
    "told: SIGHUP or the line HANGUP; not told: AGISIGHUP=no, so the session asks CHANNEL STATUS;",
    "left: AGIEXITONHANGUP=yes, so the end of the stream tells. All are AGIResultHangup.",
)


def write(reporter: pytest.TerminalReporter) -> None:
    """Print the tables of the tests that ran."""
    verdicts = _verdicts(reporter)
    hangups: dict[tuple[str, str], str] = {}
    abandoned: dict[tuple[str, str], str] = {}
    for node, verdict in verdicts.items():
        if found := HANGUPS.search(node):
            transport, command, setting = found.groups()
            hangups[command, f"{transport} {setting}"] = verdict
        elif found := ABANDONED.search(node):
            transport, command = found.groups()
            abandoned[command, transport] = verdict
    transports = sorted({column for _, column in abandoned}) or ["22-agi", "22-fastagi"]
    if hangups:
        columns = sorted({column for _, column in hangups}, key=lambda c: (c.split()[0], c))
        reporter.section("The caller hangs up in the middle of")
        for line in MEANINGS:
            reporter.line(line)
        for transport in dict.fromkeys(column.split(" ")[0] for column in columns):
            wanted = [f"{transport} {setting}" for setting in SETTINGS]
            _table(reporter, transport, BLOCKING, wanted, hangups, len(transport) + 1)
    if abandoned:
        reporter.section("A command is abandoned, and the next one asks its own question")
        _table(reporter, "cut short at once", INTERRUPTED, transports, abandoned)
        _table(reporter, "runs to its end first", UNINTERRUPTED, transports, abandoned)


def _verdicts(reporter: pytest.TerminalReporter) -> dict[str, str]:
    verdicts: dict[str, str] = {}
    for outcome, word in (
        ("passed", "ok"),
        ("skipped", "-"),
        ("failed", "FAILED"),
        ("error", "ERROR"),
    ):
        for report in reporter.getreports(outcome):
            verdicts[report.nodeid] = word
    return verdicts


def _table(
    reporter: pytest.TerminalReporter,
    title: str,
    rows: Iterable[str],
    columns: list[str],
    cells: Mapping[tuple[str, str], str],
    cut: int = 0,
) -> None:
    heads = [column[cut:] for column in columns]
    widths = [max(len(head), 6) for head in heads]
    reporter.line("")
    reporter.line(
        f"{title:<32}" + "  ".join(f"{h:<{w}}" for h, w in zip(heads, widths, strict=True))
    )
    for row in rows:
        found = [cells.get((row, column), "-") for column in columns]
        text = "  ".join(f"{cell:<{w}}" for cell, w in zip(found, widths, strict=True))
        reporter.line(f"  {row:<30}{text}".rstrip(), red="FAILED" in text or "ERROR" in text)
