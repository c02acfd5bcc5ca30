"""What the tests of the generator share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .workshop import Workshop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workshop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    return Workshop(tmp_path, capsys)
