"""A small dialplan, in the words of ``extensions.conf``.

::

    [subs]
    exten => greet,1,Playback(hello)
     same => n(done),Return(${ARG1})

Contexts, extensions with numbers, ``n`` and labels, patterns such as ``_X.``, and ``include``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Dialplan", "Step"]

_EXTEN = re.compile(r"exten\s*=>?\s*([^,]+),\s*([^,]+?),\s*(.+)", re.IGNORECASE)
_SAME = re.compile(r"same\s*=>?\s*([^,]+?),\s*(.+)", re.IGNORECASE)
_INCLUDE = re.compile(r"include\s*=>?\s*(\S+)", re.IGNORECASE)
_PRIORITY = re.compile(r"(n|[0-9]+)(?:\+([0-9]+))?(?:\(([^)]*)\))?")
_APPLICATION = re.compile(r"(\w+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


class Step(NamedTuple):
    """One priority: the application that it runs, and its options before anything is replaced."""

    application: str
    options: str


class _Extension(NamedTuple):
    pattern: re.Pattern[str] | None
    steps: dict[int, Step]
    labels: dict[str, int]


class Dialplan:
    """What extensions there are, and what they do.

    Args:
        text: As in ``extensions.conf``; what follows a semicolon is a comment.

    Raises:
        ValueError: A line is not understood; the message has its number.
    """

    def __init__(self, text: str = "") -> None:
        self._contexts: dict[str, dict[str, _Extension]] = {}
        self._includes: dict[str, list[str]] = {}
        context = extension = ""
        priority = 0
        for number, raw in enumerate(text.splitlines(), 1):
            line = re.sub(r"(?<!\\);.*", "", raw).strip()
            if not line:
                continue
            if line.startswith("[") and "]" in line:
                context = line[1 : line.index("]")]
                self._contexts.setdefault(context, {})
                continue
            include, exten, same = (
                pattern.fullmatch(line) for pattern in (_INCLUDE, _EXTEN, _SAME)
            )
            if context in ("", "general"):
                if context:
                    continue
                raise ValueError(f"line {number}: {line!r} stands before the first [context]")
            if include:
                self._includes.setdefault(context, []).append(include[1])
                continue
            if exten:
                if exten[1].strip() != extension:
                    priority = 0
                extension = exten[1].strip()
                place, what = exten[2], exten[3]
            elif same and extension:
                place, what = same[1], same[2]
            else:
                raise ValueError(f"line {number}: {line!r} is not understood")
            priority = self._add(context, extension, priority, place, what, number)

    def _add(
        self, context: str, extension: str, before: int, place: str, what: str, number: int
    ) -> int:
        found = _PRIORITY.fullmatch(place.strip())
        application = _APPLICATION.fullmatch(what.strip())
        if found is None or application is None:
            raise ValueError(f"line {number}: {place},{what} is not understood")
        priority = before + int(found[2] or 1) if found[1] == "n" else int(found[1])
        extensions = self._contexts[context]
        entry = extensions.get(extension)
        if entry is None:
            entry = extensions[extension] = _Extension(_pattern(extension), {}, {})
        entry.steps[priority] = Step(application[1], application[2] or "")
        if found[3]:
            entry.labels[found[3]] = priority
        return priority

    def _find(self, context: str, extension: str) -> _Extension | None:
        known = self._contexts.get(context)
        if known is None:
            return None
        if extension in known:
            return known[extension]
        for entry in known.values():
            if entry.pattern is not None and entry.pattern.fullmatch(extension):
                return entry
        for included in self._includes.get(context, ()):
            found = self._find(included, extension)
            if found is not None:
                return found
        return None

    def step(self, context: str, extension: str, priority: int) -> Step | None:
        """Give what stands at a place; None when nothing does."""
        entry = self._find(context, extension)
        return None if entry is None else entry.steps.get(priority)

    def label(self, context: str, extension: str, label: str) -> int | None:
        """Give the priority of a label; None when there is no such label."""
        entry = self._find(context, extension)
        return None if entry is None else entry.labels.get(label)


def _pattern(extension: str) -> re.Pattern[str] | None:
    if not extension.startswith("_"):
        return None
    text = extension[1:].replace("-", "") if "[" not in extension else extension[1:]
    parts: list[str] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == "[":
            end = text.index("]", at) if "]" in text[at:] else len(text) - 1
            parts.append(f"{text[at:end]}]")
            at = end
        else:
            parts.append(_CLASSES.get(sign.upper(), re.escape(sign)))
        at += 1
    return re.compile("".join(parts))
