"""Dialplan text: ``${...}`` stands for variables and functions, ``$[...]`` is reckoned."""

from __future__ import annotations

import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["evaluate", "expand", "substring"]

_TOKEN = re.compile(
    r'\s*(?:("[^"]*")|(\|\||&&|!=|>=|<=|==|=~|~~|::|[|&=<>+*/%?:(),!-])|([^\s"|&=<>+*/%?:(),!~-]+)|(.))'
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_PIECE = re.compile(r"\s*([+-]?[0-9]+)(?::\s*([+-]?[0-9]+))?", re.ASCII)
#: Binary operators, from those that bind loosely to those that bind fast.
_LEVELS = (
    ("|", "||"),
    ("&", "&&"),
    ("=", "==", "!=", "<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/", "%"),
    (":", "=~", "~~"),
)
_UNARY = 5
#: Significant digits of a result.
_DIGITS = 18
#: What a division by zero gives.
_LARGEST = "2147483647"
#: What no expression consists of; alone it is nothing.
_STRAY = frozenset("${}[]")


def expand(text: str, look_up: Callable[[str], str]) -> str:
    """Replace what stands for something else.

    Args:
        text: As in a dialplan.
        look_up: Gives the value of a variable, or of a function with its arguments, as in
            ``LEN(abc)``; what has none is empty.
    """
    parts: list[str] = []
    at = 0
    while True:
        start = text.find("$", at)
        if start < 0 or start + 1 >= len(text):
            parts.append(text[at:])
            return "".join(parts)
        opening = text[start + 1]
        if opening not in "{[":
            parts.append(text[at : start + 1])
            at = start + 1
            continue
        parts.append(text[at:start])
        end = _closing(text, start + 1, opening, "}" if opening == "{" else "]")
        inner = expand(text[start + 2 : end], look_up)
        parts.append(_value(inner, look_up) if opening == "{" else evaluate(inner, look_up))
        at = end + 1


def _closing(text: str, start: int, opening: str, closing: str) -> int:
    """Find the bracket that closes the one at `start`; the end of the text if none does."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] == opening:
            depth += 1
        elif text[at] == closing:
            depth -= 1
            if not depth:
                return at
    return len(text)


def _value(name: str, look_up: Callable[[str], str]) -> str:
    """Look up ``NAME``, ``NAME:offset`` or ``NAME:offset:length``."""
    depth = 0
    for at, character in enumerate(name):
        depth += (character == "(") - (character == ")")
        if character == ":" and not depth:
            value = look_up(name[:at])
            piece = _PIECE.match(name, at + 1)
            if piece is None:
                return value
            return substring(value, int(piece[1]), None if piece[2] is None else int(piece[2]))
    return look_up(name)


def substring(value: str, offset: int, length: int | None) -> str:
    """Cut a piece out of a value, as ``${NAME:offset:length}`` does.

    Negative numbers count from the end.
    """
    start = offset
    if start < 0:
        start = max(len(value) + start, 0)
    if length is None:
        return value[start:]
    if length < 0:
        return value[start : max(len(value) + length, start)]
    return value[start : start + length]


class _Value(NamedTuple):
    """A value: its text, in quotes if it was quoted, and its number if it is one."""

    text: str
    number: Fraction | None = None

    @property
    def true(self) -> bool:
        return self.text != "" if self.number is None else self.number != 0

    @property
    def bare(self) -> str:
        """The text without its quotes."""
        return self.text[1:-1] if self.text[:1] == '"' else self.text


def _word(text: str) -> _Value:
    return _Value(text, Fraction(text) if _NUMBER.fullmatch(text) else None)


def _number(number: Fraction | float) -> _Value:
    exact = Fraction(number)
    with localcontext(prec=_DIGITS):
        value = (Decimal(exact.numerator) / Decimal(exact.denominator)).normalize()
    power = value.adjusted()
    if value and not -5 < power < _DIGITS:
        digits = f"{value.scaleb(-power):f}"
        return _Value(f"{digits}e{'-' if power < 0 else '+'}{abs(power):02}", exact)
    return _Value(f"{value:f}", exact)


def evaluate(text: str, look_up: Callable[[str], str] | None = None) -> str:
    """Reckon an expression, as in ``1 + 2 = 3 & "a" != "b"``.

    Numbers are compared as numbers, everything else as text, in which quotes count: ``"a" = a`` is
    false. What makes no sense behind a whole expression is not looked at; an expression that is not
    whole is ``0``.

    Args:
        text: What stands in the brackets.
        look_up: Calls a dialplan function, as in ``LEN(abc)``.
    """
    tokens: list[tuple[bool, str]] = []
    for match in _TOKEN.finditer(text.rstrip()):
        quoted, operator, word, _ = match.groups()
        given = quoted or operator or word
        if given and not (word and set(word) <= _STRAY):
            tokens.append((operator is not None, given))
    if not tokens or (tokens[0][0] and tokens[0][1] not in "!-("):
        return ""
    try:
        return _Reckoning(tokens, look_up).result().text
    except (IndexError, ValueError):
        return "0"


class _Reckoning:
    """One expression, level by level of its operators."""

    def __init__(
        self, tokens: list[tuple[bool, str]], look_up: Callable[[str], str] | None
    ) -> None:
        self._tokens = tokens
        self._look_up = look_up
        self._at = 0

    def result(self) -> _Value:
        condition = self._level(0)
        if not self._operator(("?",)):
            return condition
        first = self.result()
        if not self._operator(("::",)):
            raise ValueError("there is no other choice")
        second = self.result()
        return first if condition.true else second

    def _operator(self, wanted: tuple[str, ...]) -> str:
        """Take the next operator if it is one of these."""
        if self._at < len(self._tokens):
            is_operator, text = self._tokens[self._at]
            if is_operator and text in wanted:
                self._at += 1
                return text
        return ""

    def _level(self, level: int) -> _Value:
        if level == _UNARY:
            if self._operator(("!",)):
                return _number(not (self._level(level).number or 0))
            if self._operator(("-",)):
                number = self._level(level).number or Fraction(0)
                return _number(-number) if number else _Value("-0", number)
        if level == len(_LEVELS):
            return self._single()
        left = self._level(level + 1)
        while operator := self._operator(_LEVELS[level]):
            left = _apply(operator, left, self._level(level + 1))
        return left

    def _single(self) -> _Value:
        if self._operator(("(",)):
            value = self.result()
            if not self._operator((")",)):
                raise ValueError("a bracket is not closed")
            return value
        is_operator, text = self._tokens[self._at]
        if is_operator:
            raise ValueError("an operator has nothing to work on")
        self._at += 1
        return self._call(text) if self._operator(("(",)) else _word(text)

    def _call(self, name: str) -> _Value:
        """Call a function of expressions, or one of the dialplan."""
        arguments: list[_Value] = []
        while not self._operator((")",)):
            arguments.append(self.result())
            self._operator((",",))
        numbers = [float(each.number or 0) for each in arguments]
        own = _ONE.get(name.upper())
        try:
            if own is not None and len(numbers) == 1:
                return _number(own(numbers[0]))
            if name.upper() == "POW" and len(numbers) == 2:
                return _number(math.pow(*numbers))
        except (ValueError, ArithmeticError):
            return _word("0")
        called = f"{name}({','.join([each.text for each in arguments])})"
        return _word((self._look_up(called) if self._look_up is not None else "") or "0")


def _rounded(number: float) -> float:
    return math.copysign(math.floor(abs(number) + 0.5), number)


#: What expressions know by themselves, beside POW.
_ONE: dict[str, Callable[[float], float]] = {
    "ABS": math.fabs,
    "CEIL": math.ceil,
    "EXP": math.exp,
    "FLOOR": math.floor,
    "LOG": math.log,
    "LOG10": math.log10,
    "ROUND": _rounded,
    "SQRT": math.sqrt,
    "TRUNC": math.trunc,
}


def _apply(operator: str, left: _Value, right: _Value) -> _Value:
    match operator:
        case "|" | "||":
            return left if left.true else right
        case "&" | "&&":
            return left if left.true and right.true else _word("0")
        case "+" | "-" | "*" | "/" | "%":
            return _reckon(operator, left.number or Fraction(0), right.number or Fraction(0))
        case "~~":
            return _word(left.bare + right.bare)
        case ":" | "=~":
            return _matched(left.bare, right.bare, anywhere=operator == "=~")
        case _:
            return _word(str(int(_compare(operator, left, right))))


def _matched(text: str, pattern: str, *, anywhere: bool) -> _Value:
    """Give the first group of what matches, or its length."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return _word("0")
    match = compiled.search(text) if anywhere else compiled.match(text)
    if compiled.groups:
        return _word("" if match is None else match[1] or "")
    return _word("0" if match is None else str(match.end() - match.start()))


def _compare(operator: str, left: _Value, right: _Value) -> bool:
    if left.number is not None and right.number is not None:
        order = (left.number > right.number) - (left.number < right.number)
    else:
        first, second = (each.text.encode("utf-8", "surrogateescape") for each in (left, right))
        order = (first > second) - (first < second)
    return {
        "=": order == 0,
        "==": order == 0,
        "!=": order != 0,
        "<": order < 0,
        ">": order > 0,
        "<=": order <= 0,
        ">=": order >= 0,
    }[operator]


def _reckon(operator: str, left: Fraction, right: Fraction) -> _Value:
    match operator:
        case "+":
            return _number(left + right)
        case "-":
            return _number(left - right)
        case "*":
            return _number(left * right)
        case "/":
            return _number(left / right) if right else _word(_LARGEST)
        case _:
            # The sign is that of the number that is divided.
            return _number(left - right * math.trunc(left / right)) if right else _word("0")
