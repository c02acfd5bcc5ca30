"""Speech recognition: an engine that knows beforehand what it will understand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Recognised", "SpeechEngine", "SpeechObject"]


class Recognised(NamedTuple):
    """One thing that an engine may have understood.

    Attributes:
        text: The words.
        score: How sure it is, from 0 to 1000.
        grammar: The grammar that they belong to.
    """

    text: str
    score: int = 1000
    grammar: str = ""


class SpeechEngine:
    """An engine, as ``SPEECH CREATE`` finds it.

    Args:
        name: The engine's name.
        results: What it understands, by what the caller says. Words that are not in it are
            understood as they are.
        grammars: Whether it takes grammars; one that does not refuses to load any.
    """

    def __init__(
        self,
        name: str = "simulated",
        results: Mapping[str, Sequence[Recognised]] | None = None,
        *,
        grammars: bool = True,
    ) -> None:
        self.name = name
        self.grammars = grammars
        self._results = dict(results or {})

    def recognise(self, words: str, active: Sequence[str]) -> Sequence[Recognised]:
        """Give what it understands; override it for an engine of your own.

        Args:
            words: What the caller said.
            active: The grammars that are active.
        """
        known = self._results.get(words)
        if known is not None:
            return known
        return (Recognised(words, grammar=active[0] if active else ""),)


class SpeechObject:
    """What ``SPEECH CREATE`` makes: one recognition, with its grammars and settings."""

    def __init__(self, engine: SpeechEngine) -> None:
        self.engine = engine
        self.settings: dict[str, str] = {}
        self.loaded: dict[str, str] = {}
        self.active: list[str] = []

    def load(self, grammar: str, path: str) -> bool:
        """Load a grammar; False when the engine takes none."""
        if self.engine.grammars:
            self.loaded[grammar] = path
        return self.engine.grammars

    def unload(self, grammar: str) -> bool:
        """Forget a grammar; False when it is not loaded."""
        self.deactivate(grammar)
        return self.loaded.pop(grammar, None) is not None

    def activate(self, grammar: str) -> bool:
        """Listen for a grammar; False when it is not loaded."""
        if grammar not in self.loaded:
            return False
        if grammar not in self.active:
            self.active.append(grammar)
        return True

    def deactivate(self, grammar: str) -> bool:
        """Listen for a grammar no more; False when it is not active."""
        if grammar not in self.active:
            return False
        self.active.remove(grammar)
        return True

    def recognise(self, words: str) -> Sequence[Recognised]:
        """Give what is understood of some words."""
        return self.engine.recognise(words, tuple(self.active))
