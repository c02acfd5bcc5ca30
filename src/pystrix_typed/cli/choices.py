"""What options and arguments offer to choose from, in the help and to a shell that completes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Kind", "LogFormat", "LogLevel", "next_words"]


class Kind(StrEnum):
    """What `new` makes."""

    AGI = "agi"
    FASTAGI = "fastagi"
    ASYNCIO = "asyncio"


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The levels of logging."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def next_words(given: Iterable[str], begun: str) -> Iterator[str]:
    """Give the words that a name of an AGI command may go on with.

    Args:
        given: The words before.
        begun: What there is of the next one.
    """
    from pystrix_typed.agi.core.catalogue import COMMANDS

    before = [word.lower() for word in given]
    found: set[str] = set()
    for command in COMMANDS:
        for name in (command.name.lower().split(), [command.class_name]):
            words = [word.lower() for word in name]
            if len(words) > len(before) and words[: len(before)] == before:
                word = name[len(before)]
                if word.lower().startswith(begun.lower()):
                    found.add(word)
    yield from sorted(found)
