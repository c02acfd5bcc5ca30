"""Commands of a module of one's own, which the spec of that module describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pystrix_typed.testing.answers import Answer, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from pystrix_typed.agi.catalogue_model import Command
    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["OwnAnswer", "rule_of"]

#: A reply, as in ``200 result=1``; or what gives one, for the channel and the arguments.
OwnAnswer: TypeAlias = "str | Callable[[SimulatedChannel, list[str]], str]"


def rule_of(command: Command, answer: OwnAnswer | None) -> Rule:
    """Give what a command of a module of one's own does.

    Args:
        command: Its entry in the catalogue that was generated.
        answer: What it answers; None for the example of its first outcome that is no failure.

    Raises:
        ValueError: It has no such outcome, and nothing else was said.
    """
    line = answer
    if line is None:
        good = [row for row in command.outcomes if not row.raises and not row.provisional]
        if not good:
            raise ValueError(f"{command.name} has only failures: say what it answers")
        line = good[0].examples[0].line

    def handle(channel: SimulatedChannel, arguments: list[str]) -> Answer:
        reply = line if isinstance(line, str) else line(channel, arguments)
        return Answer(reply, failed=reply.startswith("200 result=-1"))

    return Rule(sum(each.required for each in command.arguments), handle)
