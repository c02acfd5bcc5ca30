"""Prose: sentences, wrapped paragraphs and Google-style sections for docstrings."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["WIDTH", "bullets", "docstring", "headline", "item", "paragraphs", "sentence"]

WIDTH = 100


def paragraphs(text: str) -> list[str]:
    """Split a text at its blank lines, each paragraph in one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def sentence(text: str) -> str:
    """Give a text that ends like a sentence and begins like one."""
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def headline(text: str) -> tuple[str, str]:
    """Split a text into its first sentence and the rest."""
    first, *others = paragraphs(text) or [""]
    split = re.search(r"[.!?](?=\s+[A-Z0-9`'\"(])", first)
    if split:
        others.insert(0, first[split.end() :].strip())
        first = first[: split.end()]
    return first, "\n\n".join(others)


def wrap(text: str, indent: int, hanging: int = 0) -> list[str]:
    """Wrap one paragraph; `indent` counts what the template adds, and is not part of the lines."""
    return textwrap.wrap(
        text,
        WIDTH - indent,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def item(name: str, text: str, indent: int) -> list[str]:
    """Give an entry of a section: the name, a colon, and what there is to say."""
    lines = wrap(f"{name}: {text}", indent + 4, 4)
    return [f"    {line}" for line in lines]


def bullets(texts: Iterable[str], indent: int) -> list[str]:
    """Give the texts as a list inside a section."""
    lines: list[str] = []
    for text in texts:
        lines += [f"    {line}" for line in wrap(f"- {sentence(text)}", indent + 4, 2)]
    return lines


def docstring(first: str, blocks: Iterable[str | Sequence[str]], indent: int) -> str:
    """Build a docstring.

    Args:
        first: Its first line.
        blocks: A text is wrapped paragraph by paragraph; a list of lines is taken as it is.
        indent: How far the docstring is indented, which is not part of what is returned.

    Returns:
        The literal, quotes included, its lines indented to fit the place.
    """
    parts: list[Sequence[str]] = [[first]]
    for block in blocks:
        if isinstance(block, str):
            parts += [wrap(paragraph, indent) for paragraph in paragraphs(block)]
        elif block:
            parts.append(block)
    body = "\n\n".join(["\n".join(part) for part in parts])
    prefix = "r" if "\\" in body else ""
    if "\n" in body or body.endswith('"'):
        body += "\n"
    return textwrap.indent(f'{prefix}"""{body}"""', " " * indent, lambda line: bool(line.strip()))
