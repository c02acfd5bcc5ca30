"""``python -m pystrix_typed`` is the command ``pystrix-typed``."""

from __future__ import annotations

from pystrix_typed.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
