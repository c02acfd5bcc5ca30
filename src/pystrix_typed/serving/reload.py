"""Watching a program's files while it is being written."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["Watch"]

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}


class Watch:
    """Tells when a Python file below a folder was changed, added or removed.

    Args:
        folder: The folder.

    Attributes:
        interval: Seconds between two looks.
    """

    def __init__(self, folder: Path, interval: float = 0.5) -> None:
        self.interval = interval
        self._folder = folder
        self._looked = time.monotonic()
        self._seen = self._look()

    def changed(self) -> bool:
        """Tell whether anything has changed since the last look; looks once per interval."""
        now = time.monotonic()
        if now - self._looked < self.interval:
            return False
        self._looked = now
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        return True

    def _look(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for place, folders, files in os.walk(self._folder):
            folders[:] = [
                name
                for name in folders
                if name not in _SKIPPED
                and not name.startswith(".")
                and not Path(place, name, "pyvenv.cfg").exists()
            ]
            for name in files:
                if name.endswith(".py"):
                    path = os.path.join(place, name)  # noqa: PTH118 - thousands of them, twice a second
                    try:
                        found[path] = os.stat(path).st_mtime_ns  # noqa: PTH116
                    except OSError:
                        continue  # removed a moment ago
        return found
