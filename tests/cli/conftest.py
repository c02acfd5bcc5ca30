"""What the tests of the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(short_folder: Path) -> Path:
    """Give a folder that everybody may enter, unlike pytest's own."""
    short_folder.chmod(0o755)
    return short_folder.resolve()
