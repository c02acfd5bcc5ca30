"""Dialplan functions that reckon, and those that take texts apart and put them together."""

from __future__ import annotations

import base64
import hashlib
import math
import operator
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from pystrix_typed.testing.tokens import leading_integer
from pystrix_typed.testing.variables import find_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["TEXT", "TEXT_WRITE", "is_met"]


def is_met(condition: str) -> bool:
    """Tell whether a condition is met, as `IF`, GotoIf and ExecIf take it: a number but 0, a text.

    >>> is_met("00"), is_met("2"), is_met("no"), is_met("")
    (False, True, True, False)
    """
    text = condition.strip()
    return leading_integer(text) != 0 if text[:1].isdigit() else text != ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bare(text: str) -> str:
    """Take the quotes off that a text is in."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _decode(_channel: SimulatedChannel, argument: str) -> str:
    signs = re.match(r"[A-Za-z0-9+/]*", argument)
    known = signs[0] if signs is not None else ""
    known = known[:-1] if len(known) % 4 == 1 else known
    return _text(base64.b64decode(known + "=" * (-len(known) % 4)))


def _digest(name: str) -> Callable[[SimulatedChannel, str], str]:
    def digest(_channel: SimulatedChannel, argument: str) -> str:
        if not argument:
            return ""
        return hashlib.new(name, _bytes(argument), usedforsecurity=False).hexdigest()

    return digest


def _cased(first: str, last: str, by: int) -> Callable[[SimulatedChannel, str], str]:
    # Only those of ASCII have a case for Asterisk.
    signs = range(ord(first), ord(last) + 1)
    table = {sign: chr(sign + by) for sign in signs}
    return lambda _channel, argument: argument.translate(table)


def _cut(channel: SimulatedChannel, argument: str) -> str:
    name, _, rest = argument.partition(",")
    separator, _, fields = rest.partition(",")
    parts = (find_variable(channel, name) or "").split(separator or "-")
    chosen: list[str] = []
    for piece in fields.split("&") if fields else ():
        first, dash, last = piece.partition("-")
        start = leading_integer(first) or 1
        end = (leading_integer(last) or len(parts)) if dash else start
        chosen += parts[start - 1 : end]
    return (separator or "-").join(chosen)


def _field_count(channel: SimulatedChannel, argument: str) -> str:
    name, _, separator = argument.partition(",")
    value = find_variable(channel, name) or ""
    return str(len(value.split(separator)) if separator else 1) if value else "0"


def _if(_channel: SimulatedChannel, argument: str) -> str:
    condition, _, answers = argument.partition("?")
    yes, _, no = answers.partition(":")
    if not condition.strip():
        return ""
    return _bare(yes if is_met(condition) else no)


def _filter(_channel: SimulatedChannel, argument: str) -> str:
    allowed, _, text = argument.partition(",")
    kept = re.compile(f"[{allowed}]") if allowed else None
    return "".join(sign for sign in text if kept is not None and kept.fullmatch(sign))


def _replace(channel: SimulatedChannel, argument: str) -> str:
    name, comma, rest = argument.partition(",")
    signs, _, substitute = rest.partition(",")
    value = find_variable(channel, name) or "" if comma else ""
    return "".join(substitute[:1] if sign in signs else sign for sign in value)


def _replace_text(channel: SimulatedChannel, argument: str) -> str:
    name, _, rest = argument.partition(",")
    old, _, rest = rest.partition(",")
    new, _, most = rest.partition(",")
    value = find_variable(channel, name) or ""
    return value.replace(old, new, leading_integer(most) or -1) if old else value


def _match(_channel: SimulatedChannel, argument: str) -> str:
    found = re.fullmatch(r'"((?:[^"\\]|\\.)*)" ?(.*)', argument, re.DOTALL)
    if found is None:
        return ""
    try:
        return str(int(re.search(found[1], found[2]) is not None))
    except re.error:
        return ""


def _strftime(channel: SimulatedChannel, argument: str) -> str:
    moment, *rest = argument.split(",", 2)
    pattern = rest[1] if len(rest) > 1 else "%c"
    now = channel.exchange.epoch + channel.now // 1000
    seconds = leading_integer(moment) if moment.strip() else now
    zone = rest[0].strip() if rest else ""
    try:
        clock = datetime.fromtimestamp(seconds, ZoneInfo(zone) if zone else UTC)
        return clock.strftime(pattern.replace("%3q", "000"))
    except (KeyError, ValueError, OverflowError, OSError):
        return ""


# ---- reckoning ----

_SUM = re.compile(
    r"\s*(-?[0-9.]+)\s*(<<|>>|<=|>=|==|AND|XOR|OR|[-+*/%^<>])\s*(-?[0-9.]+)\s*", re.IGNORECASE
)
_COMPARES: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}
_RECKONS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else 0.0,
    "%": lambda left, right: float(int(left) % int(right)) if int(right) else 0.0,
    "^": math.pow,
    "<<": lambda left, right: int(left) << int(right),
    ">>": lambda left, right: int(left) >> int(right),
    "AND": lambda left, right: int(left) & int(right),
    "OR": lambda left, right: int(left) | int(right),
    "XOR": lambda left, right: int(left) ^ int(right),
}


def _math(_channel: SimulatedChannel, argument: str) -> str:
    text, _, form = argument.partition(",")
    found = _SUM.fullmatch(text)
    if found is None:
        return ""
    try:
        left, right, sign = float(found[1]), float(found[3]), found[2].upper()
        compares = _COMPARES.get(sign)
        if compares is not None:
            return "TRUE" if compares(left, right) else "FALSE"
        value = float(_RECKONS[sign](left, right))
    except (ValueError, ArithmeticError):
        return ""
    match form.strip()[:1].lower():
        case "i":
            return str(int(value))
        case "h":
            return f"{int(value):x}"
        case "c":
            return chr(int(value) % 256)
        case _:
            return f"{value:.6f}"


def _count(step: int) -> Callable[[SimulatedChannel, str], str]:
    def count(channel: SimulatedChannel, argument: str) -> str:
        value = str(leading_integer(find_variable(channel, argument) or "0") + step)
        channel.variables[argument] = value
        return value

    return count


# ---- lists ----


def _take_from(channel: SimulatedChannel, argument: str, *, last: bool) -> str:
    name, _, separator = argument.partition(",")
    value, separator = find_variable(channel, name) or "", separator or ","
    if last:
        rest, _, taken = value.rpartition(separator)
    else:
        taken, _, rest = value.partition(separator)
    channel.variables[name] = rest
    return taken


def _add_to(channel: SimulatedChannel, argument: str, value: str, *, last: bool) -> None:
    name, _, separator = argument.partition(",")
    old = find_variable(channel, name) or ""
    parts = [each for each in ((old, value) if last else (value, old)) if each]
    channel.variables[name] = (separator or ",").join(parts)


def _set(channel: SimulatedChannel, argument: str) -> str:
    name, _, value = argument.partition("=")
    channel.variables[name] = value
    return value


#: Functions to read.
TEXT: Mapping[str, Callable[[SimulatedChannel, str], str | None]] = {
    "BASE64_DECODE": _decode,
    "BASE64_ENCODE": lambda _channel, argument: base64.b64encode(_bytes(argument)).decode(),
    "CSV_QUOTE": lambda _channel, argument: '"{}"'.format(argument.replace('"', '""')),
    "CUT": _cut,
    "DEC": _count(-1),
    "ENV": lambda _channel, _argument: "",
    "EXISTS": lambda _channel, argument: "1" if argument else "0",
    "FIELDQTY": _field_count,
    "FILTER": _filter,
    "IF": _if,
    "INC": _count(1),
    "ISNULL": lambda _channel, argument: "0" if argument else "1",
    "LEN": lambda _channel, argument: str(len(_bytes(argument))),
    "LOCAL": find_variable,
    "MATH": _math,
    "MD5": _digest("md5"),
    "PASSTHRU": lambda _channel, argument: argument,
    "POP": lambda channel, argument: _take_from(channel, argument, last=True),
    "QUOTE": lambda _channel, argument: '"{}"'.format(re.sub(r'(["\\])', r"\\\1", argument)),
    "REGEX": _match,
    "REPLACE": _replace,
    "SET": _set,
    "SHA1": _digest("sha1"),
    "SHIFT": lambda channel, argument: _take_from(channel, argument, last=False),
    "STRFTIME": _strftime,
    "STRREPLACE": _replace_text,
    "TOLOWER": _cased("A", "Z", 32),
    "TOUPPER": _cased("a", "z", -32),
    "URIDECODE": lambda _channel, argument: unquote(argument, errors="surrogateescape"),
    "URIENCODE": lambda _channel, argument: quote(_bytes(argument), safe="!~*'()"),
}


def _set_local(channel: SimulatedChannel, argument: str, value: str) -> None:
    if channel.frames:
        channel.frames[-1].hidden.setdefault(argument, channel.variables.get(argument))
        channel.variables[argument] = value


def _set_many(channel: SimulatedChannel, argument: str, value: str) -> None:
    names, values = argument.split(","), value.split(",")
    for at, name in enumerate(names):
        channel.variables[name.strip()] = values[at] if at < len(values) else ""


#: Functions to set.
TEXT_WRITE: Mapping[str, Callable[[SimulatedChannel, str, str], None]] = {
    "ARRAY": _set_many,
    "LOCAL": _set_local,
    "PUSH": lambda channel, argument, value: _add_to(channel, argument, value, last=True),
    "UNSHIFT": lambda channel, argument, value: _add_to(channel, argument, value, last=False),
}
