"""What a caller keyed in or said during one call, and how to take it out of a text.

A PIN does not stay in the reply that brought it: a handler stores it, looks it up, says it back,
and some exception quotes it. So it is remembered while the call lasts, and hidden wherever it comes
again. What is shorter than three characters is too common to be hidden elsewhere.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MASK", "Keyed"]

#: What stands in place of something hidden; it does not tell how long that was.
MASK: Final = "***"

#: Shorter things are hidden where they come from, and nowhere else.
_SHORTEST: Final = 3
#: What is remembered of a call, so that an endless one takes no endless memory.
_MOST_TEXTS: Final = 256
_MOST_KEYS: Final = 256
#: A text of more characters is not a thing that callers key in.
_LONGEST: Final = 2048

_RUN: Final = re.compile(r"[\w*#]{3,}")
_PARTS: Final = re.compile(r"[*#]+")
#: As many digits as payment cards have (ISO/IEC 7812), perhaps in groups.
_CARD: Final = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){13,18}(?![0-9])")


class Keyed:
    """What was keyed in or said in one call."""

    __slots__ = ("_keys", "_names", "_texts")

    def __init__(self) -> None:
        # None for a plain one, which looks the same wherever it comes.
        self._texts: dict[str, re.Pattern[str] | None] = {}
        # Keys that came one at a time, one behind the other.
        self._keys = ""
        # Variables that hold such things.
        self._names: dict[str, re.Pattern[str]] = {}

    def add(self, text: str) -> None:
        """Remember an entry: digits of a caller's, words of a caller's, the value of a secret."""
        if len(text) < _SHORTEST:
            self._keys = (self._keys + text)[-_MOST_KEYS:]
            return
        text = text[:_LONGEST]
        # Entries are taken apart at their signs, and lose their zeros when they become numbers.
        for part in {text, *_PARTS.split(text)}:
            for form in (part, part.lstrip("0")):
                if len(form) >= _SHORTEST:
                    self._texts[form] = self._texts.pop(form, None) or _pattern(form)
        while len(self._texts) > _MOST_TEXTS:
            del self._texts[next(iter(self._texts))]

    def fills(self, name: str) -> None:
        """Remember a variable that was filled with what the caller keyed in."""
        if len(self._names) < _MOST_TEXTS:
            self._names[name] = re.compile(rf"(?<![^\W_]){re.escape(name)}(?!\w)")

    def filled(self, name: str) -> bool:
        """Tell whether a variable, or an expression, has to do with such a variable."""
        return any(pattern.search(name) for pattern in self._names.values())

    def scrub(self, text: str) -> str:
        """Give a text without what was keyed in, and without anything like a card number."""
        # The longest first: a shorter one may be a part of it.
        for known in sorted(self._texts, key=len, reverse=True):
            pattern = self._texts[known]
            text = text.replace(known, MASK) if pattern is None else pattern.sub(MASK, text)
        if len(self._keys) >= _SHORTEST:
            text = _RUN.sub(self._hide_run, text)
        return _CARD.sub(_hide_card, text)

    def _hide_run(self, found: re.Match[str]) -> str:
        """Hide keys that came one at a time: as they came, or within a longer number."""
        run, keys = found[0], self._keys
        # A window of three would be in every other telephone number.
        if run in keys or any(run[at : at + 4] in keys for at in range(len(run) - 3)):
            return MASK
        return run


def _pattern(text: str) -> re.Pattern[str] | None:
    """Give what finds a text however it was escaped: on the wire, for an application, by Python."""
    if text.isalnum() and text.isascii():
        return None
    signs = [_escapable(sign) for sign in text if sign != "\\"]
    if len(signs) < _SHORTEST:
        return re.compile(re.escape(text))
    return re.compile(r"\\*".join(signs))


def _escapable(sign: str) -> str:
    if sign.isascii() and sign.isprintable():
        return re.escape(sign)
    number = ord(sign)
    forms = [re.escape(sign), r"\\+" + re.escape(ascii(sign)[2:-1])]
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no UTF-8
        forms.append(rf"\\+x{number - 0xDC00:02x}")
    return f"(?:{'|'.join(forms)})"


def _hide_card(found: re.Match[str]) -> str:
    """Hide what has the check digit of a card (Luhn)."""
    digits = [int(sign) for sign in reversed(found[0]) if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return found[0] if (sum(digits[::2]) + sum(doubled)) % 10 else MASK
