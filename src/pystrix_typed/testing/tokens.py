"""How Asterisk reads a command line: words and numbers.

Written from what Asterisk was seen to do, and not from how the runtime writes: the two know nothing
of each other, so that each can find the other's mistakes.
"""

from __future__ import annotations

import re

__all__ = ["MOST_WORDS", "integer", "leading_integer", "long_integer", "real", "split", "text_of"]

#: Words beyond this are dropped, unless they begin with a quote.
MOST_WORDS = 127

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)", re.ASCII)
_REAL = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)", re.ASCII
)
_WIDTH = 30


def text_of(data: bytes) -> str:
    """Give bytes as text; those that are not UTF-8 are kept as surrogates."""
    return data.decode("utf-8", "surrogateescape")


def split(line: bytes) -> list[str]:
    r"""Split a command line, without its line feed, into words.

    A backslash takes the next character as it is, anywhere. A double quote switches quoting, in the
    middle of a word too. Blanks and tabs outside of quotes end a word.

    >>> split(rb'GET DATA "a \"b\"" 5')
    ['GET', 'DATA', 'a "b"', '5']
    """
    words: list[bytearray] = []
    inside = quoted = escaped = False
    for byte in line:
        character = chr(byte)
        if character == "\\" and not escaped:
            escaped = True
        elif character == '"' and not escaped:
            quoted = not quoted
            if quoted and not inside:
                words.append(bytearray())
                inside = True
        elif character in " \t" and not quoted and not escaped:
            inside = False
        elif inside or len(words) < MOST_WORDS:
            if not inside:
                words.append(bytearray())
                inside = True
            words[-1].append(byte)
            escaped = False
    return [text_of(bytes(word)) for word in words]


def _whole(text: str, bits: int) -> int | None:
    found = _INTEGER.match(text)
    if found is None:
        return None
    value = int(found[1][:_WIDTH])
    limit = 1 << (bits - 1)
    if bits == 64:
        return max(-limit, min(value, limit - 1))
    # The number is read as a long one, and cut.
    wide = max(-(1 << 63), min(value, (1 << 63) - 1))
    return (wide + limit) % (1 << bits) - limit


def integer(text: str) -> int | None:
    """Read a number of 32 bits as ``%30d`` does: digits at the beginning count; None without any.

    >>> integer("12abc"), integer("1.9"), integer(" 7"), integer("x"), integer("")
    (12, 1, 7, None, None)
    """
    return _whole(text, 32)


def long_integer(text: str) -> int | None:
    """Read a number of 64 bits as ``%30ld`` does."""
    return _whole(text, 64)


def leading_integer(text: str) -> int:
    """Read a number as ``atoi`` does: what is none is 0."""
    return _whole(text, 32) or 0


def real(text: str) -> float | None:
    """Read a number with a fraction as ``%30lf`` does; None when there is none."""
    found = _REAL.match(text[:_WIDTH])
    return None if found is None else float(found[1])
