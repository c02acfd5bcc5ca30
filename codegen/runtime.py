"""The project's own package, found whether the generator runs from a checkout or an install.

An example line in a spec is taken apart by the very function that takes apart Asterisk's replies.
In a checkout the generator stands beside ``src``, and nothing need be installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = [
    "CHECKOUT",
    "CORE",
    "REFERENCE",
    "SPEC",
    "catalogue_model",
    "exceptions",
    "record",
    "wire",
]

_here = Path(__file__).resolve().parent
_source = _here.parent / "src"

#: The working tree, or None in an install.
CHECKOUT: Path | None = _here.parent if (_source / "pystrix_typed").is_dir() else None

if CHECKOUT is not None and "pystrix_typed" not in sys.modules:
    sys.path.insert(0, str(_source))

from pystrix_typed.agi import (  # noqa: E402 - only now can it be found
    catalogue_model,
    exceptions,
    record,
    wire,
)

#: The project's own spec: beside the generator, in a checkout and inside a wheel alike.
SPEC = _here.parent / "spec"

#: Where the project's own spec is generated to.
CORE = None if CHECKOUT is None else _source / "pystrix_typed" / "agi" / "core"

#: Where the reference of the project's own spec is generated to.
REFERENCE = None if CHECKOUT is None else CHECKOUT / "docs" / "reference"
