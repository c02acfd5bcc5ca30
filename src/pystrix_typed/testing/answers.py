"""What a command answers, and the table of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pystrix_typed.testing.happening import Activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["Answer", "Handler", "Rule", "Table", "UsageError", "done", "failed", "silence"]


class UsageError(Exception):
    """Asterisk refuses the arguments: 520."""


class Answer(NamedTuple):
    """The end of a command.

    Attributes:
        line: The last line of the reply; None when the command does not answer at all.
        failed: Whether Asterisk counts it as a failure, which makes AGISTATUS one.
        usage: Whether the usage text follows.
        notice: Whether the notice of a hangup follows at once, and not a moment later.
    """

    line: str | None
    failed: bool = False
    usage: bool = False
    notice: bool = False


def done(result: object) -> Answer:
    """Answer ``200 result=...``."""
    return Answer(f"200 result={result}")


def failed(result: object) -> Answer:
    """Answer ``200 result=...``, which Asterisk counts as a failure."""
    return Answer(f"200 result={result}", failed=True)


def silence() -> Answer:
    """Answer nothing, as a command does that was interrupted."""
    return Answer(None)


#: Does a command: is given the channel and the arguments, and answers at once, or is a generator
#: that waits before it does.
Handler: TypeAlias = Callable[["SimulatedChannel", list[str]], Answer | Activity[Answer]]


class Rule(NamedTuple):
    """A command's least number of arguments, and what it does."""

    least: int
    handle: Handler


class Table:
    """The commands of one topic."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def command(self, name: str, least: int = 0) -> Callable[[Handler], Handler]:
        """Register a function that does a command.

        Args:
            name: The command's words.
            least: The number of arguments below which Asterisk refuses it.
        """

        def register(handler: Handler) -> Handler:
            self._rules[name] = Rule(least, handler)
            return handler

        return register

    def __iter__(self) -> Iterator[tuple[str, Rule]]:
        return iter(self._rules.items())
