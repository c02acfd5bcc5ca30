"""The types are what they claim to be, to mypy and to pyright alike.

The files in ``tests/typing`` are checked as a user's would be, against the package as it is
installed: both checkers must report what the comments say, where they say it, and nothing else.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pystrix_typed.agi.core.catalogue import BY_COMMAND

from .checkers import CHECKERS, expected, untyped

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ROOT / "examples" / "private_commands" / "ticket_agi"
FILES = sorted((Path(__file__).parent / "typing").glob("*.py"))


@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_reports_what_the_comments_say(checker: str, tmp_path: Path) -> None:
    assert {file.stem for file in FILES} == {
        "actions",
        "handlers",
        "own_commands",
        "right",
        "wrong",
    }
    shutil.copytree(GENERATED, tmp_path / GENERATED.name)
    wanted = {finding for file in FILES for finding in expected(checker, file)}
    assert len(wanted) > 20
    found = CHECKERS[checker](FILES, tmp_path)
    assert sorted(found - wanted) == [], "reported, but not expected"
    assert sorted(wanted - found) == [], "expected, but not reported"


def test_every_public_name_has_a_type(tmp_path: Path) -> None:
    assert untyped("pystrix_typed", tmp_path) == []


def test_every_action_is_among_them() -> None:
    source = (Path(__file__).parent / "typing" / "actions.py").read_text(encoding="utf-8")
    given = set(re.findall(r"execute\(core\.(\w+)\(", source))
    assert given == {command.class_name for command in BY_COMMAND.values()}
