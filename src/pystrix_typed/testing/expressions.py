"""Dialplan text: ``${...}`` stands for variables and functions, ``$[...]`` is reckoned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["evaluate", "expand", "substring"]

_TOKEN = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|(\|\||&&|!=|>=|<=|=~|[|&=<>+*/%?:()!-])|([^\s"|&=<>+*/%?:()!]+))'
)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_LEVELS = (("|", "||"), ("&", "&&"), ("=", "!=", "<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))


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
        parts.append(_value(inner, look_up) if opening == "{" else evaluate(inner))
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
            offset, _, length = name[at + 1 :].partition(":")
            return substring(look_up(name[:at]), _number(offset), _number(length, None))
    return look_up(name)


def _number(text: str, default: int | None = 0) -> int | None:
    try:
        return int(text)
    except ValueError:
        return default


def substring(value: str, offset: int | None, length: int | None) -> str:
    """Cut a piece out of a value, as ``${NAME:offset:length}`` does.

    Negative numbers count from the end.
    """
    start = offset or 0
    if start < 0:
        start = max(len(value) + start, 0)
    if length is None:
        return value[start:]
    if length < 0:
        return value[start : max(len(value) + length, start)]
    return value[start : start + length]


def evaluate(text: str) -> str:
    """Reckon an expression; empty when it is none.

    ``|``, ``&``, comparisons, ``+ - * / %``, ``!`` and brackets, as in ``1 + 2 = 3 & "a" != "b"``.
    Numbers are compared as numbers, everything else as text.
    """
    tokens: list[tuple[bool, str]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            return ""
        quoted, operator, word = match.groups()
        tokens.append((operator is not None, operator or word or quoted or ""))
        at = match.end()
    try:
        return _Reckoning(tokens).result()
    except (IndexError, ArithmeticError, ValueError):
        return ""


class _Reckoning:
    """One expression, level by level of its operators."""

    def __init__(self, tokens: list[tuple[bool, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def result(self) -> str:
        value = self._level(0)
        if self._at < len(self._tokens):
            raise ValueError("words are left over")
        return value

    def _operator(self, wanted: tuple[str, ...]) -> str:
        """Take the next operator if it is one of these."""
        if self._at < len(self._tokens):
            is_operator, text = self._tokens[self._at]
            if is_operator and text in wanted:
                self._at += 1
                return text
        return ""

    def _level(self, level: int) -> str:
        if level == len(_LEVELS):
            return self._single()
        left = self._level(level + 1)
        while operator := self._operator(_LEVELS[level]):
            left = _apply(operator, left, self._level(level + 1))
        return left

    def _single(self) -> str:
        if self._operator(("!",)):
            return "0" if _true(self._single()) else "1"
        if self._operator(("-",)):
            return _apply("-", "0", self._single())
        if self._operator(("(",)):
            value = self._level(0)
            if not self._operator((")",)):
                raise ValueError("a bracket is not closed")
            return value
        is_operator, text = self._tokens[self._at]
        if is_operator:
            raise ValueError("an operator has nothing to work on")
        self._at += 1
        return text


def _true(value: str) -> bool:
    return value not in ("", "0")


def _apply(operator: str, left: str, right: str) -> str:
    numbers = bool(_NUMBER.fullmatch(left) and _NUMBER.fullmatch(right))
    match operator:
        case "|" | "||":
            return left if _true(left) else right
        case "&" | "&&":
            return left if _true(left) and _true(right) else "0"
        case "+" | "-" | "*" | "/" | "%":
            return _reckon(operator, float(left or 0), float(right or 0))
        case _:
            first, second = (float(left), float(right)) if numbers else (left, right)
            return str(int(_compare(operator, first, second)))


def _compare(operator: str, left: float | str, right: float | str) -> bool:
    # Both are numbers, or both are texts.
    if isinstance(left, str) or isinstance(right, str):
        left, right = str(left), str(right)
        order = (left > right) - (left < right)
    else:
        order = (left > right) - (left < right)
    return {
        "=": order == 0,
        "!=": order != 0,
        "<": order < 0,
        ">": order > 0,
        "<=": order <= 0,
        ">=": order >= 0,
    }[operator]


def _reckon(operator: str, left: float, right: float) -> str:
    match operator:
        case "+":
            value = left + right
        case "-":
            value = left - right
        case "*":
            value = left * right
        case "/":
            value = left / right
        case _:
            value = float(int(left) % int(right))
    return str(int(value)) if value == int(value) else f"{value:g}"
