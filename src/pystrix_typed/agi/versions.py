"""Which Asterisk has what: the refusals, and what an unknown command means.

A session looks here only when the version that it talks to is older than something of the action's
(or when something was removed from Asterisk), so a usual call never loads this.

Nothing is refused wrongly: a version that is unknown, or not told to the last number, is taken for
one that has it. Changes come to several branches of Asterisk at once; of those the spec names the
first that has something, and the last that still has it.
"""

from __future__ import annotations

# The spec's facts on an action are for the package, not for users.
# pyright: reportPrivateUsage=false
from pystrix_typed.agi.exceptions import AGIVersionError
from pystrix_typed.agi.wire import version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pystrix_typed.agi.record import AnyAction

__all__ = ["refuse", "removed", "too_old", "unknown_command"]

#: The module that brings AGI itself: where it is missing there is no session.
_AGI = "res_agi.so"


def too_old(found: tuple[int, ...], since: str) -> bool:
    """Tell whether an Asterisk is surely older than the version that brought something."""
    first = version(since)
    size = min(len(found), len(first))
    return found[:size] < first[:size]


def removed(found: tuple[int, ...], until: str) -> bool:
    """Tell whether an Asterisk surely is one that has something no more."""
    last = version(until)
    while last and not last[-1]:
        last = last[:-1]
    if len(found) >= len(last):
        return found[: len(last)] >= last
    return found > last[: len(found)]


def refuse(action: AnyAction, found: tuple[int, ...]) -> None:
    """Refuse an action that this Asterisk cannot do.

    Raises:
        AGIVersionError: It has the command, or an argument that was given, not yet or no more.
    """
    for name, default, since, until in action._versions:
        if name and getattr(action, name) == default:
            continue
        what = f"the argument {name}" if name else "the command"
        if since and too_old(found, since):
            rule = f"{what} came with Asterisk {since}"
        elif until and removed(found, until):
            rule = f"{what} is gone since Asterisk {until}"
        else:
            continue
        hint = "; leave it out" if name else ""
        raise AGIVersionError(
            f"{action.command} was not sent: {rule}, and this is Asterisk {_shown(found)}{hint}",
            action=action,
        )


def unknown_command(action: AnyAction, found: tuple[int, ...]) -> str:
    """Say what Asterisk means by 510."""
    who = f"Asterisk {_shown(found)}" if found else "this Asterisk"
    if action._module == _AGI:
        return f"{who} does not know the command"
    return (
        f"{who} does not know the command, or {action._module}, which brings it, is not loaded "
        f"there (its console: module load {action._module})"
    )


def _shown(found: tuple[int, ...]) -> str:
    return ".".join(map(str, found))
