"""The types are what they claim to be, to mypy and to pyright alike.

The files in ``tests/typing`` are checked as a user's would be, against the package as it is
installed: both checkers must report what the comments say, where they say it, and nothing else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .checkers import CHECKERS, expected, untyped

FILES = sorted((Path(__file__).parent / "typing").glob("*.py"))


@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_reports_what_the_comments_say(checker: str, tmp_path: Path) -> None:
    assert {file.stem for file in FILES} == {"right", "wrong"}
    wanted = {finding for file in FILES for finding in expected(checker, file)}
    assert len(wanted) > 20
    found = CHECKERS[checker](FILES, tmp_path)
    assert sorted(found - wanted) == [], "reported, but not expected"
    assert sorted(wanted - found) == [], "expected, but not reported"


def test_every_public_name_has_a_type(tmp_path: Path) -> None:
    assert untyped("pystrix_typed", tmp_path) == []
