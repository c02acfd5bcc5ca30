"""The command ``pystrix-typed``.

It needs the extra ``cli``; without it, one line says so. Nothing else in the package imports this.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

NEEDS = ("typer", "rich")


def main() -> int:
    """Run the command line; give the exit status."""
    if any(find_spec(name) is None for name in NEEDS):
        print("pystrix-typed needs its extra: pip install 'pystrix-typed[cli]'", file=sys.stderr)
        return 2
    try:
        from pystrix_typed.cli.run import run

        return run()
    except KeyboardInterrupt:  # while it is still being imported
        return 130
