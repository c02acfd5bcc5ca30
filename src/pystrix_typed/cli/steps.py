"""What a caller does, as lines of text: for conversations that are too long for options.

One step a line; empty lines, and what follows a ``#`` with a blank before it, are for the reader::

    hears welcome
    presses 12#
    awaits WAIT FOR DIGIT
    waits 2.5
    presses 1
    hangs up
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pystrix_typed.testing import Caller

__all__ = ["caller_of"]


def caller_of(text: str, caller: Caller, name: str) -> Caller:
    """Have a caller do what a text says.

    Args:
        text: The lines.
        caller: Who does it.
        name: What the text is called, for errors.

    Raises:
        ValueError: A line is not understood; the message says which.
    """
    for number, line in enumerate(text.splitlines(), 1):
        step = re.sub(r"(^|\s)#\s.*$|^#$", "", line).strip()
        if not step:
            continue
        try:
            caller = _with(caller, step)
        except ValueError as error:
            raise ValueError(f"{name}, line {number}: {error}") from None
    return caller


def _with(caller: Caller, step: str) -> Caller:
    verb, _, rest = step.partition(" ")
    rest = rest.strip()
    match verb.lower(), rest:
        case "waits", seconds:
            return caller.waits(_seconds(seconds))
        case "presses", keys:
            return caller.presses(keys)
        case "hears", sound if sound:
            return caller.hears(sound)
        case "awaits", command:
            return caller.awaits(command)
        case "says", words if words:
            return caller.says(words)
        case "sends", message:
            return caller.sends(message)
        case "hangs", "up":
            return caller.hangs_up()
        case _:
            raise ValueError(
                f"{step!r} is not understood; a caller waits, presses, hears, awaits, says, sends, "
                f"or hangs up"
            )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds") from None
