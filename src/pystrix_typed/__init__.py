"""Typed Asterisk AGI: `pystrix_typed.agi` holds everything that a call flow needs.

Importing this package imports nothing else: Asterisk starts one interpreter per AGI call, so
`agi` and what lies below it are loaded when they are first asked for.
"""

__all__ = ["__version__", "agi"]

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pystrix_typed import agi
else:
    # The checkers see the names above and not this function, or every misspelt name would exist.
    def __getattr__(name: str) -> object:
        if name != "agi":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # The import statement binds the name here, so this runs once. (``from . import agi`` would
        # ask this very function.)
        import pystrix_typed.agi

        return pystrix_typed.agi


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
