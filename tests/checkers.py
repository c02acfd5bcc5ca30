"""Asking mypy and pyright about a file, as strictly as they can, and reading what they report."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pystrix_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "CHECKERS",
    "INSTALLED",
    "PACKAGES",
    "PLUGIN",
    "Finding",
    "expected",
    "mypy",
    "pyright",
    "untyped",
]

PACKAGES = Path(pystrix_typed.__file__).resolve().parents[1]
INSTALLED = PACKAGES.name == "site-packages"
_KNOWN = any(each.value == "pystrix_typed.pytest_plugin" for each in entry_points(group="pytest11"))
#: How pytest learns of the plugin: any install names it itself, an editable one as well.
PLUGIN = () if _KNOWN else ("-p", "pystrix_typed.pytest_plugin")


class Finding(NamedTuple):
    """One line of a report.

    Attributes:
        file: The file's name.
        line: The line that it is about.
        what: The rule that was broken, or ``reveals ...`` with the type that was asked for.
    """

    file: str
    line: int
    what: str


def mypy(files: Sequence[Path], folder: Path) -> set[Finding]:
    """Give what mypy reports about copies of the files in an empty folder."""
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    output = _run(
        [
            *("mypy", "--config-file", "mypy.ini", "--cache-dir", "cache", "--output", "json"),
            *("--python-executable", sys.executable, *_copies(files, folder)),
        ],
        folder,
        # An installed package must be found by its py.typed, and is not named here.
        {} if INSTALLED else {"MYPYPATH": str(PACKAGES)},
    )
    findings: set[Finding] = set()
    for text in filter(None, output.splitlines()):  # an empty one is "nothing to report"
        report = json.loads(text)
        found = re.fullmatch(r'Revealed type is "(.*)"', report["message"])
        what = f"reveals {_short(found[1])}" if found else report["code"]
        findings.add(Finding(Path(report["file"]).name, report["line"], what))
    return findings


def pyright(files: Sequence[Path], folder: Path) -> set[Finding]:
    """Give what pyright reports about copies of the files in an empty folder."""
    settings: dict[str, object] = {"typeCheckingMode": "strict"}
    settings["include"] = _copies(files, folder)
    if not INSTALLED:
        settings["extraPaths"] = [str(PACKAGES)]
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    output = _run(["pyright", "--pythonpath", sys.executable, "--outputjson"], folder, {})
    findings: set[Finding] = set()
    for report in json.loads(output)["generalDiagnostics"]:
        found = re.fullmatch(r'Type of ".*" is "(.*)"', report["message"])
        what = f"reveals {_short(found[1])}" if found else report["rule"]
        line: int = report["range"]["start"]["line"] + 1
        findings.add(Finding(Path(report["file"]).name, line, what))
    # What is wrong has no type, and strict pyright complains of that as well.
    return {
        finding
        for finding in findings
        if not finding.what.startswith("reportUnknown")
        or not any(
            other[:2] == finding[:2] and not other.what.startswith("reportUnknown")
            for other in findings
        )
    }


CHECKERS: Mapping[str, Callable[[Sequence[Path], Path], set[Finding]]] = {
    "mypy": mypy,
    "pyright": pyright,
}


def untyped(package: str, folder: Path) -> list[str]:
    """Give what of a package's public names pyright finds to have no certain type.

    What is another package's (of Typer, of pytest) is that package's to type.
    """
    command = ["pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    environment = {} if INSTALLED else {"PYTHONPATH": str(PACKAGES)}
    report = json.loads(_run([*command, "--pythonpath", sys.executable], folder, environment))
    symbols = report["typeCompleteness"]["symbols"]
    assert len(symbols) > 1000
    return [
        f"{symbol['name']}: {diagnostic['message']}"
        for symbol in symbols
        if symbol["isExported"] and not symbol["isTypeKnown"]
        for diagnostic in symbol["diagnostics"]
    ]


def expected(checker: str, file: Path) -> set[Finding]:
    """Give what the comments in a file say that a checker reports.

    ``# mypy: arg-type, call-arg; pyright: reportArgumentType`` names the rules that a line breaks,
    ``# reveals: str | None`` the type that both find.
    """
    findings: set[Finding] = set()
    for number, line in enumerate(file.read_text().splitlines(), 1):
        comment = line.partition("  # ")[2]
        for part in comment.split("; "):
            who, colon, what = part.partition(": ")
            if colon and who == "reveals":
                findings.add(Finding(file.name, number, f"reveals {what}"))
            elif colon and who == checker:
                findings.update(Finding(file.name, number, rule) for rule in what.split(", "))
    return findings


def _copies(files: Sequence[Path], folder: Path) -> list[str]:
    """Copy the files to where no settings of the project reach them; give their names there."""
    for file in files:
        shutil.copy(file, folder)
    return [file.name for file in files]


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def _short(name: str) -> str:
    """Take the modules off the names in a type."""
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", name)
