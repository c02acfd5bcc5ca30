"""The model of Asterisk's tokenizer gives what Asterisk's own was seen to give."""

from __future__ import annotations

import pytest

from .tokenizer import words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'NOOP "a b"', [b"a b"]),
        (rb'NOOP a"b c"d', [b"ab cd"]),
        (rb'NOOP "a""b"', [b"ab"]),
        (rb'NOOP "a"b', [b"ab"]),
        (rb'NOOP ""', [b""]),
        (rb'NOOP x""', [b"x"]),
        (rb"NOOP a\ b", [b"a b"]),
        (rb'NOOP "a\"b"', [b'a"b']),
        (rb"NOOP a\"b", [b'a"b']),
        (rb'NOOP "a\\b"', [rb"a\b"]),
        (rb'NOOP "a\nb"', [b"anb"]),
        (b"NOOP abc\\", [b"abc"]),
        (rb'NOOP "unterminated x', [b"unterminated x"]),
        (rb"NOOP 'a b'", [b"'a", b"b'"]),
        (b"NOOP a\tb", [b"a", b"b"]),
        (b'NOOP "a\tb"', [b"a\tb"]),
        ("NOOP ä\udcff".encode("utf-8", "surrogateescape"), [b"\xc3\xa4\xff"]),
        (b"NOOP", []),
        (b"  NOOP  a  ", [b"a"]),
    ],
)
def test_what_asterisk_gives(line: bytes, expected: list[bytes]) -> None:
    assert words(line) == [b"NOOP", *expected]
