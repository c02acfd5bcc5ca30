"""``pystrix-typed check``: what it prints, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import pytest

from pystrix_typed.agi.core.catalogue import COMMANDS, ENUMERATIONS

from .test_app import run

if TYPE_CHECKING:
    from pathlib import Path

    from pystrix_typed.agi.catalogue_model import Argument

#: What the spec records as missing or else in the real documentation.
LEFT_OUT = {("NOOP", "note"), ("SAY ALPHA", "case")}
REQUIRED = {("SET MUSIC", "class"), ("SPEECH CREATE", "engine")}
VALUES = {("TDD MODE", "boolean"): ("on", "off")}
SINCE = {"ASYNCAGI BREAK": "1.8.0"}


def parameter(command: str, argument: Argument) -> str:
    """Write one argument as a documentation that agrees with the spec would."""
    name = argument.documented or argument.name
    if argument.wire == "joined" or (command, name) in LEFT_OUT:
        return ""
    required = argument.wire == "always" or (command, name) in REQUIRED
    values = "".join(
        f"<enum name={quoteattr(value)}/>" for value in VALUES.get((command, name), ())
    )
    return (
        f"<parameter name={quoteattr(name)} required='{str(required).lower()}'>"
        f"<enumlist>{values}</enumlist></parameter>"
    )


def agreeing() -> str:
    """Write a documentation that is wrong only where the spec says that it is."""
    parts = ["<docs>"]
    for command in COMMANDS:
        parameters = [parameter(command.name, argument) for argument in command.arguments]
        since = SINCE.get(command.name, command.since)
        parts.append(
            f"<agi name={quoteattr(command.name.lower())}>"
            f"<since><version>{since}</version></since>"
            f"<syntax>{''.join(parameters)}</syntax></agi>"
        )
    return "\n".join([*parts, "</docs>"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "core-en_US.xml"
    path.write_text(agreeing(), encoding="utf-8")
    return path


def test_an_asterisk_as_the_spec_has_it(file: Path) -> None:
    done = run("check", str(file))
    told = f"{len(COMMANDS)} commands compared: no differences, and 6 that the spec explains.\n"
    assert done.stdout == told
    assert (done.returncode, done.stderr) == (0, "")


def test_a_difference_is_one_line_and_the_places_to_look_at(file: Path) -> None:
    content = agreeing().replace("'maxdigits'", "'digits'").replace('"maxdigits"', '"digits"')
    file.write_text(content, encoding="utf-8")
    done = run("check", str(file))
    line = next(at for at, text in enumerate(content.splitlines(), 1) if '"digits"' in text)
    assert done.stdout == (
        "GET DATA: parameter 3 is 'digits' in the documentation, 'maxdigits' in the catalogue\n"
        f"    see {file}:{line}, spec/commands/media.yaml\n"
        f"{len(COMMANDS)} commands compared: 1 difference, and 6 that the spec explains.\n"
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_for_programs_it_is_one_object(file: Path) -> None:
    file.write_text(agreeing().replace("answer", "respond"), encoding="utf-8")
    done = run("check", "--json", str(file))
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert set(found) == {"documentation", "compared", "differences", "known", "notes"}
    assert (found["documentation"], found["compared"]) == (str(file), len(COMMANDS) - 1)
    assert [(entry["command"], entry["kind"]) for entry in found["differences"]] == [
        ("ANSWER", "undocumented-command"),
        ("RESPOND", "unknown-command"),
    ]
    assert all(entry["why"] for entry in found["known"])


def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    done = run("check", str(tmp_path / "none.xml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"pystrix-typed: cannot read {tmp_path / 'none.xml'}: No such file or directory; "
        "name the core-en_US.xml of your Asterisk\n"
    )


def test_every_recorded_difference_names_what_the_spec_has() -> None:
    """A misspelt record would never match; the real documentation is not at hand everywhere."""
    names = {argument.documented for command in COMMANDS for argument in command.arguments}
    assert {"channelname", "maxdigits", "s=silence"} <= names
    assert {command.name for command in COMMANDS if command.drift} == {
        *[command for command, _ in LEFT_OUT | REQUIRED | set(VALUES)],
        *SINCE,
    }
    assert ENUMERATIONS
