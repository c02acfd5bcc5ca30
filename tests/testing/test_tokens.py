"""Words and numbers, as Asterisk was seen to read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystrix_typed.testing.tokens import (
    MOST_WORDS,
    integer,
    leading_integer,
    long_integer,
    real,
    split,
)

from ..tokenizer import words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'NOOP "a b"', ["NOOP", "a b"]),
        (b'NOOP a"b c"d', ["NOOP", "ab cd"]),
        (b'NOOP "a""b"', ["NOOP", "ab"]),
        (b'NOOP ""', ["NOOP", ""]),
        (b'NOOP x""', ["NOOP", "x"]),
        (rb"NOOP a\ b", ["NOOP", "a b"]),
        (rb'NOOP "a\"b" a\"b', ["NOOP", 'a"b', 'a"b']),
        (rb'NOOP "a\\b" "a\nb"', ["NOOP", r"a\b", "anb"]),
        (b"NOOP abc\\", ["NOOP", "abc"]),
        (b'NOOP "unterminated x', ["NOOP", "unterminated x"]),
        (b"NOOP 'a b'", ["NOOP", "'a", "b'"]),
        (b'NOOP\ta\t"b\tc"', ["NOOP", "a", "b\tc"]),
        ("NOOP grüße".encode(), ["NOOP", "grüße"]),
        (b"NOOP \xff", ["NOOP", "\udcff"]),
        (b"", []),
        (b"  ", []),
    ],
)
def test_words(line: bytes, expected: list[str]) -> None:
    assert split(line) == expected


def test_words_beyond_the_array_are_dropped_unless_they_are_quoted() -> None:
    assert split(b"x " * 200) == ["x"] * MOST_WORDS
    assert len(split(b'"x" ' * 200)) == 200


@given(st.binary(max_size=60).filter(lambda data: data.count(b" ") < 50))
def test_words_are_those_of_the_other_model(line: bytes) -> None:
    assert split(line) == [word.decode("utf-8", "surrogateescape") for word in words(line)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12abc", 12),
        ("1.9", 1),
        (" 7", 7),
        ("+3", 3),
        ("-5", -5),
        ("", None),
        ("x1", None),
        ("2147483648", -2147483648),
        ("4294967297", 1),
        ("99999999999999999999", -1),
    ],
)
def test_integers(text: str, value: int | None) -> None:
    assert integer(text) == value
    assert leading_integer(text) == (value or 0)


def test_other_numbers() -> None:
    assert long_integer("4294967297 ") == 4294967297
    assert long_integer("x") is None
    assert real("1.5s") == 1.5
    assert real("-.5") == -0.5
    assert real("soon") is None
