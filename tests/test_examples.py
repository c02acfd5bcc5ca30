"""The examples' own tests, run as people run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
TESTED = sorted({path.parent for path in EXAMPLES.glob("*/test_*.py")})


@pytest.mark.parametrize("folder", TESTED, ids=[folder.name for folder in TESTED])
def test_an_example(folder: Path, tmp_path: Path) -> None:
    # With a configuration of its own, so that nothing of ours helps it.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null",
         f"--rootdir={folder}", str(folder)],
        cwd=folder, env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_there_are_examples_with_tests() -> None:
    assert "pin_menu" in [folder.name for folder in TESTED]
