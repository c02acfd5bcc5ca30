"""What can happen to a channel, and what a command waits for.

A command that takes time is a generator: it yields a `Wait`, and is sent the `Happening` that ended
the wait. So there is no thread and no clock in it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal, NamedTuple, TypeAlias, TypeVar

__all__ = ["Activity", "Happening", "Kind", "Wait"]

R = TypeVar("R")

#: ``time``: the moment has come; ``key``: a key was released; ``line``: the script sent something,
#: or left; ``text``: the caller sent text; ``control``: playback is steered from outside;
#: ``voice``: the caller begins or ends to speak; ``words``: the caller has spoken words;
#: ``hangup``: the call is over.
Kind = Literal["time", "key", "line", "text", "control", "voice", "words", "hangup"]


class Happening(NamedTuple):
    """Something that happened.

    Attributes:
        kind: What it is.
        value: The key, the text, the words, or how playback is steered.
    """

    kind: Kind
    value: str = ""


class Wait(NamedTuple):
    """What a command waits for; a hangup always ends the wait.

    Attributes:
        until: The moment, in milliseconds since the call began; None for no limit.
        kinds: What ends the wait before.
        deaf: Whether not even a hangup ends it.
    """

    until: int | None
    kinds: tuple[Kind, ...] = ()
    deaf: bool = False


Activity: TypeAlias = Generator[Wait, Happening, R]
"""A generator that says what it waits for, is sent what happened, and returns a result."""
