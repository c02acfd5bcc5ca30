"""The code in docstrings that the API reference shows is typed, as the code on the pages is."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from .checkers import CHECKERS
from .pages import ROOT, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN = re.compile(r"automodule:: (\S+)")
#: The tree of the exceptions is drawn with blanks as well.
BLOCK = re.compile(r"::\n\n((?:    .*\n|\n)+)")
NO_PYTHON = {"exceptions"}
#: Where the names come from of which an example does not say it.
PRELUDE = """\
import asyncio
import logging
from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.health import HealthServer, readiness
from pystrix_typed.agi.logs import CallFilter
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.recording import CallRecorder, record
from pystrix_typed.agi.tracing import CallSpans
from pystrix_typed.pytest_plugin import AgiCall
from pystrix_typed.testing import Caller, RecordedCall, SimulatedAsterisk

"""
FLOW = "def {name}(session: agi.FastAGI, request: agi.Request) -> None: ..."
THINGS = {
    "metrics": "metrics = CallMetrics()",
    "server": "server = agi.FastAGIServer()",
    **{name: FLOW.format(name=name) for name in ("flow", "handler", "menu")},
}


def examples() -> Iterator[tuple[str, str]]:
    """Give each example of the modules on the pages, with a name for it."""
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md")]
    for name in sorted({name for page in pages for name in SHOWN.findall(page)}):
        package = importlib.import_module(name)
        homes = {name} | {
            getattr(getattr(package, each), "__module__", name) for each in package.__all__
        }
        for home in sorted(home for home in homes if home.startswith(name)):
            source = inspect.getsource(importlib.import_module(home))
            last = home.rpartition(".")[2]
            if last not in NO_PYTHON:
                yield from in_source(f"{'_'.join(home.split('.')[1:])}", source)


def in_source(where: str, source: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node) or ""
            for number, found in enumerate(BLOCK.finditer(f"{docstring}\n")):
                line = getattr(node, "lineno", 1)
                yield f"{where}_{line}_{number}", textwrap.dedent(found[1]).strip()


def whole(text: str) -> str:
    """Give an example as a module."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(text, "docstring", "exec", flags, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    defined = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    } | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    things = [code for name, code in THINGS.items() if name not in defined]
    if "agi.aio" in text:
        things = [code.replace("agi.FastAGIServer(", "agi.aio.FastAGIServer(") for code in things]
    if waits(tree):
        text = f"async def piece() -> None:\n{textwrap.indent(text, '    ')}"
    return "\n".join([PRELUDE, *things, "", "", text, ""])


EXAMPLES = dict(examples())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 12


@pytest.mark.parametrize("checker", CHECKERS)
def test_an_example_is_typed(checker: str, tmp_path: Path) -> None:
    written, checked = tmp_path / "written", tmp_path / "checked"
    written.mkdir()
    checked.mkdir()
    files: list[Path] = []
    for name, text in EXAMPLES.items():
        files.append(written / f"{name}.py")
        files[-1].write_text(whole(text), encoding="utf-8")
    found = CHECKERS[checker](files, checked)
    assert {each for each in found if each.what != "reportUnusedImport"} == set()
