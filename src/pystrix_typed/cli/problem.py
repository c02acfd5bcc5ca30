"""What a command says when it cannot do what it was asked to."""

from __future__ import annotations

__all__ = ["Problem"]


class Problem(Exception):
    """Something that the person at the keyboard can mend; the message is one line that says how.

    Attributes:
        status: The exit status: 1 when it was tried and failed, 2 when it cannot be tried here.
    """

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
