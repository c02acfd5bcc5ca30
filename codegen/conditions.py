"""Conditions of outcomes: which of them cover which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import Range
from .runtime import catalogue_model

if TYPE_CHECKING:
    from pystrix_typed.agi.catalogue_model import Condition

    from .model import When

__all__ = ["condition", "covers"]


def condition(when: When) -> Condition:
    """Give the condition in the form that the catalogue has it."""
    wanted = when.result
    limits = wanted if isinstance(wanted, Range) else Range()
    values: tuple[int | str, ...] = ()
    if isinstance(wanted, tuple):
        values = wanted
    elif isinstance(wanted, (int, str)):
        values = (wanted,)
    return catalogue_model.Condition(
        code=when.code,
        results=tuple(map(str, values)),
        low=limits.min,
        high=limits.max,
        data=when.data,
        text=when.text,
        pairs=tuple(
            (key, True if value is True else str(value)) for key, value in when.pairs.items()
        ),
    )


def covers(wide: Condition, narrow: Condition) -> bool:
    """Tell whether every reply that meets `narrow` meets `wide` too."""
    if wide.code != narrow.code or not _covers_results(wide, narrow):
        return False
    if wide.data is not None and wide.data != narrow.data:
        any_data = wide.data is True and isinstance(narrow.data, str)
        if not any_data:
            return False
    if wide.text is not None and wide.text != narrow.text:
        return False
    pairs = dict(narrow.pairs)
    return all(key in pairs and (value is True or value == pairs[key]) for key, value in wide.pairs)


def _covers_results(wide: Condition, narrow: Condition) -> bool:
    limited = narrow.low is not None or narrow.high is not None
    if wide.results:
        return bool(narrow.results) and set(narrow.results) <= set(wide.results)
    if wide.low is None and wide.high is None:
        return True
    if narrow.results:
        return all(map(wide.within, narrow.results))
    return (
        limited
        and (wide.low is None or (narrow.low is not None and wide.low <= narrow.low))
        and (wide.high is None or (narrow.high is not None and narrow.high <= wide.high))
    )
