"""What a simulated call raises when it does not go as its test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CallerError", "DialogueError"]


class DialogueError(AssertionError):
    """A call did not go as its test says; the message has the dialogue as well.

    Args:
        why: What is wrong.
        dialogue: The lines of the dialogue.

    Attributes:
        why: What is wrong, without the dialogue.
    """

    def __init__(self, why: str, dialogue: Iterable[str] = ()) -> None:
        self.why: str = why
        self._dialogue: tuple[str, ...] = tuple(dialogue)
        super().__init__(why)

    def __str__(self) -> str:
        return "\n".join([self.why, *self._dialogue])

    def shorten(self) -> None:
        """Leave the dialogue out of the message: it is shown elsewhere."""
        self._dialogue = ()


class CallerError(DialogueError):
    """The caller waited for something that never came, or the call would never have ended."""
