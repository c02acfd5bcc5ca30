"""The project's own spec: generated as it is, and explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from codegen import model
from codegen.__main__ import main
from codegen.kinds import FIELDS, PARAMETERS
from codegen.packages import ENVIRONMENT_VALUES

from .workshop import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

MODELS = [kind for name in model.__all__ if issubclass(kind := getattr(model, name), BaseModel)]


def keys() -> Iterator[tuple[str, str]]:
    """Give every key that a spec may hold, with the model that it belongs to."""
    for kind in MODELS:
        for name, field in kind.model_fields.items():
            yield kind.__name__, field.alias or name


def test_generated_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--check"])
    assert status == 0, capsys.readouterr().out[-2000:]


def test_readme_explains_every_key() -> None:
    text = (ROOT / "spec" / "README.md").read_text(encoding="utf-8")
    assert [f"{kind}.{key}" for kind, key in keys() if f"`{key}`" not in text] == []


def test_readme_explains_every_type() -> None:
    text = (ROOT / "spec" / "README.md").read_text(encoding="utf-8")
    kinds = {*PARAMETERS, *FIELDS, *ENVIRONMENT_VALUES}
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []


def test_schema_describes_every_key() -> None:
    schema: dict[str, Any] = json.loads((ROOT / "spec" / "schema.json").read_bytes())
    definitions = schema["$defs"]
    for kind, key in keys():
        if kind != "Entry":
            entry = definitions[kind]
            assert entry["additionalProperties"] is False
            assert entry["properties"][key].get("description"), f"{kind}.{key}"


def test_every_file_names_the_schema() -> None:
    spec = ROOT / "spec"
    for file in spec.rglob("*.yaml"):
        first, _, _ = file.read_text(encoding="utf-8").partition("\n")
        schema = "../schema.json" if file.parent.name == "commands" else "schema.json"
        assert first == f"# yaml-language-server: $schema={schema}", file


def test_templates_hold_loops_and_names_only() -> None:
    for file in (ROOT / "codegen" / "templates").glob("*.jinja"):
        text = file.read_text(encoding="utf-8")
        for word in ("{% set", "{% macro", "{% import", "{% call", "{% include"):
            assert word not in text, file
