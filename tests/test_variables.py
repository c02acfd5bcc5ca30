"""The environment reads what a stranger sent: whatever it is, nothing is raised."""

# The generated properties call what is private here.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystrix_typed.agi import Environment
from pystrix_typed.agi.core.catalogue import ENVIRONMENT
from pystrix_typed.agi.variables import Variables

NAMES = sorted({f"{entry.name}1" if entry.name[-1] == "_" else entry.name for entry in ENVIRONMENT})


@given(st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text()), st.text()))
def test_nothing_is_raised_whatever_was_sent(raw: dict[str, str]) -> None:
    environment = Environment(raw)
    for entry in ENVIRONMENT:
        getattr(environment, entry.attribute)
    assert environment.raw == raw
    assert set(environment.others) <= set(raw)
    assert not set(environment.others) & set(NAMES)


def test_everything_that_was_sent_is_kept() -> None:
    raw = {"agi_channel": "SIP/1", "agi_new": "x", "agi_arg_1": "a", "other": ""}
    environment = Environment(raw)
    assert environment.raw == raw
    assert environment.others == {"agi_new": "x", "other": ""}
    assert environment == Environment(dict(raw))
    assert environment != Environment({})
    assert hash(environment) == hash(Environment(dict(raw)))
    assert pickle.loads(pickle.dumps(environment)) == environment
    assert repr(environment) == f"Environment({raw!r})"


def test_unknown_is_none() -> None:
    assert Environment({"agi_callerid": "unknown"}).caller_id is None
    assert Environment({}).caller_id is None
    assert Environment({"agi_callerid": "100"}).caller_id == "100"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-5", -5),
        ("140234567890123", 140234567890123),
        ("", None),
        ("-", None),
        ("--5", None),
        ("5 ", None),
        ("1_0", None),
        ("\u0665", None),
        ("9" * 5000, None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert Environment({"agi_priority": text}).priority == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.0", 1.0),
        ("-2.5", -2.5),
        ("3", 3.0),
        ("", None),
        (".", None),
        ("nan", None),
        ("1e9", None),
    ],
)
def test_numbers(text: str, number: float | None) -> None:
    assert Variables({"x": text})._number("x") == number


@pytest.mark.parametrize(("text", "value"), [("1.0", True), ("0.0", False), ("", False)])
def test_yes_or_no(text: str, value: bool) -> None:
    assert Environment({"agi_enhanced": text}).enhanced is value


def test_arguments_end_at_the_first_gap() -> None:
    raw = {"agi_arg_1": "a", "agi_arg_2": "", "agi_arg_4": "d"}
    assert Environment(raw).arguments == ("a", "")
    assert Environment({}).arguments == ()


def test_script_and_query() -> None:
    environment = Environment({"agi_network_script": "menu/1?lang=de&lang=en&empty=&x=%20"})
    assert environment.script == "menu/1"
    assert environment.query == {"lang": ("de", "en"), "empty": ("",), "x": (" ",)}
    assert Environment({"agi_network_script": "menu"}).query == {}
    assert Environment({}).script == ""
    assert Environment({"agi_network_script": "x?" + "a&" * 5000}).query == {}
