"""The tables of those who come from another library have every name of it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from ..pages import ROOT
from .test_peers import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The modules of each that are about AGI, whose every name is on its page, and those that are not,
#: of which the modules or the classes are.
LIBRARIES = {
    "pystrix": ("pystrix", ["__init__", "agi/agi", "agi/agi_core", "agi/core", "agi/fastagi"]),
    "pyst2": ("asterisk", ["agi", "agitb", "fastagi"]),
    "panoramisk": ("panoramisk", ["fast_agi"]),
}
OTHERS = {
    "pystrix": ("modules", "ami/*"),
    "pyst2": ("names", "[cm]*"),
    "panoramisk": ("modules", "[!_f]*"),
}
#: panoramisk's modules are named by what is in them.
NAMED = {
    "actions": "Action",
    "ami_protocol": "AMIProtocol",
    "call_manager": "CallManager",
    "command": "Command",
    "manager": "Manager",
    "message": "Message",
    "testing": "panoramisk.testing",
    "utils": "panoramisk.utils",
}


def names_of(file: Path) -> Iterator[str]:
    """Give the public names of a module, and those of its public classes."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
            yield from (name for part in node.body for name in defined(part))
        elif not isinstance(node, ast.ClassDef):
            yield from defined(node)


def defined(node: ast.stmt) -> Iterator[str]:
    """Give the public names that a statement defines."""
    found: list[str] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found.append(node.name)
    elif isinstance(node, ast.Assign):
        found += [each.id for each in node.targets if isinstance(each, ast.Name)]
    yield from (name for name in found if not name.startswith("_"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_name_is_in_the_table(library: str, tmp_path: Path) -> None:
    environment(tmp_path / "venv", library)
    package, modules = LIBRARIES[library]
    [folder] = (tmp_path / "venv").glob(f"lib/*/site-packages/{package}")
    page = (ROOT / "docs" / "migrating" / f"{library}.md").read_text(encoding="utf-8")
    left = " ".join(re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE))
    written = set(re.findall(r"\w+", left))
    wanted = {name for module in modules for name in names_of(folder / f"{module}.py")}
    assert len(wanted) > 5
    kind, pattern = OTHERS[library]
    for file in folder.glob(f"{pattern}.py"):
        if kind == "modules":
            wanted |= set(NAMED.get(file.stem, file.stem).split(".")) - {"__init__"}
        else:  # their methods are of no use to anyone here
            tree = ast.parse(file.read_text(encoding="utf-8"))
            wanted |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert wanted - written == set()
