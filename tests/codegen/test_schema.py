"""The schema that editors use: it takes every file of the spec, and no broken one."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
import yaml
from jsonschema import Draft202012Validator

from .workshop import ROOT, SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jsonschema import ValidationError


class Validator(Protocol):
    """What is used of a validator: its own stubs leave an argument without a type."""

    def iter_errors(self, instance: object) -> Iterator[ValidationError]: ...
    def is_valid(self, instance: object) -> bool: ...


SCHEMA: dict[str, Any] = json.loads((ROOT / "spec" / "schema.json").read_bytes())
VALIDATOR = cast("Validator", Draft202012Validator(SCHEMA))
FOLDERS = [ROOT / "spec", ROOT / "examples" / "private_commands" / "spec", SAMPLE]
FILES = [file for folder in FOLDERS for file in sorted(folder.rglob("*.yaml"))]


def data(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_a_file_of_a_spec_is_valid(file: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(data(file))] == []


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_a_file_of_a_spec_names_the_schema_where_it_is(file: Path) -> None:
    if file.is_relative_to(SAMPLE):
        pytest.skip("a spec to be spoilt, which no editor sees")
    first, _, _ = file.read_text(encoding="utf-8").partition("\n")
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found
    assert (file.parent / found[1]).resolve() == ROOT / "spec" / "schema.json"


def _unknown_key(entry: dict[str, Any]) -> None:
    entry["sumary"] = "Misspelt."


def _missing(entry: dict[str, Any]) -> None:
    del entry["since"]


def _version_without_quotes(entry: dict[str, Any]) -> None:
    entry["since"] = 1.0


def _bad_version(entry: dict[str, Any]) -> None:
    entry["since"] = "eleven"


def _unknown_type(entry: dict[str, Any]) -> None:
    entry["arguments"][0]["type"] = "colour"


def _unknown_key_of_an_outcome(entry: dict[str, Any]) -> None:
    entry["outcomes"][0]["when"] = {"reslut": 1}


def _no_outcomes(entry: dict[str, Any]) -> None:
    entry["outcomes"] = []


def _record_without_a_reason(entry: dict[str, Any]) -> None:
    entry["drift"] = [{"difference": "parameter 1, 'x', is not in the documentation"}]


def _unknown_exception(entry: dict[str, Any]) -> None:
    entry["outcomes"][0]["raises"] = "ValueError"


SPOILT = [
    _unknown_key,
    _missing,
    _version_without_quotes,
    _bad_version,
    _unknown_type,
    _unknown_key_of_an_outcome,
    _no_outcomes,
    _record_without_a_reason,
    _unknown_exception,
]


@pytest.mark.parametrize("spoil", SPOILT, ids=[spoil.__name__[1:] for spoil in SPOILT])
def test_a_broken_entry_is_not_valid(spoil: Callable[[dict[str, Any]], None]) -> None:
    file = data(ROOT / "spec" / "commands" / "media.yaml")
    assert VALIDATOR.is_valid(file)
    # Anchors make two entries share an object.
    broken = copy.deepcopy(file)
    spoil(broken["commands"][0])
    assert not VALIDATOR.is_valid(broken)


@pytest.mark.parametrize("name", ["results", "enumerations", "environment"])
def test_a_broken_shared_file_is_not_valid(name: str) -> None:
    file = data(ROOT / "spec" / f"{name}.yaml")
    assert VALIDATOR.is_valid(file)
    file[name][0]["colour"] = "green"
    assert not VALIDATOR.is_valid(file)
