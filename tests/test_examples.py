"""The examples' own tests, run as people run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/test_*.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_an_example(folder: Path, tmp_path: Path) -> None:
    # With a configuration of its own, so that nothing of ours helps it.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null",
         f"--rootdir={folder}", str(folder)],
        cwd=folder, env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_it_has_its_dialplan(folder: Path) -> None:
    texts = [file.read_text(encoding="utf-8") for file in folder.glob("*.py")]
    assert sum("exten => " in text for text in texts) == 1


def test_each_has_tests_and_is_listed() -> None:
    names = [folder.name for folder in FOLDERS]
    assert names == sorted(path.name for path in EXAMPLES.iterdir() if path.suffix != ".md")
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[`(\w+)`\]", listed, re.MULTILINE)) == names
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"literalinclude\} \.\./examples/(\w+)/", page)) == names
