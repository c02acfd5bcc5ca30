"""What may go wrong, or be different: faults to give to a simulated Asterisk or to one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pystrix_typed.agi.core.catalogue import BY_COMMAND
from pystrix_typed.testing.commands_media import CONTROLS

if TYPE_CHECKING:
    from pystrix_typed.agi.catalogue_model import Command

__all__ = ["Answered", "Cut", "Delayed", "Fault", "Forbidden", "HungUp", "Steered"]


def _known(command: str) -> Command:
    try:
        return BY_COMMAND[" ".join(command.upper().split())]
    except KeyError:
        raise ValueError(f"{command!r} is no AGI command; write it as in 'STREAM FILE'") from None


class _OfCommand:
    """A fault that comes with a command: with the `nth` of that name, or with each."""

    command: str
    nth: int | None

    def concerns(self, command: str, count: int) -> bool:
        """Tell whether it comes with the `count`-th command of a name."""
        wanted = " ".join(self.command.upper().split())
        return wanted in ("", command) and self.nth in (None, count)


@dataclass(frozen=True)
class Forbidden(_OfCommand):
    """Asterisk does not know a command: 510.

    Args:
        command: The command's words.
        nth: Only its nth use; None for each.
    """

    command: str
    nth: int | None = None

    def __post_init__(self) -> None:
        _known(self.command)


@dataclass(frozen=True)
class Answered(_OfCommand):
    """A command is not done, but answered with an outcome of the spec.

    Args:
        command: The command's words.
        outcome: The id of one of its outcomes, as the reference names them.
        nth: Only its nth use; None for each.
        line: The reply itself, instead of the spec's example of that outcome.

    Raises:
        ValueError: There is no such command, or it has no such outcome.
    """

    command: str
    outcome: str
    nth: int | None = None
    line: str | None = None

    def __post_init__(self) -> None:
        rows = {row.id for row in _known(self.command).outcomes}
        if self.outcome not in rows:
            listed = ", ".join(sorted(rows))
            raise ValueError(
                f"{self.command} has no outcome {self.outcome!r}; it has these: {listed}"
            )

    @property
    def reply(self) -> str:
        """What is answered, without the last line feed."""
        if self.line is not None:
            return self.line
        rows = {row.id: row for row in _known(self.command).outcomes}
        return rows[self.outcome].examples[0].line

    @property
    def fails(self) -> bool:
        """Whether it is a failure."""
        return any(row.id == self.outcome and row.raises for row in _known(self.command).outcomes)


@dataclass(frozen=True)
class Delayed(_OfCommand):
    """An answer comes late.

    Args:
        seconds: By how much, in virtual time.
        command: Which command's; empty for every one's.
        nth: Only its nth use; None for each.
    """

    seconds: float
    command: str = ""
    nth: int | None = None


@dataclass(frozen=True)
class Cut(_OfCommand):
    """The connection is cut: no answer, no notice.

    Args:
        command: At which command; empty for any, or when `at` is given.
        nth: Only at its nth use.
        at: At this moment instead, in seconds since the call began.
    """

    command: str = ""
    nth: int | None = 1
    at: float | None = None


@dataclass(frozen=True)
class HungUp(_OfCommand):
    """The caller hangs up, whatever their script says.

    Args:
        command: During which command; empty for any, or when `at` is given.
        after: Seconds after the command began.
        nth: Only during its nth use.
        at: At this moment instead, in seconds since the call began.
    """

    command: str = ""
    after: float = 0.0
    nth: int | None = 1
    at: float | None = None


@dataclass(frozen=True)
class Steered(_OfCommand):
    """Playback is steered from outside, as by AMI's ``ControlPlayback``.

    Args:
        control: ``stop``, ``suspend``, ``restart``, ``reverse`` or ``forward``.
        command: During which command; empty for any.
        after: Seconds after the command began.
        nth: Only during its nth use.

    Raises:
        ValueError: There is no such control.
    """

    control: str
    command: str = ""
    after: float = 0.0
    nth: int | None = 1

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise ValueError(f"control={self.control!r}: it is one of {', '.join(CONTROLS)}")


Fault: TypeAlias = Forbidden | Answered | Delayed | Cut | HungUp | Steered
"""Any of the faults that a call's option `faults` takes."""
