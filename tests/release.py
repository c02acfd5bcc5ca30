"""The list that a release must pass: ``python -m tests.release DIST`` says what is missing.

``nox -s release`` builds the archives in DIST first. Nothing is published, and nothing is changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pystrix_typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Check", "changelog", "main"]

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
SECTION = re.compile(r"^## \[(?P<name>[^]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)


class Check(NamedTuple):
    """One line of the list.

    Attributes:
        what: What must be so.
        missing: What is not; empty when all is well.
    """

    what: str
    missing: str


def changelog(text: str, version: str) -> Check:
    """Look whether the changelog tells of a version, and of nothing that is not in it."""
    what = f"CHANGELOG.md tells of {version}, with its date, and has nothing unreleased"
    found = list(SECTION.finditer(text))
    if not found or found[0]["name"] != "Unreleased":
        return Check(what, "its first section is not [Unreleased]")
    end = found[1].start() if len(found) > 1 else len(text)
    if text[found[0].end() : end].strip():
        return Check(what, f"move what stands under [Unreleased] to a section [{version}] - DATE")
    if len(found) < 2 or found[1]["name"] != version:
        return Check(what, f"its newest section is not [{version}]")
    return Check(what, "" if found[1]["date"] else f"the section [{version}] has no date")


def _version(version: str) -> Check:
    right = VERSION.fullmatch(version)
    return Check(f"the version is {version}", "" if right else "it is not of the form 1.2.3")


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return "git is not installed"
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else f"git: {done.stderr.strip()}"


def _clean() -> Check:
    return Check("everything is committed", _git("status", "--porcelain"))


def _untagged(version: str) -> Check:
    tag = _git("tag", "--list", f"v{version}")
    return Check(
        f"there is no tag v{version} yet", tag and "the version has been released: raise it"
    )


def _archives(folder: Path, version: str) -> Check:
    wanted = {
        f"pystrix_typed-{version}-py3-none-any.whl",
        f"pystrix_typed-{version}.tar.gz",
    }
    found = {file.name for file in folder.iterdir()} if folder.is_dir() else set[str]()
    missing = "" if found == wanted else f"{folder} holds {', '.join(sorted(found)) or 'nothing'}"
    return Check("one wheel and one source archive of this version are built", missing)


def _described(folder: Path) -> Check:
    files = [str(file) for file in folder.iterdir()]
    done = _run([sys.executable, "-m", "twine", "check", "--strict", *files])
    return Check("their descriptions render (twine check --strict)", done)


def _runs_on(python: str, folder: Path) -> Check:
    what = f"the wheel installs and plays the demo on Python {python}"
    (wheel,) = folder.glob("*.whl")
    with tempfile.TemporaryDirectory() as place:
        uv = [sys.executable, "-m", "uv"]
        program = Path(place) / ("Scripts" if sys.platform == "win32" else "bin")
        for command in (
            [*uv, "venv", "--quiet", "--python", python, place],
            [*uv, "pip", "install", "--quiet", "--python", program / "python", f"{wheel}[cli]"],
            [program / "pystrix-typed", "demo"],
        ):
            if missing := _run(list(map(str, command))):
                return Check(what, missing)
    return Check(what, "")


def _run(command: Sequence[str]) -> str:
    """Run a command; give the last that it said if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip().splitlines()
    return "" if done.returncode == 0 else (said or ["it failed"])[-1]


def checks(folder: Path, pythons: Sequence[str]) -> Iterator[Check]:
    """Go through the list."""
    version = pystrix_typed.__version__
    yield _version(version)
    yield changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    yield _clean()
    yield _untagged(version)
    archives = _archives(folder, version)
    yield archives
    if not archives.missing:
        yield _described(folder)
        for python in pythons:
            yield _runs_on(python, folder)


def main(arguments: Sequence[str], say: Callable[[str], object] = print) -> int:
    """Print the list: the first argument is the folder of archives, the others are Pythons."""
    folder, *pythons = arguments
    missing = 0
    for check in checks(Path(folder), pythons):
        say(f"[{' ' if check.missing else 'x'}] {check.what}")
        if check.missing:
            missing += 1
            for line in check.missing.splitlines():
                say(f"      {line}")
    if missing:
        say(f"This is no release yet: {missing} of the list.")
        return 1
    tag = f"v{pystrix_typed.__version__}"
    say(f"Ready. What is left to a person: nox is green; git tag {tag}; push it; upload {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
