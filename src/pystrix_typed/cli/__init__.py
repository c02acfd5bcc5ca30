"""The command ``pystrix-typed``.

It needs the extra ``cli``; without it, one line says so. Nothing else in the package imports this.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

NEEDS = ("typer", "rich")


def main() -> int:
    """Run the command line; give the exit status."""
    try:
        from pystrix_typed.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        print("pystrix-typed needs its extra: pip install 'pystrix-typed[cli]'", file=sys.stderr)
        return 2
    return run()
