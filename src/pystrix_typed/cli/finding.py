"""What `doctor` finds: one line each, and one on what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Finding", "Status"]

Status = Literal["ok", "warning", "problem"]


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        about: What was looked at, in a word: ``python``, ``asterisk``, ``script``...
        status: ``ok``; ``warning`` for what may be as it should; ``problem`` for what keeps calls
            from working.
        text: What was found.
        advice: What to do about it; empty if there is nothing to do.
    """

    about: str
    status: Status
    text: str
    advice: str = ""
