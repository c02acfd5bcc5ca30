"""``pystrix-typed generate``: the generator, which an install carries along inside the package."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pystrix_typed.cli import checkout
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["generate"]


def generate(*, check: bool, spec: Path | None, out: Path | None) -> int:
    """Run the generator; give its exit status."""
    arguments = ["--check"] if check else []
    if spec is not None:
        arguments += ["--spec", str(spec)]
    if out is not None:
        arguments += ["--out", str(out)]
    status: object = import_module(_generator()).main(arguments, program="pystrix-typed")
    return status if isinstance(status, int) else 0


def _generator() -> str:
    if find_spec("pystrix_typed.codegen") is not None:
        return "pystrix_typed.codegen.__main__"
    # Not from a wheel, so from a working tree, where the generator stands beside the package.
    root = checkout.find()
    if root is None:
        raise Problem("this install came without the generator: install the wheel", status=2)
    sys.path.insert(0, str(root))
    return "codegen.__main__"
