"""The list that a release must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pystrix_typed

from .release import changelog, main

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "# Changelog\n\n## [Unreleased]\n"


def test_a_released_version_is_found() -> None:
    assert not changelog(f"{HEAD}\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- A.\n", "1.2.3").missing


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("# Changelog\n", "first section"),
        ("# Changelog\n\n## [1.2.3] - 2026-01-31\n", "first section"),
        (f"{HEAD}\n### Added\n\n- A.\n", "move what stands under"),
        (f"{HEAD}\n- A.\n\n## [1.2.3] - 2026-01-31\n", "move what stands under"),
        (HEAD, "newest section is not [1.2.3]"),
        (f"{HEAD}\n## [1.2.2] - 2026-01-31\n\n- A.\n", "newest section is not [1.2.3]"),
        (f"{HEAD}\n## [1.2.3]\n\n- A.\n", "has no date"),
    ],
)
def test_what_the_changelog_lacks_is_said(text: str, missing: str) -> None:
    assert missing in changelog(text, "1.2.3").missing


def test_the_list_says_what_is_missing(tmp_path: Path) -> None:
    said: list[str] = []
    assert main([str(tmp_path)], said.append) == 1
    assert f"[x] the version is {pystrix_typed.__version__}" in said
    assert "[ ] one wheel and one source archive of this version are built" in said
    assert any("holds nothing" in line for line in said)
    assert said[-1].startswith("This is no release yet")
