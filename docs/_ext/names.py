"""Links a name of the package to where it is described, and puts the commands into the index.

A docstring writes `StreamFile` and a page writes the same; both mean the entry in the reference.
A name that is none of the package's stays what it is, code.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes
from sphinx.domains.python import PyClasslike, PyXRefRole
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from pystrix_typed import agi, pytest_plugin, testing
from pystrix_typed.agi.core import catalogue

if TYPE_CHECKING:
    from types import ModuleType

    from docutils.nodes import Element
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

#: A name as it is written in code, perhaps called: ``agi.AGIHangup``, ``core.GetData("beep")``.
NAME = re.compile(
    r"(?:pystrix_typed\.)?(?:agi\.)?((?:aio|core)\.)?([A-Za-z]\w*)(\(.*\))?", re.DOTALL
)
#: The names that stand in the generated reference, and the page of each.
PAGES = {
    **{command.class_name: f"reference/{command.topic}" for command in catalogue.COMMANDS},
    **{result.class_name: "reference/results" for result in catalogue.RESULTS},
    **{entry.class_name: "reference/enumerations" for entry in catalogue.ENUMERATIONS},
    "Environment": "reference/environment",
}
#: Those of the names of `pystrix_typed.testing` that mean nothing else.
SIMULATION = {"Caller", "SimulatedAsterisk", "SimulatedCall", "SimulatedChannel", "SpeechEngine"}
#: Code that is not broken into lines in a table.
SHORT = 28
#: The modules whose names people use.
PUBLIC: tuple[ModuleType, ...] = (agi, agi.aio, testing, pytest_plugin)
logger = logging.getLogger(__name__)
COMMANDS = {command.class_name: command.name for command in catalogue.COMMANDS}


def home(name: str) -> str | None:
    """Give the object that a public name of `agi` or `agi.aio` is, as autodoc calls it."""
    space, _, last = name.rpartition(".")
    where = agi.aio if space.endswith("aio") else agi
    if last not in where.__all__:
        return None
    thing: object = getattr(where, last)
    module = getattr(thing, "__module__", "")
    found = getattr(thing, "__qualname__", last)
    if not module.startswith("pystrix_typed."):  # it stands for a type of others
        return f"pystrix_typed.agi.{'aio.' if where is agi.aio else ''}server.{last}"
    return f"{module}.{found}"


def link(
    app: Sphinx, env: BuildEnvironment, here: str, code: str, shown: Element
) -> Element | None:
    """Give a link to what a piece of code names, or None."""
    member = f"pystrix_typed.testing.{code.partition('(')[0]}"
    if code.partition(".")[0] in SIMULATION and member in env.domains.python_domain.objects:
        entry = env.domains.python_domain.objects[member]
        return make_refnode(app.builder, here, entry.docname, entry.node_id, shown, member)
    found = NAME.fullmatch(code)
    # The dialplan's AGI() is not the class.
    if not found or code in {"AGI()", "EAGI()"} or "(/" in code or "://" in code:
        return None
    space, name, _ = found.groups()
    if name in PAGES and space != "aio.":
        return make_refnode(app.builder, here, PAGES[name], nodes.make_id(name), shown)
    target = home(f"{space or ''}{name}")
    simulated = f"pystrix_typed.testing.{name}" if name in SIMULATION else None
    for key in (target, simulated, name if "." in code else None, code.partition("(")[0]):
        if key and key in env.domains.python_domain.objects:
            entry = env.domains.python_domain.objects[key]
            return make_refnode(app.builder, here, entry.docname, entry.node_id, shown, key)
    return None


class Named(PyXRefRole):
    """The role of a single backtick in a docstring."""


def missing(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, shown: Element
) -> Element | None:
    """Resolve what Sphinx did not: a public name by where it is defined."""
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    if target.startswith("pystrix_typed.testing."):
        target = target.rpartition(".")[2]
        node["reftarget"] = f"pystrix_typed.testing.{target}"
    found = link(app, env, node["refdoc"], target, shown)
    if found is not None:
        return found
    # In a signature stand types of other packages, whose documentation is not at hand.
    return shown if node["reftype"] in {"named", "class", "obj", "exc", "data"} else None


@cache
def imports(module: ModuleType) -> dict[str, str]:
    """Give what a module imports from where, if only for the type checkers."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }


class KnowTypes(SphinxTransform):
    """Says of a type in a signature which one is meant: the one that its module knows by the name.

    The blocking and the asyncio classes have the same names, and Sphinx would not know which.
    """

    default_priority = 500

    def apply(self, **_kwargs: object) -> None:
        """Look at every name that is to be searched for."""
        for node in self.document.findall(addnodes.pending_xref):
            module = sys.modules.get(node.get("py:module") or "")
            if "refspecific" in node and module is not None:
                target: str = node["reftarget"]
                thing: object = getattr(module, target, None)
                name = getattr(thing, "__qualname__", None)
                if name is not None:
                    node["reftarget"] = f"{getattr(thing, '__module__', '')}.{name}"
                    del node["refspecific"]
                    continue
                # What a package shows may be defined, and so annotated, in one of its modules.
                below = f"{module.__name__}."
                homes = [each for key, each in sys.modules.items() if key.startswith(below)]
                for place in [module, *homes]:
                    if target in imports(place):
                        node["reftarget"] = imports(place)[target]
                        del node["refspecific"]
                        break


class LinkCode(SphinxPostTransform):
    """Makes links of the names in the code of the pages."""

    default_priority = 400

    def run(self, **_kwargs: object) -> None:
        """Look at every piece of code in a text."""
        for code in list(self.document.findall(nodes.literal)):
            if self._stands_in(code, nodes.reference, nodes.title, addnodes.pending_xref):
                continue
            if self._stands_in(code, nodes.entry) and len(code.astext()) <= SHORT:
                code["classes"].append("short")
            if self._is_anothers(code):
                continue
            shown = code.deepcopy()
            found = link(
                self.app, self.env, self.env.current_document.docname, code.astext(), shown
            )
            if found is not None and code.parent is not None:
                code.parent.replace(code, found)

    def _is_anothers(self, code: Element) -> bool:
        """Tell whether it is a name of the other library, in the first column of a table."""
        if not self.env.current_document.docname.startswith("migrating/"):
            return False
        above = code.parent
        while above is not None and not isinstance(above, nodes.entry):
            above = above.parent
        return above is not None and above.parent.index(above) == 0

    @staticmethod
    def _stands_in(node: Element, *kinds: type[Element]) -> bool:
        above = node.parent
        while above is not None:
            if isinstance(above, kinds):
                return True
            above = above.parent
        return False


class IndexCommands(SphinxTransform):
    """Puts the commands of the reference into the index, which the search looks at first."""

    default_priority = 500

    def apply(self, **_kwargs: object) -> None:
        """Look at every heading of a page of the reference."""
        docname = self.env.current_document.docname
        for section in list(self.document.findall(nodes.section)):
            title = section[0].astext()
            if PAGES.get(title) != docname:
                continue
            # The main ones come first in what the search finds.
            words = [title, COMMANDS[title]] if title in COMMANDS else [title]
            entries = [("single", word, section["ids"][0], "main", None) for word in words]
            index = addnodes.index(entries=entries)
            section.insert(1, index)


def complain(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each public name that is described nowhere."""
    described = env.domains.python_domain.objects
    for module in PUBLIC:
        for name in module.__all__:
            thing: object = getattr(module, name)
            if inspect.ismodule(thing) or name in PAGES:
                continue
            if not any(key.rpartition(".")[2] == name and _is(key, thing) for key in described):
                logger.warning("%s.%s is described on no page", module.__name__, name)


def _is(key: str, thing: object) -> bool:
    """Tell whether an entry, by its full name, describes a thing."""
    module, _, name = key.rpartition(".")
    return getattr(sys.modules.get(module), name, None) is thing


def no_signature(
    _app: Sphinx,
    what: str,
    name: str,
    thing: object,
    _options: object,
    shown: str | None,
    _gives: str,
) -> tuple[str, str] | None:
    """Leave out how an exception is built, but for the first, and a protocol: nobody does it."""
    if getattr(thing, "_is_protocol", False):
        return ("", "")
    if shown and what == "exception" and not name.endswith(".AGIException"):
        return ("", "")
    return None


def no_alias(
    _app: Sphinx, _what: str, _name: str, thing: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out the fields of a named tuple, which its own text explains."""
    return True if str(thing.__doc__).startswith("Alias for field number") else None


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register it all."""
    for field in PyClasslike.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.add_role_to_domain("py", "named", Named())
    app.connect("missing-reference", missing)
    app.connect("env-check-consistency", complain)
    app.connect("autodoc-process-signature", no_signature)
    app.connect("autodoc-skip-member", no_alias)
    app.add_post_transform(LinkCode)
    app.add_transform(IndexCommands)
    app.add_transform(KnowTypes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
