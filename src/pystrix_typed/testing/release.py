"""Which Asterisk is simulated, and what that one has."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from pystrix_typed.agi.core.catalogue import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pystrix_typed.agi.catalogue_model import Argument, Command

__all__ = ["Release"]

#: Commands of more than this take the excess for the next command; since these releases it is 8192.
_SHORT_LINE, _LONG_LINE = 2048, 8192
_LONG_LINES = ("20.16.0", "21.11.0", "22.6.0", "23.0.0")
_FIRST_DEAD_TEXT = "511 Command Not Permitted on a dead channel"


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    if found is None:
        raise ValueError(f"{version!r} is no version of Asterisk; write it as in '22.10.1'")
    return tuple(map(int, found[0].split(".")))


class Release:
    """One version of Asterisk.

    Args:
        version: As in ``22.10.1``; ``22`` alone is the first release of it.
        own: Commands of modules of one's own.

    Raises:
        ValueError: It is no version.
    """

    def __init__(self, version: str, own: Iterable[Command] = ()) -> None:
        self.version = version
        self._own = tuple(own)
        self.numbers: tuple[int, ...] = _numbers(version)

    def since(self, *firsts: str) -> bool:
        """Tell whether it has what came with these releases, one for each branch that got it."""
        versions = [_numbers(first) for first in firsts]
        same_branch = [first for first in versions if first[: self._branch] == self._head]
        if same_branch:
            return self.numbers >= same_branch[0]
        return self.numbers >= max(versions)

    def within(self, *spans: tuple[str, str]) -> bool:
        """Tell whether it has what a release of its branch brought and a later one took away."""
        return any(
            self._head == _numbers(first)[: self._branch]
            and _numbers(first) <= self.numbers < _numbers(last)
            for first, last in spans
        )

    @property
    def _branch(self) -> int:
        # Before Asterisk 10 the first two numbers name the branch.
        return 2 if self.numbers[0] == 1 else 1

    @property
    def _head(self) -> tuple[int, ...]:
        return self.numbers[: self._branch]

    def has(self, what: Command | Argument) -> bool:
        """Tell whether it has a command or an argument."""
        if what.since and self.numbers < _numbers(what.since):
            return False
        return not (what.until and self.numbers >= _numbers(what.until))

    @cached_property
    def commands(self) -> dict[tuple[str, ...], Command]:
        """Its commands, by their words in capitals."""
        return {
            tuple(each.name.split()): each for each in (*COMMANDS, *self._own) if self.has(each)
        }

    def find(self, words: Iterable[str]) -> Command | None:
        """Find the command that a line begins with."""
        given = tuple(word.upper() for word in words)
        for count in (3, 2, 1):
            command = self.commands.get(given[:count])
            if command is not None and len(given) >= count:
                return command
        return None

    @cached_property
    def line_size(self) -> int:
        """The bytes of the buffer for a line, the zero at its end included."""
        return _LONG_LINE if self.since(*_LONG_LINES) else _SHORT_LINE

    @cached_property
    def dead_text(self) -> str:
        """What a dead channel refuses commands with."""
        if self.since("13.14.0", "14.3.0", "15.0.0"):
            return f"{_FIRST_DEAD_TEXT} or intercept routine"
        return _FIRST_DEAD_TEXT

    def most_words(self, command: Command) -> float:
        """Give the number of arguments beyond which it refuses a command."""
        if command.ignores_extra_words:
            return float("inf")
        own = [each for each in command.arguments if each.wire != "joined" and self.has(each)]
        return len(own)

    def usage(self, command: Command, *, documented: bool) -> str:
        """Give the answer to wrong arguments, with a text of our own and not Asterisk's.

        Args:
            command: Whose arguments are wrong.
            documented: Whether its documentation is loaded.
        """
        if not documented:
            return "520 Invalid command syntax.  Proper usage not available."
        # Up to these releases there is no line feed behind the text.
        end = "\n" if self.since("13.17.0", "14.6.0", "15.0.0") else ""
        text = " ".join(f"{command.summary} {command.about}".split())
        head = "520-Invalid command syntax.  Proper usage follows:"
        return f"{head}\n{text}{end}520 End of proper usage."
