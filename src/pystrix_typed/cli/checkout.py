"""Where the project's own working tree is, if there is one: not everything travels in a wheel."""

from __future__ import annotations

from pathlib import Path

import pystrix_typed

__all__ = ["find"]


def find() -> Path | None:
    """Give the root of the working tree that the package runs from, or that one stands in.

    An installed package knows no tree, so the current folder is the second guess.
    """
    package = Path(pystrix_typed.__file__).resolve().parent
    for root in (package.parents[1], Path.cwd()):
        if (root / "src" / "pystrix_typed").is_dir() and (root / "pyproject.toml").is_file():
            return root
    return None
