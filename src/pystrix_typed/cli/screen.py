"""Printing a dialogue: coloured on a terminal, plain everywhere else."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

__all__ = ["Screen"]


class Screen:
    """Prints lines as they are: never wrapped, no markup, ASCII signs in front.

    ``>`` is what Python sends, ``<`` what the exchange answers, ``=`` what that is in Python, and
    ``!`` is an exception.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._begun = False

    def title(self, text: str) -> None:
        """Begin a part."""
        if self._begun:
            self._console.print()
        self._begun = True
        self._show(text, "bold cyan")

    def note(self, text: str) -> None:
        """Say something in between."""
        self._show(text, "dim")

    def call(self, text: str) -> None:
        """Show what the script calls."""
        self._show(f"  {text}", "bold")

    def sent(self, line: str) -> None:
        """Show a line that Python sent."""
        self._show(f"    > {line}", "blue")

    def received(self, line: str) -> None:
        """Show a line that the exchange sent."""
        self._show(f"    < {line}", "magenta")

    def result(self, value: object) -> None:
        """Show what a call returned."""
        self._show(f"    = {value!r}", "green")

    def error(self, error: Exception) -> None:
        """Show what a call raised."""
        self._show(f"    ! {type(error).__name__}: {error}", "red")

    def _show(self, text: str, style: str) -> None:
        self._console.print(Text(text, style))
