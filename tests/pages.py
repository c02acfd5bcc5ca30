"""The code blocks of the pages that people read, each made into something that can be checked."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

__all__ = ["BLOCKS", "FENCE", "PAGES", "ROOT", "Block", "blocks_of", "complete", "program", "waits"]

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("", "docs/**/", "examples/**/", "spec/")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}*.md"))
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)[^\n`]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)

#: What a block may use without saying where it comes from, and where that is.
GIVEN = {
    "agi": "from pystrix_typed import agi",
    "core": "from pystrix_typed.agi import core",
}
BUILTIN = {*dir(builtins), "__name__", "__file__", "reveal_type"}


class Block(NamedTuple):
    """A block of code on a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Where it stands, as the name of a file."""
        page = re.sub(r"\W+", "_", self.page.removesuffix(".md").removeprefix("docs/"))
        return f"{page}_{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """Give the blocks of a page."""
    text = path.read_text(encoding="utf-8")
    page = path.relative_to(ROOT).as_posix()
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            textwrap.dedent(found["text"]),
        )
        for found in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def program(page: str, mark: str) -> str:
    """Give the block of a page that contains a text."""
    found = [block.text for block in blocks_of(ROOT / page) if mark in block.text]
    assert len(found) == 1, f"{len(found)} blocks of {page} contain {mark!r}"
    return found[0]


def complete(block: Block) -> str:
    """Give a block as a module: a piece of a call flow gets the session that it speaks of."""
    source = f"{block.page}:{block.line}"
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(block.text, source, "exec", flags, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    missing = _missing(tree)
    lines = [GIVEN[name] for name in GIVEN if name in missing]
    if "session" in missing:
        if GIVEN["agi"] not in lines:
            lines.insert(0, GIVEN["agi"])
        head = "async def piece(session: agi.aio.Session)"
        if not waits(tree):
            head = "def piece(session: agi.Session)"
        body = textwrap.indent(block.text, "    ")
        return "\n".join([*lines, "", "", f"{head} -> None:", body])
    if "server" in missing:
        lines = [GIVEN["agi"], *[line for line in lines if line != GIVEN["agi"]]]
        lines.append("server = agi.FastAGIServer()")
    return "\n".join([*lines, "", block.text]) if lines else block.text


def _missing(tree: ast.Module) -> set[str]:
    """Give the names that are used and come from nowhere."""
    used: set[str] = set()
    made: set[str] = _imported(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                made.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                made.add(name)
            case ast.ClassDef(name=name) | ast.MatchAs(name=str(name)):
                made.add(name)
            case _:
                pass
    return used - made - BUILTIN


def _imported(tree: ast.Module) -> set[str]:
    """Give the names that are imported."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def waits(tree: ast.Module) -> bool:
    """Tell whether something is awaited outside of the functions that the block defines."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return False
