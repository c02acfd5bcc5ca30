"""Collects what the scenes show, prints the table of it, and writes the transcripts if asked to.

The tests may be spread over processes (pytest-xdist); each hands its takes to the one that reports.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pystrix_typed.agi.core.catalogue import COMMANDS

from ..testing.agreement import summary
from ..transcript import FOLDER, Take, Transcript, from_json, load, save, to_json
from .coverage import outcomes_of, seen_in, table, unexplained
from .scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .exchange import Exchange

__all__ = ["OPTION", "Recorder"]

OPTION = "--record-transcripts"


class Node(Protocol):
    """What pytest-xdist tells about a worker that has ended."""

    config: pytest.Config


class Recorder:
    """A pytest plugin.

    Args:
        config: The configuration of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._versions: dict[int, str] = {}
        self._takes: dict[int, dict[str, list[Take]]] = {}

    def add(self, exchange: Exchange, takes: list[Take]) -> None:
        """Keep the takes of a scene."""
        self._add(exchange.release.major, exchange.version, takes)

    def _add(self, major: int, version: str, takes: Iterable[Take]) -> None:
        self._versions[major] = version
        scenes = self._takes.setdefault(major, {})
        for take in takes:
            scenes.setdefault(take.scene, []).append(take)

    def pytest_sessionfinish(self) -> None:
        """Hand over what a worker has seen."""
        output: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["takes"] = [
                (major, version, [to_json(take) for take in self._all(major)])
                for major, version in self._versions.items()
            ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Node) -> None:
        """Take over what a worker has seen."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})  # not if it died
        for major, version, lines in output.get("takes", []):
            self._add(major, version, [from_json(json.loads(line)) for line in lines])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table of outcomes, and write the transcripts."""
        if not self._takes:
            return
        write = terminalreporter.line
        terminalreporter.section("Outcomes of the spec on real calls")
        versions = {
            self._versions[major]: seen_in(self._all(major))
            for major in sorted(self._versions, reverse=True)
        }
        missed = [
            f"{scene.name} on {major}"
            for major in self._versions
            for scene in SCENES
            if scene.asked_on(major) and scene.name not in self._takes[major]
        ]
        if missed:
            write(f"No table, because {len(missed)} scenes did not play (or not to their end).")
        else:
            for line in table(versions):
                write(line)
            total = len(COMMANDS), sum(len(outcomes_of(command)) for command in COMMANDS)
            seen = ", ".join(f"{len(pairs)} on {version}" for version, pairs in versions.items())
            write(f"{total[0]} commands, {total[1]} outcomes; seen: {seen}")
            for line in unexplained(versions):
                write(f"NOT EXPLAINED: {line}", red=True)
            terminalreporter.section("The simulated Asterisk says the same")
            for line in summary(
                {
                    self._versions[major]: self._takes[major]
                    for major in sorted(self._versions, reverse=True)
                }
            ):
                write(line, red=line.startswith("DIFFERS"))
        if self._config.getoption(OPTION, default=False):
            for major in self._versions:
                write(f"Written: {self._save(major)}")

    def _all(self, major: int) -> list[Take]:
        return [take for takes in self._takes[major].values() for take in takes]

    def _save(self, major: int) -> str:
        order = {
            (command.name, outcome): (row, column)
            for row, command in enumerate(COMMANDS)
            for column, outcome in enumerate(outcomes_of(command))
        }
        # Scenes that did not play this time keep what they had.
        kept = [take for take in load(major).takes if take.scene not in self._takes[major]]
        place = {scene.name: number for number, scene in enumerate(SCENES)}
        takes = [take for take in (*kept, *self._all(major)) if take.scene in place]
        takes.sort(key=lambda take: (order[take.command, take.outcome], place[take.scene]))
        save(major, Transcript(self._versions[major], tuple(takes)))
        return str(FOLDER / f"{major}.json")
