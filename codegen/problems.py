"""What is wrong with a spec, all at once: a line each, with file, line and key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Path", "Problem", "SpecError", "show"]

#: Where something stands in a document: ``("commands", 3, "arguments", 1, "default")``.
Path = tuple[str | int, ...]


def show(path: Path) -> str:
    """Write a path the way people do: ``commands[3].arguments[1].default``."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        file: The file's name, as shown to the reader.
        line: Its line, from 1 on; 0 for the file as a whole.
        key: Where in the document.
        message: What is wrong, and where possible what to do about it.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


class SpecError(Exception):
    """The spec cannot be generated from; `problems` says why, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found: dict[tuple[str, int, str], Problem] = {}
        for problem in sorted(problems):
            # What an alias repeats is wrong in one place only.
            found.setdefault((problem.file, problem.line, problem.message), problem)
        self.problems: tuple[Problem, ...] = tuple(found.values())
        super().__init__("\n".join(map(str, self.problems)))
