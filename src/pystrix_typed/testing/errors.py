"""What a simulated call raises when it does not go as its test says."""

from __future__ import annotations

__all__ = ["CallerError"]


class CallerError(AssertionError):
    """The caller waited for something that never came, or the call would never have ended."""
