"""YAML with line numbers: plain data, and for every key the line where it stands.

The node graph is walked here rather than by PyYAML's constructor, because that one drops lines and
lets the last of two equal keys win.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, cast

import yaml

from .problems import Path, Problem, show

if TYPE_CHECKING:
    import pathlib

__all__ = ["Document", "read"]

if TYPE_CHECKING:
    Loader = yaml.SafeLoader
else:
    # libyaml's parser when PyYAML was built with it: ten times as fast, and the same nodes.
    Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


#: Deeper than any spec, and less than what makes libyaml's recursion overrun the stack.
DEPTH = 60
_TOO_DEEP = "is nested too deeply"
#: More than any spec has, and less than what a few aliases of aliases can stand for.
SIZE = 1_000_000


class _TooMuch(Exception):
    """The document would be no spec in any case, only a danger."""


class _Loader(Protocol):
    """What is used of PyYAML's loader, which has no types of its own."""

    def check_event(self) -> bool: ...

    def get_event(self) -> yaml.Event: ...

    def get_single_node(self) -> yaml.Node | None: ...

    def construct_object(self, node: yaml.Node) -> object: ...


class Document:
    """One file of the spec.

    Attributes:
        name: The file's name as messages show it.
        data: What it holds: dicts, tuples and scalars.
        problems: What was wrong with it as YAML, and later as a spec.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.data: object = None
        self.problems: list[Problem] = []
        self._lines: dict[Path, int] = {}
        self._size = 0

    def line(self, path: Path) -> int:
        """Give the line of a key, or of the nearest thing around it that has one."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def problem(self, path: Path, message: str) -> None:
        """Note that something is wrong there."""
        self.problems.append(Problem(self.name, self.line(path), show(path), message))

    def fill(self, node: yaml.Node, loader: _Loader) -> None:
        """Take the data from a node graph."""
        self.data = self._build(node, (), loader, ())

    def _build(
        self, node: yaml.Node, path: Path, loader: _Loader, above: tuple[yaml.Node, ...]
    ) -> object:
        self._lines.setdefault(path, node.start_mark.line + 1)
        self._size += 1
        if self._size > SIZE:
            raise _TooMuch("holds aliases that stand for too much")
        if any(node is other for other in above):
            self.problem(path, "an alias must not stand inside what it names")
            return None
        above = (*above, node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, loader, above)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return tuple([self._build(item, (*path, at), loader, above) for at, item in items])
        try:
            value: object = loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            what = getattr(error, "problem", None) or error
            self.problem(path, f"cannot be read: {what}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.problem(path, f"{node.value} is no number that could be sent or received")
        if isinstance(value, str) and "\0" in value:
            self.problem(path, "must not hold a NUL: neither AGI nor Python's source has any")
        return value

    def _mapping(
        self,
        node: yaml.MappingNode,
        path: Path,
        loader: _Loader,
        above: tuple[yaml.Node, ...],
    ) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag != "tag:yaml.org,2002:str":
                shown = "this" if key is None else repr(key)
                self._lines[*path, str(key)] = line
                self.problem((*path, str(key)), f"{shown} is no text, so no key; quote it")
                continue
            here = (*path, key)
            if key in found:
                first = self._lines[here]
                self._lines[here] = line
                self.problem(here, f"the key stands here twice; the first is in line {first}")
                continue
            self._lines[here] = line
            found[key] = self._build(value_node, here, loader, above)
        return found


def read(file: pathlib.Path, name: str) -> Document:
    """Read one file; what is wrong with it is in the document's `problems`."""
    document = Document(name)
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        document.problems.append(Problem(name, line, "", f"is not UTF-8: {error.reason}"))
        return document
    except OSError as error:
        document.problems.append(Problem(name, 0, "", f"cannot be read: {error.strerror}"))
        return document
    try:
        _measure(text)
        loader = cast("_Loader", Loader(text))
        node = loader.get_single_node()
        if node is None:
            document.problems.append(Problem(name, 1, "", "is empty"))
        elif not isinstance(node, yaml.MappingNode):
            message = "must be a mapping (lines of `key: value`), and is something else"
            document.problems.append(Problem(name, node.start_mark.line + 1, "", message))
        else:
            document.fill(node, loader)
    except yaml.MarkedYAMLError as error:
        if "nesting" in str(error.problem):  # of libyaml, which may look further ahead than this
            document.problems.append(Problem(name, 1, "", _TOO_DEEP))
            return document
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = f"is no valid YAML: {error.problem or error.context}"
        if "nesting" in message:  # newer versions of libyaml have a limit of their own
            message = "is nested too deeply"
        # YAML has more line ends than the line feed, and may stop behind the last line.
        around = "".join(text.splitlines()[line - 1 : line])
        if mark and "\t" in around[: mark.column + 1]:
            message += " (YAML indents with spaces, never with tabs)"
        document.problems.append(Problem(name, line, "", message))
    except yaml.YAMLError as error:  # a character that YAML does not allow
        position = getattr(error, "position", 0)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else 1
        reason = getattr(error, "reason", None) or str(error).split("\n", maxsplit=1)[0]
        document.problems.append(Problem(name, line, "", f"is no valid YAML: {reason}"))
    except _TooMuch as error:
        document.data = None
        document.problems = [Problem(name, 1, "", str(error))]
    return document


def _measure(text: str) -> None:
    """Refuse what is nested too deeply, before anything recursive reads it."""
    depth = 0
    loader = cast("_Loader", Loader(text))
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                raise _TooMuch(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
