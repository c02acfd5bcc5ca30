"""Which outcomes of the spec were seen on which release, and why the others were not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi import wire
from pystrix_typed.agi.core.catalogue import COMMANDS

from ..transcript import INTERRUPTED
from .exclusions import EXCLUSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pystrix_typed.agi.catalogue_model import Command

    from ..transcript import Take

__all__ = ["Seen", "outcomes_of", "seen_in", "table", "unexplained", "why_not"]

Seen = set[tuple[str, str]]
"""Commands and the ids of their outcomes."""


def outcomes_of(command: Command) -> list[str]:
    """Give the ids of everything that can come of a command, the runtime's own included."""
    ids = [row.id for row in command.outcomes]
    ids += [f"{INTERRUPTED}{row.phase}" for row in command.interrupted]
    if "hangup" not in ids and any(row.settle for row in command.outcomes):
        ids.append("hangup")
    if command.usage:
        ids.append("usage")
    if not command.dead:
        ids.append("dead-channel")
    return [*ids, "invalid-command"]


def seen_in(takes: Iterable[Take]) -> Seen:
    """Give what takes show."""
    return {(take.command, outcome) for take in takes for outcome in take.seen}


def why_not(command: Command, outcome: str, version: str) -> str:
    """Tell why an outcome is not seen on a version; empty when there is no reason."""
    row = next((row for row in command.outcomes if row.id == outcome), None)
    numbers = wire.version(version)
    if row is not None and row.until and numbers >= wire.version(row.until):
        return f"until {row.until}"
    if row is not None and row.since and numbers < wire.version(row.since):
        return f"since {row.since}"
    for exclusion in EXCLUSIONS:
        if (
            command.name in exclusion.commands
            and outcome in exclusion.outcomes
            and (not exclusion.only or numbers[0] in exclusion.only)
        ):
            return exclusion.why
    if outcome == "invalid-command" and command.module == "res_agi.so":
        return "comes with AGI itself: where there is AGI, the command is known"
    return ""


def unexplained(seen: Mapping[str, Seen]) -> list[str]:
    """Name, for each version, the outcomes that were not seen without a reason."""
    return [
        f"{command.name}: {outcome} on {version}"
        for command in COMMANDS
        for outcome in outcomes_of(command)
        for version, pairs in seen.items()
        if (command.name, outcome) not in pairs and not why_not(command, outcome, version)
    ]


def table(seen: Mapping[str, Seen]) -> list[str]:
    """Give a line for each command and outcome: seen on which version, or why not."""
    width = max(len(outcome) for command in COMMANDS for outcome in outcomes_of(command)) + 2
    majors = "".join(f"{version.partition('.')[0]:>6}" for version in seen)
    lines = [f"{'':{width}}{majors}  why not"]
    for command in COMMANDS:
        lines.append(command.name)
        for outcome in outcomes_of(command):
            cells, reasons = "", list[str]()
            for version, pairs in seen.items():
                if (command.name, outcome) in pairs:
                    cells += f"{'seen':>6}"
                    continue
                reason = why_not(command, outcome, version)
                cells += f"{'-' if reason else '?':>6}"
                reasons.append(reason or "UNEXPLAINED")
            why = "; ".join(dict.fromkeys(reasons))
            lines.append(f"  {outcome:{width - 2}}{cells}  {why}".rstrip())
    return lines
