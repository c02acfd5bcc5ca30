"""The tree of exceptions is the one that is drawn in the docstring."""

from __future__ import annotations

import re

from pystrix_typed.agi import exceptions

DRAWN = re.compile(r"^( *[│├└─ ]*)(AGI\w+) ", re.MULTILINE)


def test_the_drawing_is_the_tree() -> None:
    assert exceptions.__doc__
    parents: list[str] = []
    drawn: set[tuple[str, str]] = set()
    for indent, name in DRAWN.findall(exceptions.__doc__):
        depth = len(indent) // 4 - 1
        parents[depth:] = [name]
        drawn.add((parents[depth - 1] if depth else "", name))
    real = {
        (base.__name__ if issubclass(base, exceptions.AGIException) else "", name)
        for name in exceptions.__all__
        for base in getattr(exceptions, name).__bases__
        if name != "Item" and base is not TimeoutError
    }
    assert drawn == real
