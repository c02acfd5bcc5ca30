"""The rendered package run in memory against the spec's own examples, before it is written.

What a template makes of an entry is only right when the generated class sends what the entry
promises and reads what the entry promises; this asks the class itself.
"""

from __future__ import annotations

import ast
import datetime
import sys
from enum import Enum
from importlib import import_module
from pathlib import PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, cast

from .check_outcomes import parse_example
from .names import module_of
from .runtime import exceptions
from .runtime import record as records
from .scope import CORE_MODULE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pystrix_typed.agi.record import Action, Record

    from .load import Spec, Topic
    from .model import Command, Outcome
    from .problems import Path
    from .scope import Scope
    from .source import Document

__all__ = ["plain", "preview"]

PACKAGE = "_codegen_preview"

#: What an example may call besides the action.
SAFE: dict[str, object] = {
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "Path": PurePosixPath,
}


def preview(spec: Spec, scope: Scope, files: Mapping[str, bytes]) -> None:
    """Note every example that the rendered code does not keep."""
    # An example may name the core's enumerations as well, where the spec is another.
    core = import_module(CORE_MODULE) if scope.borrowed else None
    borrowed = {name: cast("object", getattr(core, name)) for name in sorted(scope.borrowed)}
    try:
        package = ModuleType(PACKAGE)
        package.__path__ = []
        sys.modules[PACKAGE] = package
        names = vars(package)  # a package passes them on
        names.update(borrowed)
        if spec.enumerations:
            names.update(vars(_load("enumerations", files)))
        results = spec.results[1].results if spec.results else ()
        for result in results:
            names[result.class_] = getattr(_load(module_of(result.class_), files), result.class_)
        for topic in spec.topics:
            _topic(topic, names, files)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


def _load(name: str, files: Mapping[str, bytes]) -> ModuleType:
    source = files[f"{name}.py"]
    module = ModuleType(f"{PACKAGE}.{name}")
    module.__package__ = PACKAGE
    sys.modules[module.__name__] = module
    exec(compile(source, f"<{name}.py>", "exec"), module.__dict__)  # our own output
    return module


def _topic(topic: Topic, names: dict[str, object], files: Mapping[str, bytes]) -> None:
    for path, command in topic.commands:
        try:
            module = _load(module_of(command.class_name), files)
        except Exception as error:  # noqa: BLE001 - whatever it is, the entry is told
            message = f"its code cannot be loaded: {type(error).__name__}: {error}"
            topic.document.problem(path, message)
            continue
        names[command.class_name] = getattr(module, command.class_name)
        action: Action[object] | None = None
        for position, example in enumerate(command.examples):
            here = (*path, "examples", position)
            try:
                made = _build(example.python, command.class_name, names)
                sent = made.line.decode("utf-8", "surrogateescape").removesuffix("\n")
            except Exception as error:  # noqa: BLE001 - whatever an example does, it is reported
                message = f"{example.python!r} does not work: {type(error).__name__}: {error}"
                topic.document.problem((*here, "python"), message)
                continue
            if action is None:
                action = made
                _defaults(topic.document, path, command, made)
            if sent != example.wire:
                message = f"{example.python} sends {sent!r}, and not {example.wire!r}"
                topic.document.problem((*here, "wire"), message)
        if action is None:
            continue
        for row, outcome in enumerate(command.outcomes):
            if not outcome.provisional:
                _outcome(topic.document, (*path, "outcomes", row), command, outcome, action)


def _defaults(document: Document, path: Path, command: Command, action: Action[object]) -> None:
    """Note when the class does not take its own defaults."""
    given = [getattr(action, argument.name) for argument in command.arguments if argument.required]
    try:
        type(action)(*given).line  # noqa: B018 - making it is the question
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        message = f"the defaults do not work: {type(error).__name__}: {error}"
        document.problem((*path, "arguments"), message)


def _build(source: str, class_name: str, names: dict[str, object]) -> Action[object]:
    """Evaluate an example: one call of the class, and no other code."""
    tree = ast.parse(source, mode="eval")
    call = tree.body
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != class_name:
        message = f"an example is a call of {class_name}"
        raise ValueError(message)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            message = f"{node.attr} is private"
            raise ValueError(message)
        if isinstance(node, ast.Call) and node is not call and ast.unparse(node.func) not in SAFE:
            message = f"{ast.unparse(node.func)} cannot be called in an example"
            raise ValueError(message)
    made: object = eval(  # checked above, and the spec's own author wrote it
        compile(tree, "<example>", "eval"), {**names, **SAFE, "__builtins__": {}}
    )
    if not isinstance(made, records.Action):
        raise TypeError("an example builds an action")
    return cast("Action[object]", made)


def _outcome(
    document: Document, path: Path, command: Command, outcome: Outcome, action: Action[object]
) -> None:
    for position, example in enumerate(outcome.examples):
        here = (*path, "examples", position)
        reply = parse_example(command, example.line)
        if reply is None:
            continue
        got = ""
        result: object = None
        try:
            result = action._read(reply)  # pyright: ignore[reportPrivateUsage] - as a session
        except exceptions.AGIException as error:
            got = type(error).__name__
        except (ValueError, LookupError) as error:
            document.problem((*here, "line"), f"cannot be read: {type(error).__name__}: {error}")
            continue
        if reply.outcome != outcome.id or got != (outcome.raises or ""):
            message = f"{example.line!r} is read as {reply.outcome!r}{got and f', {got}'}"
            document.problem((*here, "line"), message)
            continue
        for name, wanted in (example.gives or {}).items():
            value = plain(getattr(result, name))
            if value != wanted or isinstance(value, bool) is not isinstance(wanted, bool):
                message = f"{example.line!r} gives {value!r}, and not {wanted!r}"
                document.problem((*here, "gives", name), message)


def plain(value: object) -> object:
    """Give a field's value as the spec writes it."""
    if isinstance(value, Enum):
        return cast("object", value.value)
    if isinstance(value, tuple):
        return tuple(
            {name: getattr(item, name) for name in item.__match_args__}
            for item in cast("tuple[Record, ...]", value)
        )
    return value
