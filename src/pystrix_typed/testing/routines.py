"""Running the dialplan: one application, or a routine from a place to its ``Return``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pystrix_typed.testing.channel import Executed, Frame, Location
from pystrix_typed.testing.functions import expanded
from pystrix_typed.testing.tokens import integer, leading_integer

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = [
    "NO_APPLICATION",
    "enter_routine",
    "find_place",
    "leave_routine",
    "place_of",
    "run_application",
    "run_routine",
    "split_arguments",
]

NO_APPLICATION = -2
#: Steps of one routine beyond which it is taken to run in a circle without waiting for anything.
_MOST_STEPS = 10_000


def run_application(channel: SimulatedChannel, name: str, options: str) -> Activity[int]:
    """Run an application and give its number: -2 when there is no such application."""
    from pystrix_typed.testing.applications import BUILT_IN

    application = channel.exchange.applications.get(name.lower(), BUILT_IN.get(name.lower()))
    if application is None:
        channel.note("call", f"there is no application {name}: register it with applications=")
        return NO_APPLICATION
    channel.executed.append(Executed(name, options))
    if isinstance(application, int):
        return application
    result = application(channel, options)
    if isinstance(result, Generator):
        result = yield from result
    return result or 0


def split_arguments(text: str) -> list[str]:
    """Split at commas that stand in no brackets and no quotes, and behind no backslash."""
    if not text:
        return []
    parts = [""]
    depth, quoted, escaped = 0, False, False
    for sign in text:
        if sign == "," and not (depth or quoted or escaped):
            parts.append("")
            continue
        if not escaped:
            quoted ^= sign == '"'
            depth = max(depth + (sign in "([") - (sign in ")]"), 0)
        escaped = sign == "\\" and not escaped
        parts[-1] += sign
    return parts


def find_place(channel: SimulatedChannel, place: Location) -> bool:
    """Tell whether there is anything at a place."""
    return channel.exchange.dialplan.step(*place) is not None


def place_of(channel: SimulatedChannel, text: str) -> Location | None:
    """Read a place as Goto has it: ``context,extension,priority``, the first ones left out or not.

    Returns:
        The place; None when there is no such label.
    """
    parts = [part.strip() for part in text.split(",")]
    here = channel.location
    context = parts[-3] if len(parts) > 2 else here.context
    extension = parts[-2] if len(parts) > 1 else here.extension
    priority = integer(parts[-1])
    if priority is None:
        priority = channel.exchange.dialplan.label(context, extension, parts[-1])
    return None if priority is None else Location(context, extension, priority)


def enter_routine(channel: SimulatedChannel, place: Location, arguments: list[str]) -> None:
    """Go to a routine, from which `leave_routine` comes back.

    Args:
        channel: On which call.
        place: Where it begins.
        arguments: ``${ARG1}`` and so on.
    """
    count = len(arguments)
    before = leading_integer(channel.variables.get("ARGC", ""))
    local = {f"ARG{number}": "" for number in range(count + 1, before + 1)}
    local |= {f"ARG{number}": value for number, value in enumerate(arguments, 1)}
    local["ARGC"] = str(count)
    hidden = {name: channel.variables.get(name) for name in local}
    channel.frames.append(Frame(channel.location, hidden))
    channel.variables |= local
    channel.location = place


def leave_routine(channel: SimulatedChannel) -> None:
    """Come back from the latest routine."""
    frame = channel.frames.pop()
    channel.location = frame.back
    for name, old in frame.hidden.items():
        channel.variables.pop(name, None)
        if old is not None:
            channel.variables[name] = old


def run_routine(channel: SimulatedChannel, place: Location, arguments: list[str]) -> Activity[bool]:
    """Run what stands at a place until it returns.

    Args:
        channel: On which call.
        place: Where it begins.
        arguments: ``${ARG1}`` and so on.

    Returns:
        Whether it came to its ``Return``. If not, it hung up, or ran out of steps.
    """
    depth = len(channel.frames)
    back = channel.location
    enter_routine(channel, place, arguments)
    try:
        for _ in range(_MOST_STEPS):
            here = channel.location
            step = channel.exchange.dialplan.step(*here)
            if step is None or channel.hung_up:
                break
            options = expanded(channel, step.options)
            result = yield from run_application(channel, step.application, options)
            if len(channel.frames) == depth:
                return True
            if result < 0:
                break
            # As in Asterisk: whatever goes elsewhere goes to one step before it.
            here = channel.location
            channel.location = here._replace(priority=here.priority + 1)
        channel.variables["GOSUB_RETVAL"] = ""
        return False
    finally:
        while len(channel.frames) > depth:
            leave_routine(channel)
        channel.location = back
