"""Typed Asterisk AGI: `pystrix_typed.agi` holds everything that a call flow needs.

Importing this package imports nothing else: Asterisk starts one interpreter per AGI call, so
`agi` and what lies below it are loaded when they are first asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from pystrix_typed import agi

__all__ = ["__version__", "agi"]

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    if name == "agi":
        # The import statement binds the name here, so this runs once. (``from . import agi`` would
        # ask this very function.)
        import pystrix_typed.agi

        return pystrix_typed.agi
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
