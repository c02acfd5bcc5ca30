"""The templates filled in memory, and formatted by the one formatter that the project pins.

Nothing here depends on the time, the place, the language or the hash seed: the same spec gives the
same bytes on every machine, or comparing them would prove nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from pydantic.json_schema import models_json_schema

from . import packages, reference
from .model import CommandsFile, EnumerationsFile, EnvironmentFile, ResultsFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .load import Spec
    from .scope import Scope

__all__ = ["RUFF", "FormatterError", "pages", "render", "schema"]

#: The formatter's version, as in the extra ``codegen``: another one may write other bytes.
RUFF = "0.17.6"

OPTIONS = ("--isolated", "--no-cache", "--quiet", "--target-version", "py311")
LENGTH = ("--line-length", "100")


class FormatterError(Exception):
    """Ruff is missing, is another version, or cannot read what the templates gave."""


def render(spec: Spec, scope: Scope, *, core: bool) -> dict[str, bytes]:
    """Render a spec.

    Args:
        spec: A spec without problems.
        scope: Its names.
        core: Whether it is the project's own.

    Returns:
        The bytes of each file of the package, by its name.

    Raises:
        FormatterError: The formatter is not the one that is pinned.
    """
    environment = _environment()
    sources: dict[str, str] = {}
    for page in packages.pages(spec, scope, core=core):
        template = environment.get_template(f"{page.template}.py.jinja")
        sources[f"{page.module}.py"] = template.render(page.values)
    files = _format(sources)
    if not core:
        # Or checkers would not look into an installed one.
        files["py.typed"] = b""
    return files


def pages(spec: Spec, scope: Scope) -> dict[str, bytes]:
    """Render the reference of a spec: the bytes of each Markdown page, by its name."""
    environment = _environment()
    found: dict[str, bytes] = {}
    for sheet in reference.sheets(spec, scope):
        text = environment.get_template(f"{sheet.template}.md.jinja").render(sheet.values)
        # A loop leaves the empty line behind its last item.
        found[f"{sheet.name}.md"] = (text.rstrip("\n") + "\n").encode()
    return found


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates", encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # it is Python and Markdown, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _format(sources: Mapping[str, str]) -> dict[str, bytes]:
    """Sort the imports and format, all files in one go: starting ruff takes the time."""
    ruff = _ruff()
    with tempfile.TemporaryDirectory(prefix="codegen-") as name:
        folder = Path(name)
        for file, text in sources.items():
            (folder / file).write_bytes(text.encode())
        first_party = 'lint.isort.known-first-party=["pystrix_typed"]'
        lint = ("check", *OPTIONS, *LENGTH, "--select", "I", "--fix", "--config", first_party)
        for command in (lint, ("format", *OPTIONS, *LENGTH)):
            done = subprocess.run(
                [ruff, *command, "--no-respect-gitignore", "."],
                cwd=folder,
                env={key: text for key, text in os.environ.items() if key[:5] != "RUFF_"},
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=False,
            )
            if done.returncode:
                output = (done.stdout + done.stderr).strip()
                message = f"ruff cannot format what the templates gave:\n{output}"
                raise FormatterError(message)
        return {file: (folder / file).read_bytes() for file in sorted(sources)}


def _ruff() -> str:
    install = f"install it: pip install ruff=={RUFF}, or the extra codegen"
    try:
        found = metadata.version("ruff")
    except metadata.PackageNotFoundError:
        raise FormatterError(
            f"generating needs ruff {RUFF}, and there is none; {install}"
        ) from None
    if found != RUFF:
        message = f"generating needs ruff {RUFF}, and here is {found}; {install}"
        raise FormatterError(message)
    find = getattr(import_module("ruff"), "find_ruff_bin")  # noqa: B009 - it has no types
    return str(find())


def schema() -> bytes:
    """Give the JSON schema of every file of a spec."""
    models = (CommandsFile, ResultsFile, EnumerationsFile, EnvironmentFile)
    names, definitions = models_json_schema(
        [(model, "validation") for model in models],
        title="A spec of pystrix-typed",
        description="Generated from codegen/model.py by codegen; do not edit.",
    )
    definitions["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions["anyOf"] = [names[model, "validation"] for model in models]
    return (json.dumps(definitions, indent=2, sort_keys=True) + "\n").encode()
