"""What makes a record a dataclass to `dataclasses.fields` and its like: loaded when one asks."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from typing import Any

    from pystrix_typed.agi.record import Record

__all__ = ["dataclass_of"]

_made: WeakKeyDictionary[type[Record], type] = WeakKeyDictionary()


def dataclass_of(owner: type[Record]) -> type:
    """Give a dataclass with the fields of a class of records."""
    made = _made.get(owner)
    if made is None:
        made = _made[owner] = _make(owner)
    return made


def _make(owner: type[Record]) -> type:
    names = owner.__match_args__
    if not names and owner.__init__ is object.__init__:
        defaults: tuple[object, ...] = ()
    else:
        defaults = owner.__init__.__defaults__ or ()
    required = len(names) - len(defaults)
    specs: list[Any] = []
    for position, name in enumerate(names):
        annotation = _annotation(owner, name)
        if position < required:
            specs.append((name, annotation))
        else:
            default = defaults[position - required]
            specs.append((name, annotation, dataclasses.field(default=default)))
    return dataclasses.make_dataclass(owner.__name__, specs, frozen=True)


def _annotation(owner: type[Record], name: str) -> object:
    for cls in owner.__mro__:
        annotations = inspect.get_annotations(cls)
        if name in annotations:
            annotation: object = annotations[name]
            # As it is written: in quotes, unless it is the name of a built-in type.
            return annotation.__name__ if isinstance(annotation, type) else annotation
    return object
