"""Which sound files are played for a number, a text or a time, in English."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = [
    "DATE",
    "DATETIME",
    "TIME",
    "alpha_files",
    "digit_files",
    "number_files",
    "phonetic_files",
    "time_files",
]

DATE, TIME, DATETIME = "ABdY", "IMp", "ABdY 'digits/at' IMp"

_SIGNS = {"#": "pound", "*": "star", "-": "minus"}
_NAMED = {
    "!": "exclaimation-point",
    "@": "at",
    "$": "dollar",
    "/": "slash",
    "=": "equals",
    "+": "plus",
    " ": "space",
    ".": "dot",
    "-": "dash",
    "*": "asterisk",
    "#": "pound",
}
#: Beyond this many seconds Python knows no date; nobody is called then.
_LAST = 60_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _sign(name: str) -> str:
    return f"digits/{_SIGNS.get(name, name)}"


def number_files(number: int) -> list[str]:
    """Give the files for a number."""
    if number < 0:
        return ["digits/minus", *number_files(-number)]
    if not number:
        return ["digits/0"]
    files: list[str] = []
    for size, name in ((1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand")):
        if number >= size:
            files += [*number_files(number // size), f"digits/{name}"]
            number %= size
    if number >= 100:
        files += [f"digits/{number // 100}", "digits/hundred"]
        number %= 100
    if number > 20 and number % 10:
        files += [f"digits/{number // 10 * 10}", f"digits/{number % 10}"]
    elif number:
        files.append(f"digits/{number}")
    return files


def digit_files(text: str) -> list[str]:
    """Give the files for a string of digits; other signs are left out."""
    return [_sign(sign) for sign in text if sign in "0123456789#*-"]


def alpha_files(text: str, case: str = "") -> list[str]:
    """Give the files for a spelled text.

    Args:
        text: What is spelled.
        case: Whose case is told: ``a`` all letters', ``u`` and ``l`` capitals' and small ones'.
    """
    files: list[str] = []
    for sign in text:
        if sign.isascii() and sign.isalpha():
            upper = sign.isupper()
            if case == "a" or (case == "u" and upper) or (case == "l" and not upper):
                files.append("uppercase" if upper else "lowercase")
            files.append(f"letters/{sign.lower()}")
        elif sign.isascii() and sign.isdigit():
            files.append(f"digits/{sign}")
        elif sign in _NAMED:
            files.append(f"letters/{_NAMED[sign]}")
    return files


def phonetic_files(text: str) -> list[str]:
    """Give the files for a text in the telephone alphabet."""
    files: list[str] = []
    for sign in text:
        if sign.isascii() and sign.isalpha():
            files.append(f"phonetic/{sign.lower()}_p")
        elif sign.isascii() and sign.isdigit():
            files.append(f"digits/{sign}")
        elif sign in _NAMED:
            files.append(f"letters/{_NAMED[sign]}")
    return files


def time_files(seconds: int, pattern: str, zone: str = "") -> list[str]:
    """Give the files for a moment.

    Args:
        seconds: Since 1970.
        pattern: As in voicemail.conf: ``A`` the day of the week, ``B`` the month, ``d`` the day,
            ``Y`` the year, ``H`` or ``I`` the hour, ``M`` the minute, ``p`` the half of the day,
            ``S`` the second, and names of files in single quotes.
        zone: The time zone; the simulated server stands in UTC.
    """
    near = max(min(seconds, _LAST), -_LAST)
    moment = (_EPOCH + timedelta(seconds=near)).astimezone(_zone(zone))
    files: list[str] = []
    for quoted, letter in re.findall(r"'([^']*)'|(\S)", pattern):
        files += [quoted] if quoted else _part(moment, letter)
    return files


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _part(moment: datetime, letter: str) -> list[str]:
    hour, minute = moment.hour, moment.minute
    match letter:
        case "A" | "a":
            return [f"digits/day-{(moment.weekday() + 1) % 7}"]
        case "B" | "b" | "h":
            return [f"digits/mon-{moment.month - 1}"]
        case "m":
            return [f"digits/h-{moment.month}"]
        case "d" | "e":
            return _ordinal(moment.day)
        case "Y":
            return _year(moment.year)
        case "I" | "l":
            return number_files(hour % 12 or 12)
        case "H" | "k":
            zero = ["digits/oh"] if letter == "H" and hour < 10 else []
            return [*zero, *number_files(hour)]
        case "M" | "N":
            if not minute:
                return ["digits/oclock"] if letter == "M" else ["digits/hundred"]
            return [*(["digits/oh"] if minute < 10 else []), *number_files(minute)]
        case "P" | "p":
            return ["digits/p-m" if hour >= 12 else "digits/a-m"]
        case "S":
            return number_files(moment.second)
        case "R":
            return [*_part(moment, "H"), *_part(moment, "M")]
        case "Q" | "q":
            return [*_part(moment, "A"), *_part(moment, "B"), *_part(moment, "d")]
        case _:
            return []


def _ordinal(number: int) -> list[str]:
    if number <= 20 or not number % 10:
        return [f"digits/h-{number}"]
    return [f"digits/{number // 10 * 10}", f"digits/h-{number % 10}"]


def _year(year: int) -> list[str]:
    if 1100 <= year < 2000 and year % 100:
        low = year % 100
        return [
            *number_files(year // 100),
            *(["digits/oh"] if low < 10 else []),
            *number_files(low),
        ]
    return number_files(year)
