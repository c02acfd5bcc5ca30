"""Actions and results as the templates want them: every name, condition and text ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import kinds
from .conditions import condition
from .docs import action_docstring, result_docstring
from .runtime import wire

if TYPE_CHECKING:
    from .model import Argument, Command, Outcome, Result
    from .scope import Scope

#: The first release; what the spec says of all that it had.
FIRST = (1, 0)
#: Later than every version.
EVER = (1_000_000,)
#: The module that brings AGI itself.
MODULE = "res_agi.so"

__all__ = ["ActionView", "Branch", "ResultView", "action_view", "result_view"]


@dataclass(frozen=True)
class Branch:
    """One row of ``_read``: a condition, empty for "otherwise", and what then happens."""

    condition: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class ActionView:
    """One action class, and what it needs to have imported."""

    name: str
    docstring: str
    command: str
    base: str
    result: str
    constants: tuple[tuple[str, str], ...]
    slots: str
    attributes: tuple[tuple[str, str], ...]
    parameters: tuple[str, ...]
    assignments: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str], ...]
    words: str
    prelude: tuple[str, ...]
    branches: tuple[Branch, ...]
    fallback: tuple[str, ...]
    imports: frozenset[tuple[str, str]]
    type_imports: frozenset[tuple[str, str]]
    own_result: bool


@dataclass(frozen=True)
class ResultView:
    """One result class."""

    name: str
    docstring: str
    slots: str
    attributes: tuple[tuple[str, str], ...]
    type_imports: frozenset[tuple[str, str]]


def action_view(command: Command, scope: Scope) -> ActionView:
    """Prepare one command."""
    arguments = command.arguments
    slots = tuple(argument.name for argument in arguments)
    imports: set[tuple[str, str]] = set()
    type_imports: set[tuple[str, str]] = set()
    attributes: list[tuple[str, str]] = []
    parameters: list[str] = []
    for argument in arguments:
        kept, passed = kinds.attribute(argument, scope), kinds.parameter(argument, scope)
        attributes.append((argument.name, kinds.quoted(kept)))
        default = "" if argument.required else f" = {argument.default!r}"
        parameters.append(f"{argument.name}: {kinds.quoted(passed)}{default}")
        type_imports |= _annotation_imports(f"{kept} {passed}")
        if argument.enumeration is not None:
            module = scope.module(argument.enumeration, "enumerations")
            type_imports.add((module, argument.enumeration))
    words, used = _words(arguments)
    imports |= {("pystrix_typed.agi.wire", name) for name in used}
    prelude, branches, fallback = _branches(command, scope, imports)
    if arguments:
        imports.add(("pystrix_typed", "agi"))
    if command.result is not None:
        type_imports.add((scope.module(command.result, "results"), command.result))
    return ActionView(
        name=command.class_name,
        docstring=action_docstring(command, scope),
        command=repr(command.command),
        # In quotes, because the results are loaded later.
        base=f'"{command.result}"' if command.result else "None",
        result=kinds.quoted(command.result or "None"),
        constants=_constants(command),
        slots=repr(slots),
        attributes=tuple(attributes),
        parameters=tuple(parameters),
        assignments=tuple(
            (repr(argument.name), kinds.check_call(argument, scope)) for argument in arguments
        ),
        rules=_rules(command.class_name, arguments),
        words=words,
        prelude=prelude,
        branches=branches,
        fallback=fallback,
        imports=frozenset(imports),
        type_imports=frozenset(type_imports),
        own_result=command.result is not None and command.result not in scope.borrowed,
    )


def result_view(result: Result, scope: Scope) -> ResultView:
    """Prepare one result."""
    attributes = tuple(
        (field.name, kinds.quoted(kinds.field_annotation(field))) for field in result.fields
    )
    imports: set[tuple[str, str]] = set()
    for field in result.fields:
        imports |= _annotation_imports(kinds.field_annotation(field))
        if field.enumeration is not None:
            imports.add((scope.module(field.enumeration, "enumerations"), field.enumeration))
        if field.type == "speech_results":
            imports.add((scope.module("SpeechResult", "results"), "SpeechResult"))
    return ResultView(
        name=result.class_,
        docstring=result_docstring(result),
        slots=repr(tuple(field.name for field in result.fields)),
        attributes=attributes,
        type_imports=frozenset(imports),
    )


def _annotation_imports(annotation: str) -> set[tuple[str, str]]:
    words = set(annotation.replace("[", " ").replace("]", " ").split())
    return {(module, name) for name, module in kinds.IMPORTS.items() if name in words}


def _constants(command: Command) -> tuple[tuple[str, str], ...]:
    """Give the class variables that differ from those of `Action`."""
    found: list[tuple[str, str]] = []
    if command.dead:
        found.append(("_dead", "True"))
    settles = tuple(outcome.id for outcome in command.outcomes if outcome.settle)
    if settles:
        found.append(("_settles", repr(settles)))
    if command.multiline:
        found.append(("_multiline", "True"))
    if command.answers_twice:
        found.append(("_answers_twice", "True"))
    if command.module != MODULE:
        found.append(("_module", repr(command.module)))
    versions = _versions(command)
    if versions:
        # What was removed has to be looked at whatever the version is.
        ever = any(until for *_, until in versions)
        newest = EVER if ever else max(wire.version(since) for _, _, since, _ in versions)
        found.append(("_newest", repr(newest)))
        found.append(("_versions", repr(versions)))
    codes = _codes(command)
    if codes != (200,):
        found.append(("_codes", repr(codes)))
    if command.usage_hint:
        found.append(("_usage_hint", repr(" ".join(command.usage_hint.split()))))
    return tuple(found)


def _versions(command: Command) -> tuple[tuple[str, object, str, str], ...]:
    """Give what not every Asterisk has: name, value when it is left out, since, until."""
    found: list[tuple[str, object, str, str]] = []
    if wire.version(command.since) > FIRST or command.until:
        found.append(("", None, command.since, command.until or ""))
    for argument in command.arguments:
        if argument.since or argument.until:
            row = (argument.name, argument.default, argument.since or "", argument.until or "")
            found.append(row)
    return tuple(found)


def _codes(command: Command) -> tuple[int, ...]:
    codes = {outcome.when.code for outcome in command.outcomes if not outcome.provisional}
    return tuple(sorted({200, *codes}))


def _rules(name: str, arguments: tuple[Argument, ...]) -> tuple[tuple[str, str], ...]:
    """Give the conditions under which a combination of arguments has no form on the wire."""
    found: list[tuple[str, str]] = []
    for at, missing in enumerate(arguments):
        if missing.wire != "omit":
            continue
        for later in arguments[at + 1 :]:
            if later.required or later.wire == "joined":
                continue
            given = f"self.{later.name}" + ("" if later.type == "flag" else " is not None")
            shown = f"{name}({later.name}={{self.{later.name}!r}})"
            message = f"{shown}: needs {missing.name} as well, which comes before it on the wire"
            found.append((f"{given} and self.{missing.name} is None", f'f"{message}"'))
    return tuple(found)


def _words(arguments: tuple[Argument, ...]) -> tuple[str, set[str]]:
    used: set[str] = set()
    words: list[str] = []
    fillers: list[str] = []
    for argument in arguments:
        if argument.wire == "joined":
            continue
        made, functions = kinds.word(argument)
        words.append(made)
        used |= functions
        fillers.append(repr(argument.filler) if argument.filler else "None")
    if not words:
        return "", used
    tuple_ = f"({', '.join(words)},)"
    if set(fillers) != {"None"}:
        used.add("fill")
        tuple_ = f"fill({tuple_}, ({', '.join(fillers)},))"
    elif not any(kinds.may_be_omitted(argument) for argument in arguments):
        return _text_of(words), used
    used.add("join")
    return f"join({tuple_})", used


def _text_of(words: list[str]) -> str:
    """Give the expression of words that are all sent."""
    if len(words) == 1:
        return words[0]
    if any(sign in word for word in words for sign in "'\"\\{"):  # not within an f-string
        return f"' '.join(({', '.join(words)}))"
    parts = [
        word.removeprefix("str(").removesuffix(")") if word.startswith("str(") else word
        for word in words
    ]
    return 'f"' + " ".join(f"{{{part}}}" for part in parts) + '"'


def _branches(
    command: Command, scope: Scope, imports: set[tuple[str, str]]
) -> tuple[tuple[str, ...], tuple[Branch, ...], tuple[str, ...]]:
    several = len(_codes(command)) > 1
    branches: list[Branch] = []
    for outcome in command.outcomes:
        if outcome.provisional:
            continue
        branches.append(_branch(command, outcome, scope, imports, several))
    fallback: tuple[str, ...] = ()
    if branches[-1].condition:
        imports.add(("pystrix_typed", "agi"))
        message = "a reply that AGI does not define for it"
        fallback = (
            'reply.outcome = "unknown"',
            f"raise self._error(agi.AGIUnknownError, reply, {message!r})",
        )
    # The session has seen that there is a result; the checkers have not.
    uses_result = any(map(_uses_result, command.outcomes))
    prelude = ('result = reply.result or ""',) if uses_result else ()
    return prelude, tuple(branches), fallback


def _uses_result(outcome: Outcome) -> bool:
    given = () if outcome.raises else (outcome.gives or {}).values()
    return not outcome.provisional and (outcome.when.result is not None or "$result" in given)


def _branch(
    command: Command,
    outcome: Outcome,
    scope: Scope,
    imports: set[tuple[str, str]],
    several_codes: bool,
) -> Branch:
    statements = [f"reply.outcome = {outcome.id!r}"]
    if outcome.raises:
        imports.add(("pystrix_typed", "agi"))
        message = " ".join((outcome.message or "").split())
        statements.append(f"raise self._error(agi.{outcome.raises}, reply, {message!r})")
    elif command.result is None:
        statements.append("return")
    else:
        result = scope.results[command.result]
        given = outcome.gives or {}
        parts: list[str] = []
        # Loaded with the first reply that needs them. (They import `enum`, which would cost every
        # call.)
        late: set[tuple[str, str]] = set()
        for field in result.fields:
            value = kinds.field_value(field, given[field.name], outcome, scope)
            # By position: an instance made with names costs a third more.
            parts.append(value)
            if field.enumeration is not None and given[field.name] is not None:
                late.add((scope.module(field.enumeration, "enumerations"), field.enumeration))
            if given[field.name] == "$results":
                late.add((scope.package("SpeechResult"), "SpeechResult"))
                late.add(("pystrix_typed.agi.wire", "speech_results"))
        statements += [f"from {module} import {name}" for module, name in sorted(late)]
        home = "results"
        if command.result in scope.borrowed:
            home = "agi.core"
            imports.add(("pystrix_typed", "agi"))
        statements.append(f"return {home}.{command.result}({', '.join(parts)})")
    return Branch(_condition(outcome, several_codes), tuple(statements))


def _condition(outcome: Outcome, several_codes: bool) -> str:
    when = condition(outcome.when)
    parts: list[str] = []
    if several_codes:
        parts.append(f"reply.code == {when.code}")
    if len(when.results) == 1:
        parts.append(f"result == {when.results[0]!r}")
    elif when.results:
        parts.append(f"result in {set_literal(when.results)}")
    if when.low is not None and when.high is not None:
        parts.append(f"{when.low} <= int(result) <= {when.high}")
    elif when.low is not None:
        parts.append(f"int(result) >= {when.low}")
    elif when.high is not None:
        parts.append(f"int(result) <= {when.high}")
    if isinstance(when.data, bool):
        parts.append(f"reply.data is {'not ' if when.data else ''}None")
    elif when.data is not None:
        parts.append(f"reply.data == {when.data!r}")
    if when.text is not None:
        parts.append(f"reply.text == {when.text!r}")
    for key, value in when.pairs:
        if value is True:
            parts.append(f"{key!r} in reply.pairs")
        else:
            parts.append(f"reply.pairs.get({key!r}) == {value!r}")
    return " and ".join(parts)


def set_literal(values: tuple[str, ...]) -> str:
    """Write a set in the order of the spec, whatever the hash seed."""
    return "{" + ", ".join(map(repr, values)) + "}"
