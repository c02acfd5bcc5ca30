"""The keys that a person presses at the terminal, one by one, without Enter."""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Self

from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Keyboard"]

#: Those of a telephone, that for hanging up, and that for help.
_KEYS = "0123456789*#ABCDH?"
#: What arrows and the like send: their letters and digits are no keys of a telephone.
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)


class Keyboard:
    """The terminal's keys while it is entered; ``h`` is for hanging up, ``?`` for help."""

    def __init__(self) -> None:
        self._restore: Callable[[], None] | None = None

    def fileno(self) -> int:
        """Give the descriptor to wait for."""
        return sys.stdin.fileno()

    def pressed(self) -> list[str]:
        """Give the keys with a meaning that were pressed; others are left out."""
        data = _SEQUENCE.sub(b"", os.read(sys.stdin.fileno(), 64)).decode("ascii", "replace")
        return [key for key in data.upper() if key in _KEYS]

    @staticmethod
    def require() -> None:
        """See that there is one.

        Raises:
            Problem: Standard input is no terminal, or this system has none of the kind.
        """
        if sys.platform == "win32" or not sys.stdin.isatty():
            raise Problem("--interactive needs a terminal to press keys at", status=2)

    def __enter__(self) -> Self:
        self.require()
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin.fileno())
        self._restore = partial(termios.tcsetattr, sys.stdin.fileno(), termios.TCSADRAIN, before)
        tty.setcbreak(sys.stdin.fileno())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._restore is not None:
            self._restore()
