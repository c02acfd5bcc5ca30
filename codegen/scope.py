"""The names that a spec may use: its own, and those of the project's core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .load import Spec
    from .model import Enumeration, Result

__all__ = ["CORE_MODULE", "Scope"]

CORE_MODULE = "pystrix_typed.agi.core"


@dataclass(frozen=True)
class Scope:
    """What result and enumeration names stand for, and where they are imported from.

    Attributes:
        results: Every known result by its class name.
        enumerations: Every known enumeration by its class name.
        borrowed: The names that come from the project's core and not from the spec itself.
    """

    results: dict[str, Result]
    enumerations: dict[str, Enumeration]
    borrowed: frozenset[str]

    @classmethod
    def of(cls, spec: Spec, core: Spec | None) -> Scope:
        """Collect the names of a spec; `core` is the project's own when the spec is another."""
        results: dict[str, Result] = {}
        enumerations: dict[str, Enumeration] = {}
        own: set[str] = set()
        for source in (core, spec):
            if source is None:
                continue
            if source.results:
                results.update({entry.class_: entry for entry in source.results[1].results})
            if source.enumerations:
                entries = source.enumerations[1].enumerations
                enumerations.update({entry.class_: entry for entry in entries})
            if source is spec:
                if source.results:
                    own.update(entry.class_ for entry in source.results[1].results)
                if source.enumerations:
                    own.update(entry.class_ for entry in source.enumerations[1].enumerations)
        return cls(results, enumerations, frozenset({*results, *enumerations} - own))

    def module(self, name: str, home: str) -> str:
        """Give the module that a name is imported from; `home` is ``results`` or the like."""
        return f"{CORE_MODULE}.{home}" if name in self.borrowed else f".{home}"

    def package(self, name: str) -> str:
        """Give the package that a name is imported from, which loads no more than it needs."""
        return CORE_MODULE if name in self.borrowed else "."
