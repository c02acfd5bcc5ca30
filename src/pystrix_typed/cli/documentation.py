"""What Asterisk says of its own AGI commands: the XML documentation that every exchange carries.

The file is read as one that anybody may have put there: only so many bytes of it, no entities (the
real one declares none), and nothing that it refers to is fetched. Expat itself is used because it
tells the lines, so that a report can say where to look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEFAULT", "LIMIT", "Documentation", "DocumentedCommand", "Parameter", "read"]

#: Where an installed Asterisk keeps it.
DEFAULT = "/usr/share/asterisk/documentation/core-en_US.xml"
#: Bytes; the documentation of Asterisk 22 has 1.6 million.
LIMIT = 64 * 1024 * 1024
#: Elements within one another; those of Asterisk 16 and 22 have 11.
DEPTH = 100

CANNOT_READ = 2


class Parameter(NamedTuple):
    """One parameter, as documented.

    Attributes:
        name: Its name, which may hold spaces.
        required: Whether it must be given.
        values: What it may be; empty when that is not said.
        since: The versions that brought it, one for each branch of Asterisk.
        line: Where it stands in the file.
    """

    name: str
    required: bool
    values: tuple[str, ...]
    since: tuple[str, ...]
    line: int


class DocumentedCommand(NamedTuple):
    """One AGI command, as documented.

    Attributes:
        name: The command words, in capitals.
        parameters: Its parameters, in order.
        since: The versions that brought it, one for each branch of Asterisk.
        line: Where it stands in the file.
    """

    name: str
    parameters: tuple[Parameter, ...]
    since: tuple[str, ...]
    line: int


class Documentation(NamedTuple):
    """The AGI commands that a documentation describes, by their words."""

    commands: dict[str, DocumentedCommand]

    @property
    def tells_versions(self) -> bool:
        """Whether it says of anything since when it is there; that of Asterisk 16 does not."""
        return any(
            command.since or any(parameter.since for parameter in command.parameters)
            for command in self.commands.values()
        )


def read(path: Path) -> Documentation:
    """Read the AGI part of a documentation.

    Raises:
        Problem: There is no such file, or it is not Asterisk's documentation.
    """
    try:
        if path.exists() and not path.is_file():
            raise Problem(f"{path} is not a file", status=CANNOT_READ)
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        text = f"cannot read {path}: {error.strerror}; name the core-en_US.xml of your Asterisk"
        raise Problem(text, status=CANNOT_READ) from None
    if len(content) > LIMIT:
        raise Problem(f"{path} has more than {LIMIT} bytes", status=CANNOT_READ)
    try:
        commands = _Reader().read(content)
    # Of an encoding that Python does not have, or expat cannot use, they tell in their own ways.
    except (expat.ExpatError, LookupError, ValueError, _NotDocumentationError) as error:
        raise Problem(f"{path} is not Asterisk's documentation: {error}", status=2) from None
    if not commands:
        raise Problem(f"{path} documents no AGI command", status=CANNOT_READ)
    return Documentation(commands)


class _NotDocumentationError(Exception):
    """The file is XML, and something else than a documentation."""


class _Reader:
    """Takes what is wanted out of the stream of elements."""

    def __init__(self) -> None:
        self._commands: dict[str, DocumentedCommand] = {}
        self._path: list[str] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._entity
        # Of the command, and of the parameter, that is being read.
        self._name = ""
        self._line = 0
        self._since: list[str] = []
        self._parameters: list[Parameter] = []
        self._parameter: Parameter | None = None
        self._values: list[str] = []
        self._parameter_since: list[str] = []
        self._version = ""

    def read(self, content: bytes) -> dict[str, DocumentedCommand]:
        self._parser.Parse(content, True)
        return self._commands

    def _entity(self, name: str, *_rest: object) -> None:
        raise _NotDocumentationError(f"it declares an entity, {name!r}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._path and tag != "docs":
            raise _NotDocumentationError(f"its root is {tag!r} and not 'docs'")
        if len(self._path) == DEPTH:
            raise _NotDocumentationError("it is nested too deeply")
        self._path.append(tag)
        place = self._path[1:]
        if place == ["agi"]:
            self._name = " ".join(attributes.get("name", "").split()).upper()
            self._line = self._parser.CurrentLineNumber
            self._since, self._parameters = [], []
        elif place == ["agi", "syntax", "parameter"]:
            required = attributes.get("required", "").lower() in {"true", "yes", "1"}
            line = self._parser.CurrentLineNumber
            self._parameter = Parameter(attributes.get("name", ""), required, (), (), line)
            self._values, self._parameter_since = [], []
        elif tag == "enum" and self._parameter is not None:
            self._values.append(attributes.get("name", ""))
        elif tag == "version":
            self._version = ""

    def _text(self, text: str) -> None:
        if self._path[-1] == "version":
            self._version += text

    def _end(self, _tag: str) -> None:
        place = self._path[1:]
        if place == ["agi"]:
            self._commands[self._name] = DocumentedCommand(
                self._name, tuple(self._parameters), tuple(self._since), self._line
            )
        elif place == ["agi", "syntax", "parameter"] and self._parameter is not None:
            self._parameters.append(
                self._parameter._replace(
                    values=tuple(self._values), since=tuple(self._parameter_since)
                )
            )
            self._parameter = None
        elif place == ["agi", "since", "version"]:
            self._since.append(self._version.strip())
        elif place == ["agi", "syntax", "parameter", "since", "version"]:
            self._parameter_since.append(self._version.strip())
        self._path.pop()
