"""The comparison of the catalogue with Asterisk's documentation: every kind of difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli import documentation
from pystrix_typed.cli.drift import Report, compare
from pystrix_typed.cli.problem import Problem

from .documentation import COMMANDS, ENUMERATIONS, XML

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "core-en_US.xml"


def report(file: Path, old: str = "", new: str = "") -> Report:
    """Compare the sample catalogue with the sample documentation, in which a text is replaced."""
    assert old in XML
    file.write_text(XML.replace(old, new, 1) if old else XML, encoding="utf-8")
    return compare(documentation.read(file), COMMANDS, ENUMERATIONS)


def test_what_agrees_and_what_is_explained_is_no_difference(file: Path) -> None:
    found = report(file)
    assert (found.differences, found.compared, found.notes) == ((), 2, ())
    (known,) = found.known
    assert (known.command, known.kind, known.why) == ("EAT", "removed", "Nobody reads it.")


TOAST = '<agi name="toast bread" language="en_US">'
SECONDS = '<parameter name="seconds" required="true"/>'
CHANGES: dict[str, tuple[str, str, list[str]]] = {
    "undocumented-command": (
        TOAST,
        '<agi name="toast bun" language="en_US">',
        [
            "TOAST BREAD: the catalogue has the command, the documentation does not",
            "TOAST BUN: the documentation has the command, the catalogue does not",
        ],
    ),
    "added": (
        SECONDS,
        f'{SECONDS}<parameter name="jam"/>',
        ["TOAST BREAD: parameter 3, 'jam', is not in the catalogue"],
    ),
    "removed": (
        SECONDS,
        "",
        ["TOAST BREAD: parameter 2, 'seconds', is not in the documentation"],
    ),
    "renamed": (
        SECONDS,
        SECONDS.replace("seconds", "time"),
        ["TOAST BREAD: parameter 2 is 'time' in the documentation, 'seconds' in the catalogue"],
    ),
    "renamed-from-a-name-of-its-own": (
        "bread kind",
        "bread",
        ["TOAST BREAD: parameter 1 is 'bread' in the documentation, 'bread kind' in the catalogue"],
    ),
    "order": (
        f'{SECONDS}\n      <parameter name="butter">',
        '<parameter name="butter"/>\n      <parameter name="seconds" required="true">',
        [
            (
                "TOAST BREAD: the parameters are 'bread kind', 'butter', 'seconds' in the "
                "documentation, and 'bread kind', 'seconds', 'butter' in the catalogue"
            )
        ],
    ),
    "required": (
        '<parameter name="butter">',
        '<parameter name="butter" required="true">',
        ["TOAST BREAD: 'butter' is required in the documentation, optional in the catalogue"],
    ),
    "optional": (
        'name="bread kind" required="true"',
        'name="bread kind"',
        ["TOAST BREAD: 'bread kind' is optional in the documentation, required in the catalogue"],
    ),
    "optional-though-it-always-travels": (SECONDS, '<parameter name="seconds"/>', []),
    "values": (
        '<enum name="rye"/>',
        '<enum name="spelt"/>',
        [
            (
                "TOAST BREAD: 'bread kind' is one of spelt, wheat in the documentation, "
                "one of rye, wheat in the catalogue"
            )
        ],
    ),
    "values-in-another-order": (
        '<enum name="rye"/><enum name="wheat"/>',
        '<enum name="wheat"/><enum name="rye"/>',
        [],
    ),
    "no-values": ('<enumlist><enum name="rye"/><enum name="wheat"/></enumlist>', "", []),
    "since": (
        "<version>12.8.0</version>",
        "",
        ["TOAST BREAD: since 13.2.0 in the documentation, 12.8.0 in the catalogue"],
    ),
    "since-of-a-parameter": (
        "<version>16.0.0</version>",
        "<version>17.0</version>",
        ["TOAST BREAD: since 17.0 in the documentation, 16.0.0 in the catalogue, for 'butter'"],
    ),
    "since-with-other-zeros": ("<version>16.0.0</version>", "<version>16</version>", []),
    "since-before-the-first-release": (
        '<agi name="eat" language="en_US">',
        '<agi name="eat"><since><version>0.4.0</version></since>',
        [],
    ),
    "settled": (
        "<syntax/>",
        '<syntax><parameter name="note"/></syntax>',
        [
            (
                "EAT: recorded in the spec, and not so any more: "
                "parameter 1, 'note', is not in the documentation"
            )
        ],
    ),
}


@pytest.mark.parametrize(("old", "new", "told"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_told(file: Path, old: str, new: str, told: list[str]) -> None:
    found = report(file, old, new)
    assert [f"{entry.command}: {entry.difference}" for entry in found.differences] == told
    assert all(entry.line or entry.topic for entry in found.differences)


def test_a_difference_says_where_to_look(file: Path) -> None:
    (found,) = report(file, SECONDS, f'{SECONDS}<parameter name="jam"/>').differences
    assert (found.parameter, found.kind, found.topic) == ("jam", "added", "kitchen")
    assert 'name="jam"' in file.read_text(encoding="utf-8").splitlines()[found.line - 1]


def test_without_versions_they_are_not_compared_and_that_is_said(file: Path) -> None:
    content = XML
    while "<since>" in content:
        before, _, rest = content.partition("<since>")
        content = before + rest.partition("</since>")[2]
    file.write_text(content, encoding="utf-8")
    found = compare(documentation.read(file), COMMANDS, ENUMERATIONS)
    assert found.differences == ()
    assert found.notes == (
        "This documentation does not say which version brought what, so that was not compared.",
    )


BOMB = """\
<!DOCTYPE docs [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<docs><agi name="&b;"/></docs>
"""
UNREADABLE = {
    "another-root": ("<html/>", "is not Asterisk's documentation: its root is 'html'"),
    "no-xml": ("{}", "is not Asterisk's documentation: "),
    "cut-short": (XML[: len(XML) // 2], "is not Asterisk's documentation: "),
    "empty": ("", "is not Asterisk's documentation: "),
    "entities": (BOMB, "is not Asterisk's documentation: it declares an entity, 'a'"),
    "unknown-encoding": (
        '<?xml version="1.0" encoding="UTF-9"?><docs/>',
        "is not Asterisk's documentation: unknown encoding: UTF-9",
    ),
    "useless-encoding": (
        '<?xml version="1.0" encoding="utf-7"?><docs/>',
        "is not Asterisk's documentation: multi-byte encodings are not supported",
    ),
    "no-depth": (
        "<docs>" + "<a>" * 100,
        "is not Asterisk's documentation: it is nested too deeply",
    ),
    "no-agi": ("<docs/>", "documents no AGI command"),
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_documentation_is_refused(file: Path, content: str, why: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(Problem) as caught:
        documentation.read(file)
    assert caught.value.status == 2
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_end_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "LIMIT", len(XML) - 1)
    file.write_text(XML, encoding="utf-8")
    with pytest.raises(Problem, match="has more than"):
        documentation.read(file)


def test_a_folder_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is not a file"):
        documentation.read(tmp_path)
    with pytest.raises(Problem, match="No such file"):
        documentation.read(tmp_path / "none.xml")
