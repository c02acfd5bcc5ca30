"""A folder of YAML to a `Spec`, or everything that is wrong with its form."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from pydantic import BaseModel, ValidationError

from .model import Command, CommandsFile, EnumerationsFile, EnvironmentFile, ResultsFile
from .problems import Path, Problem, SpecError
from .source import Document, read

if TYPE_CHECKING:
    import pathlib

    from pydantic_core import ErrorDetails

__all__ = ["Spec", "Topic", "load"]

File = TypeVar("File", bound=BaseModel)

#: What a value should have been, by the type of pydantic's error.
EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "null",
    "literal_error": "true",
}


#: What a text should have been, by its key.
FORMS: dict[str | int, str] = {
    "command": "one or more words in capitals with a space between them, such as 'GET DATA'",
    "id": "one or more words in small letters with a hyphen between them, such as 'timed-out'",
    "name": "the name of a variable, such as 'agi_callerid'",
}


@dataclass(frozen=True)
class Topic:
    """One file of commands.

    Attributes:
        name: The file's name without its ending, and the name of the module.
        document: Where problems with it are noted.
        file: What it says; of a file with problems, the commands that are whole.
        places: Where each command stands in the document.
    """

    name: str
    document: Document
    file: CommandsFile
    places: tuple[int, ...]

    @property
    def commands(self) -> list[tuple[Path, Command]]:
        """Every command with its place."""
        pairs = zip(self.places, self.file.commands, strict=True)
        return [(("commands", place), command) for place, command in pairs]


@dataclass(frozen=True)
class Spec:
    """A whole spec, and the documents that its parts were read from.

    Attributes:
        topics: The files of commands.
        results: What commands report, with its document.
        enumerations: Named values, with their document.
        environment: The variables at the start, with their document.
        name: The folder's name.
        problems: What was wrong with the form of the files; then this is what is left of them.
    """

    topics: tuple[Topic, ...]
    results: tuple[Document, ResultsFile] | None
    enumerations: tuple[Document, EnumerationsFile] | None
    environment: tuple[Document, EnvironmentFile] | None
    name: str
    problems: tuple[Problem, ...] = ()

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every document, for its problems."""
        rest = (self.results, self.enumerations, self.environment)
        return (*[topic.document for topic in self.topics], *[part[0] for part in rest if part])


def load(folder: pathlib.Path) -> Spec:
    """Read a spec.

    Args:
        folder: Holds ``commands/*.yaml``, and may hold ``results.yaml``, ``enumerations.yaml`` and
            ``environment.yaml``.

    Returns:
        The spec. What is wrong with the form of its files is in `Spec.problems`, so that the rest
        can still be checked and everything be told at once.

    Raises:
        SpecError: There is no spec, or its shared files cannot be used, so that nothing else can
            be checked.
    """
    name = folder.resolve().name
    if not folder.is_dir():
        raise SpecError([Problem(str(folder), 0, "", "there is no such folder")])
    commands = folder / "commands"
    if not commands.is_dir():
        message = f"the spec needs a folder of command files: {name}/commands"
        raise SpecError([Problem(str(folder), 0, "", message)])
    problems: list[Problem] = []
    shared: dict[str, pathlib.Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in {".yaml", ".yml"}:
            if file.name in {"results.yaml", "enumerations.yaml", "environment.yaml"}:
                shared[file.stem] = file
            else:
                message = (
                    "is none of results.yaml, enumerations.yaml and environment.yaml; "
                    f"commands belong in {name}/commands"
                )
                problems.append(Problem(f"{name}/{file.name}", 0, "", message))
    topics: list[Topic] = []
    for file in sorted(commands.iterdir()):
        shown = f"{name}/commands/{file.name}"
        if file.suffix != ".yaml" and file.suffix.lower() in {".yaml", ".yml"}:
            problems.append(Problem(shown, 0, "", "the ending must be .yaml"))
        elif file.suffix == ".yaml":
            document, found = _parse(file, shown, CommandsFile)
            problems += document.problems
            topic = _topic(file.stem, document, found)
            document.problems.clear()
            if topic is not None:
                topics.append(topic)
    if not topics and not problems:
        problems.append(Problem(f"{name}/commands", 0, "", "holds no .yaml file"))

    def part(which: str, model: type[File]) -> tuple[Document, File] | None:
        if which not in shared:
            return None
        document, found = _parse(shared[which], f"{name}/{which}.yaml", model)
        problems.extend(document.problems)
        document.problems.clear()
        return None if found is None else (document, found)

    results = part("results", ResultsFile)
    enumerations = part("enumerations", EnumerationsFile)
    environment = part("environment", EnvironmentFile)
    usable = {which for which in shared if which != "environment"}
    if problems and (not topics or len(usable) > bool(results) + bool(enumerations)):
        raise SpecError(problems)
    return Spec(tuple(topics), results, enumerations, environment, name, tuple(problems))


def _topic(name: str, document: Document, found: CommandsFile | None) -> Topic | None:
    """Give a topic; of a file with problems the commands that have none."""
    if found is not None:
        return Topic(name, document, found, tuple(range(len(found.commands))))
    entries = cast("dict[str, object]", document.data or {}).get("commands")
    if not isinstance(entries, tuple):
        return None
    whole: list[Command] = []
    places: list[int] = []
    for place, entry in enumerate(cast("tuple[object, ...]", entries)):
        try:
            whole.append(Command.model_validate(entry))
        except ValidationError:
            continue
        places.append(place)
    # Its own "about" may be what is wrong.
    file = CommandsFile.model_construct(about="Unknown.", commands=tuple(whole))
    return Topic(name, document, file, tuple(places))


def _parse(file: pathlib.Path, shown: str, model: type[File]) -> tuple[Document, File | None]:
    """Read a file; a key that stands twice does not hide what else is wrong with it."""
    document = read(file, shown)
    if document.data is None:
        return document, None
    try:
        found = model.model_validate(document.data)
    except ValidationError as error:
        _note(document, model, error.errors(include_url=False, include_context=True))
        return document, None
    return document, None if document.problems else found


def _note(document: Document, model: type[BaseModel], errors: list[ErrorDetails]) -> None:
    """Note pydantic's errors in our words, those about one union as one."""
    unions: dict[Path, list[tuple[Path, ErrorDetails]]] = {}
    for error in errors:
        if error["type"] == "too_short" and error["input"]:
            continue  # pydantic does not count what is wrong inside, and that is told already
        path, union = _where(document.data, error)
        if union is None:
            document.problem(path, _message(model, path, error))
        else:
            unions.setdefault(union, []).append((path, error))
    for union, members in unions.items():
        inner = [(path, error) for path, error in members if len(path) > len(union)]
        if inner:
            for path, error in inner:
                document.problem(path, _message(model, path, error))
        else:
            kinds = dict.fromkeys(EXPECTED.get(error["type"], "") for _, error in members)
            *most, last = [kind for kind in kinds if kind] or ["something else"]
            expected = f"{', '.join(most)} or {last}" if most else last
            value = members[0][1]["input"]
            document.problem(union, f"must be {expected}, and is {_kind(value)}")


def _where(data: object, error: ErrorDetails) -> tuple[Path, Path | None]:
    """Give the place of an error, and the place of the union that it is part of.

    Pydantic puts the names of a union's members into the place; those are not in the data.
    """
    path: Path = ()
    union: Path | None = None
    last = len(error["loc"]) - 1
    for at, part in enumerate(error["loc"]):
        if isinstance(data, dict) and part in data:
            data = cast("dict[str | int, object]", data)[part]
        elif isinstance(data, tuple) and isinstance(part, int):
            data = cast("tuple[object, ...]", data)[part]
        elif at == last and error["type"] == "missing":
            pass
        else:
            union = path if union is None else union
            continue
        path = (*path, part)
    return path, union


def _message(model: type[BaseModel], path: Path, error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        near = get_close_matches(str(path[-1]), _keys(model, path[:-1]), 1)
        return "unknown key" + (f" (did you mean {near[0]!r}?)" if near else "")
    context = error.get("ctx", {})
    if kind == "literal_error":
        near = get_close_matches(str(error["input"]), str(context["expected"]).split("'")[1::2], 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"must be {context['expected']}, and is {_shown(error['input'])}{hint}"
    if kind == "string_pattern_mismatch":
        if path[-1] in {"since", "until", "version"}:
            return f"{error['input']!r} is no version of Asterisk, such as '1.8.24.0' or '22.0'"
        form = FORMS.get(path[-1], f"of the form {context['pattern']}")
        return f"{error['input']!r} is not {form}"
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    if kind == "too_long":
        return f"must have {context['max_length']} items, and has {context['actual_length']}"
    if kind in EXPECTED:
        quote = "; quote it" if kind == "string_type" else ""
        return f"must be {EXPECTED[kind]}, and is {_kind(error['input'])}{quote}"
    return error["msg"]


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else _kind(value)


def _kind(value: object) -> str:
    """Name a value's kind as YAML calls it."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"the text {value!r}" if isinstance(value, str) else str(value)


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """Give the keys that may stand at a place."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None:
            return []
        if isinstance(part, str):
            for name, field in current.model_fields.items():
                if part == (field.alias or name):
                    current = _inner(field.annotation)
                    break
            else:
                return []
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _inner(annotation: object) -> type[BaseModel] | None:
    """Give the model that an annotation such as ``tuple[Argument, ...] | None`` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in {Annotated, tuple, typing.Union, types.UnionType}:
        for part in typing.get_args(annotation):
            found = _inner(part)
            if found is not None:
                return found
    return None
