"""Pictures from lines of text, drawn as SVG while the site is built, in the colours of the page.

Two directives. ``ladder`` shows who says what to whom, from top to bottom, the way telephony draws
a call::

    Caller, Asterisk, Your script
    Caller -> Asterisk: dials 100
    Asterisk --> Caller: ringing
    == the call is answered ==
    * Your script: decides

``->`` is a solid arrow, ``-->`` a dashed one, a text in backticks is set as code, ``==`` rules off
a part of the call and ``*`` is a note at one of the lines. ``layers`` shows boxes below each other,
with what leads from one to the next::

    spec/commands/*.yaml | what each command is
    -> codegen renders
    agi/core | an action and a result for each

Boxes side by side are parted by ``||``.
"""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

WIDTH = 720
STEP = 38
LETTER = 7.5
"""How wide one is, at most."""
MESSAGE = re.compile(r"(?P<sender>.+?) (?P<arrow>-->|->) (?P<receiver>.+?): (?P<what>.*)")


class Drawing:
    """An SVG that grows downwards."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(self, x: float, y: float, words: str, style: str = "", anchor: str = "middle") -> None:
        """Write a line; words that stand in backticks alone are code."""
        if words[:1] == words[-1:] == "`":
            words, style = words[1:-1], f"{style} code"
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{style.strip()}">'
            f"{escape(words)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """Draw a box with round corners."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="7" '
            f'class="{style}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a line."""
        self.parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{style}"/>'
        )

    def head(self, x: float, y: float, dx: int, dy: int) -> None:
        """Draw the head of an arrow that points to the side (dx) or down (dy)."""
        points = (
            f"{x:g},{y:g} {x - dx * 9:g},{y - 5:g} {x - dx * 9:g},{y + 5:g}"
            if dx
            else f"{x:g},{y:g} {x - 5:g},{y - dy * 9:g} {x + 5:g},{y - dy * 9:g}"
        )
        self.parts.append(f'<polygon points="{points}" class="head"/>')

    def svg(self, height: float, words: str) -> str:
        """Give the picture; the words are for those who cannot see it."""
        return (
            f'<div class="picture"><svg viewBox="0 0 {WIDTH} {height:g}" role="img" '
            f'aria-label="{escape(words)}">{"".join(self.parts)}</svg></div>'
        )


class Picture(SphinxDirective):
    """What both directives do."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Draw, and give a text instead to what is not HTML."""
        lines = [line.strip() for line in self.content if line.strip()]
        if not lines:
            raise self.error("there is nothing to draw")
        title = self.arguments[0] if self.arguments else ""
        spoken = ". ".join(filter(None, [title, *lines])).replace("`", "")
        return [nodes.raw("", self.draw(lines, spoken), format="html")]

    def draw(self, lines: list[str], spoken: str) -> str:
        """Give the SVG."""
        raise NotImplementedError


class Ladder(Picture):
    """Who says what to whom."""

    def draw(self, lines: list[str], spoken: str) -> str:
        """Give the SVG."""
        names = [name.strip() for name in lines[0].split(",")]
        width = WIDTH / len(names)
        places = {name: width * (at + 0.5) for at, name in enumerate(names)}
        drawing, above = Drawing(), Drawing()
        y = 62.0
        for line in lines[1:]:
            if line.startswith("=="):
                above.box(24, y - 15, WIDTH - 48, 25, "note")
                above.text(WIDTH / 2, y + 2, line.strip("= "), "small")
            elif line.startswith("* "):
                name, _, words = line[2:].partition(": ")
                self._note(above, self._place(places, name), y, words)
            else:
                found = MESSAGE.fullmatch(line)
                if not found:
                    raise self.error(f"this line says nothing of the kind A -> B: text: {line}")
                start = self._place(places, found["sender"])
                end = self._place(places, found["receiver"])
                dashed = " dashed" if found["arrow"] == "-->" else ""
                toward = 1 if end > start else -1
                if len(found["what"]) * LETTER > abs(end - start):
                    raise self.error(f"this text is longer than its arrow: {found['what']}")
                above.line(start, y + 8, end - toward * 8, y + 8, f"arrow{dashed}")
                above.head(end, y + 8, toward, 0)
                above.text((start + end) / 2, y, found["what"])
            y += STEP
        for name, x in places.items():
            drawing.line(x, 36, x, y - 8, "life")
            drawing.box(x - width * 0.4, 4, width * 0.8, 32, "box")
            drawing.text(x, 25, name, "who")
        drawing.parts += above.parts
        return drawing.svg(y, spoken)

    def _place(self, places: dict[str, float], name: str) -> float:
        if name not in places:
            raise self.error(f"nobody is called {name!r} here")
        return places[name]

    @staticmethod
    def _note(drawing: Drawing, x: float, y: float, words: str) -> None:
        half = len(words) * 3.5 + 12
        x = min(max(x, half + 2), WIDTH - half - 2)
        drawing.box(x - half, y - 14, half * 2, 26, "note")
        drawing.text(x, y + 3, words)


class Layers(Picture):
    """Boxes below each other."""

    def draw(self, lines: list[str], spoken: str) -> str:
        """Give the SVG."""
        drawing = Drawing()
        y = 6.0
        for line, following in pairwise([*lines, ""]):
            if line.startswith("->"):
                drawing.line(WIDTH / 2, y, WIDTH / 2, y + 22, "arrow")
                drawing.head(WIDTH / 2, y + 30, 0, 1)
                drawing.text(WIDTH / 2 + 14, y + 20, line[2:].strip(), "small", "start")
                y += 34
                continue
            boxes = [box.strip() for box in line.split("||")]
            width = (WIDTH - 12 * (len(boxes) + 1)) / len(boxes)
            for at, box in enumerate(boxes):
                x = 12 + at * (width + 12)
                name, _, words = (part.strip() for part in box.partition("|"))
                drawing.box(x, y, width, 54 if words else 36, "box")
                drawing.text(x + width / 2, y + 23, name, "who")
                if words:
                    drawing.text(x + width / 2, y + 42, words, "small")
            y += 54 if "|" in line.replace("||", "") else 36
            y += 0 if following.startswith("->") else 10
        return drawing.svg(y + 4, spoken)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.add_directive("ladder", Ladder)
    app.add_directive("layers", Layers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
