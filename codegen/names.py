"""Names that generated code may use, and why others would break it."""

from __future__ import annotations

import builtins
import keyword
import re
from unicodedata import normalize

__all__ = ["MODULES", "bad_argument", "bad_class", "bad_constant", "bad_field", "module_of"]

#: Where a word begins in the name of a class: `TDDMode` is "TDD mode".
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

#: Modules that every generated package has or may have.
MODULES = frozenset({"results", "enumerations", "environment", "catalogue"})

#: What a record or an action has already.
ATTRIBUTES = frozenset({"command", "line", "self", "assign"})
#: What the constructor of an action uses besides.
USED = frozenset({"agi", "arguments", "ValueError"})

#: What annotations in the class body mean; a field of the same name would hide it there.
ANNOTATIONS = frozenset(
    {
        *("bool", "bytes", "date", "datetime", "float", "int", "object", "str", "time"),
        *("timedelta", "tuple", "Iterable", "Literal", "PathLike", "Reply", "Words"),
    }
)

#: What generated modules import or define themselves.
CLASSES = frozenset(
    {
        *("Action", "Record", "Reply", "Words", "Iterable", "Literal", "PathLike", "Environment"),
        *("TYPE_CHECKING", "IntEnum", "StrEnum", "Variables", "Mapping", "Final"),
    }
)


def module_of(class_name: str) -> str:
    """Give the module that holds an action or a result, alone.

    No topic can have such a name.
    """
    return "_" + _WORD.sub("_", class_name).lower()


def bad_class(name: str) -> str:
    """Say why a class cannot have this name; empty when it can."""
    if not _usable(name):
        return f"{name!r} cannot be the name of a class"
    if name.startswith("_"):
        return f"{name!r} would be private; a class name begins with a letter"
    if name in CLASSES or name in MODULES or name.startswith("AGI") or hasattr(builtins, name):
        return f"{name!r} has a meaning in generated code already; choose another with class:"
    if not name[0].isupper():
        return f"the class name {name!r} must begin with a capital letter"
    return ""


def bad_constant(name: str) -> str:
    """Say why a constant cannot have this name; empty when it can."""
    if not _usable(name) or name.startswith("_"):
        return f"{name!r} cannot be the name of a constant"
    if name in CLASSES or name in MODULES or hasattr(builtins, name):
        return f"{name!r} has a meaning in generated code already; choose another name"
    return ""


def _usable(name: str) -> bool:
    """Tell whether Python takes a name, and as it is written: it knows no ligatures in names."""
    usable = name.isidentifier() and not keyword.iskeyword(name)
    return usable and name == normalize("NFKC", name)


def bad_field(name: str) -> str:
    """Say why a field cannot have this name; empty when it can."""
    if not _usable(name):
        return f"{name!r} cannot be a Python name"
    if name.startswith("_"):
        return f"{name!r} would be private; a name begins with a letter"
    if name in ATTRIBUTES or name in ANNOTATIONS:
        return f"{name!r} has a meaning in generated code already; choose another name"
    return ""


def bad_argument(name: str) -> str:
    """Say why an argument cannot have this name; empty when it can."""
    if name in USED:
        return f"{name!r} has a meaning in generated code already; choose another name"
    return bad_field(name)
