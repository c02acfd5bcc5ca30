"""What records are to `dataclasses` and its like, which they do not import."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import pprint

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core

PLAYED = core.PlaybackResult("1", 8000)
ALL = [getattr(core, name) for name in core.__all__]
RECORDS = [each for each in ALL if isinstance(each, type) and issubclass(each, agi.Record)]


@pytest.mark.parametrize("base", [agi.Record, agi.Action])
def test_asking_a_base_takes_nothing_from_the_others(base: type[agi.Record]) -> None:
    assert dataclasses.is_dataclass(base)
    assert dataclasses.fields(base) == ()
    assert dataclasses.asdict(PLAYED) == {"digit": "1", "end_position": 8000}
    assert dataclasses.replace(PLAYED, digit="2") == core.PlaybackResult("2", 8000)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_one_has_its_fields_in_order(record: type[agi.Record]) -> None:
    assert tuple(field.name for field in dataclasses.fields(record)) == record.__match_args__


def test_one_that_is_too_wide_is_printed_in_lines() -> None:
    text = pprint.pformat([PLAYED] * 3, width=20)
    assert text.count("PlaybackResult(digit='1', end_position=8000)") == 3
    assert text.count("\n") == 2


@dataclasses.dataclass(frozen=True)
class Noted(core.DigitResult):
    """A result with something added."""

    note: str = ""


def test_a_dataclass_can_be_made_of_one() -> None:
    noted = Noted("1", "first")
    assert dataclasses.asdict(noted) == {"digit": "1", "note": "first"}
    assert dataclasses.replace(noted, digit="2") == Noted("2", "first")
    assert dataclasses.asdict(core.DigitResult("3")) == {"digit": "3"}
    assert copy.copy(noted) == noted
    assert noted != core.DigitResult("1")


def test_values_survive_a_pickle() -> None:
    for value in (PLAYED, core.StreamFile("prompt", "#"), core.Answer()):
        assert pickle.loads(pickle.dumps(value)) == value
