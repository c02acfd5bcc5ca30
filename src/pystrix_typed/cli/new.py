"""``pystrix-typed new``: a project to begin with, which passes its own tests as it is.

The projects in ``_templates`` are real ones, under placeholder names, and checked like the rest of
the package. Making one is copying it under the names that were asked for.
"""

from __future__ import annotations

import contextlib
import json
import keyword
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["KINDS", "new"]

KINDS: dict[str, str] = {
    "agi": "an AGI script, which Asterisk starts for each call",
    "fastagi": "a FastAGI server with a thread for each call",
    "asyncio": "a FastAGI server with an asyncio task for each call",
}
DIALPLAN = "extensions.conf"

#: Beyond this the lines of a template may get longer than its formatter wants.
_LONGEST_NAME = 40
#: What Linux reads of a first line, in all its versions.
_LONGEST_SHEBANG = 126
#: Modules that the project itself imports or runs, and a package of Python's that is in no list.
_TAKEN = {"mypy", "pip", "pystrix_typed", "pytest", "pytest_asyncio", "ruff", "test", "tests"}


class _File(NamedTuple):
    path: str
    text: str
    executable: bool


def new(kind: str, folder: Path, *, name: str = "", python: str = "") -> None:
    """Make a project, and print what to do next.

    Args:
        kind: One of `KINDS`.
        folder: Where; it must be empty, if it exists.
        name: What it is called; by default what the folder is called.
        python: The Python that runs the script, for `agi`; by default the one that runs this.

    Raises:
        Problem: The name cannot be one, the folder is not empty, or it cannot be written.
    """
    place = folder.absolute().resolve()
    name = _checked(name or place.name)
    names = {
        f"my-{kind}": name,
        f"my_{kind}": name.replace("-", "_"),
        f"/opt/my-{kind}": place.as_posix(),
    }
    source = _source()
    if source:
        names["pip install -e"] = f"pip install {source} -e"
    if kind == "agi":
        names["/usr/bin/python3"] = _interpreter(python)
        if re.search(r"[^\w./@+~-]", place.as_posix()):
            raise Problem(
                f"{place}: a dialplan cannot name a script in a folder that is called like that; "
                f"use letters, digits, '-' and '_'",
                status=2,
            )
    elif python:
        raise Problem("--python is for the kind agi: it is the first line of a script", status=2)
    made = list(_filled(files("pystrix_typed.cli") / "_templates" / kind, names))
    _write(place, made)
    dialplan = next(file.text for file in made if file.path == DIALPLAN)
    print(_next_steps(kind, folder, names[f"my_{kind}"], dialplan, source))


def _checked(name: str) -> str:
    """Give a name as a project has it, if it can be one."""
    plain = name.lower().replace("_", "-")
    module = plain.replace("-", "_")
    hint = "; --name gives it another one than that of the folder"
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", plain):
        why = "a name is of letters, digits and '-', and begins with a letter"
    elif len(plain) > _LONGEST_NAME:
        why = f"a name has at most {_LONGEST_NAME} characters"
    elif keyword.iskeyword(module):
        why = "that is a word of Python's own"
    elif module in sys.stdlib_module_names or module in _TAKEN:
        why = "Python, or the project, has a module that is called so"
    else:
        return plain
    raise Problem(f"{name!r} cannot be the name of a project: {why}{hint}", status=2)


def _interpreter(python: str) -> str:
    """Give the Python for the first line of a script, which has no way to quote anything."""
    here = "/usr/bin/python3" if sys.platform == "win32" else sys.executable
    path = python or here
    if not path.startswith("/") or re.search(r"\s", path) or len(path) > _LONGEST_SHEBANG:
        raise Problem(
            f"{path!r} cannot stand in the first line of a script: name with --python a Python by "
            f"its whole path, of at most {_LONGEST_SHEBANG} characters and without blanks",
            status=2,
        )
    return path


def _filled(template: Traversable, names: dict[str, str], where: str = "") -> Iterator[_File]:
    """Give the files of a template, with the placeholders filled in."""
    # Longest first, because one is part of another.
    placeholders = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True)))
    for entry in sorted(template.iterdir(), key=lambda entry: entry.name):
        path = where + placeholders.sub(lambda found: names[found[0]], entry.name)
        if entry.name == "__pycache__" or entry.name.startswith("."):
            continue  # left here by the tools that check the templates, or by an installer
        if entry.is_dir():
            yield from _filled(entry, names, f"{path}/")
            continue
        text = placeholders.sub(lambda found: names[found[0]], entry.read_text(encoding="utf-8"))
        # Under its real name it would hide files of the package from git and from the build.
        yield _File(
            ".gitignore" if path == "gitignore" else path, text, executable=text.startswith("#!")
        )


def _write(folder: Path, made: list[_File]) -> None:
    """Write all of a project, or nothing."""
    written: list[Path] = []
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "it is not empty" if folder.is_dir() else "it is a file"
            raise Problem(f"{folder} is there already, and {what}: name another folder")
        for file in made:
            path = folder / file.path
            for parent in reversed(path.parents):
                if not parent.exists():
                    parent.mkdir()
                    written.append(parent)
            path.write_text(file.text, encoding="utf-8", newline="\n")
            written.append(path)
            if file.executable:
                path.chmod(0o755)
    except OSError as error:
        for path in reversed(written):
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise Problem(f"cannot write {error.filename or folder}: {error.strerror}") from None


def _source() -> str:
    """Give what pip installs this package from, unless it is an index: a clone, a wheel, a URL.

    The project could not be installed otherwise where no index has the package.
    """
    try:
        text = distribution("pystrix-typed").read_text("direct_url.json")
        told: dict[str, str | dict[str, str]] = json.loads(text or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    url, versioned = told.get("url"), told.get("vcs_info")
    if not isinstance(url, str):
        return ""
    if isinstance(versioned, dict):
        return shlex.quote(f"{versioned.get('vcs')}+{url}@{versioned.get('commit_id')}")
    parts = urlsplit(url)
    return shlex.quote(url2pathname(parts.path) if parts.scheme == "file" else url)


def _next_steps(kind: str, folder: Path, module: str, dialplan: str, source: str) -> str:
    install = f"    .venv/bin/pip install {source} -e '.[dev]'".replace("  -e", " -e")
    lines = [f"{folder} is {KINDS[kind]}.", "", "Its tests, which need no Asterisk:", ""]
    if folder != Path():
        lines.append(f"    cd {shlex.quote(str(folder))}")
    lines += ["    python3 -m venv .venv", install]
    lines += ["    .venv/bin/pytest", ""]
    if kind == "agi":
        lines += ["Whether Asterisk can start it:", ""]
        lines += [f"    pystrix-typed doctor --script {module}_agi.py"]
    else:
        lines += ["Start it, and call it from another terminal without Asterisk:", ""]
        lines += [f"    .venv/bin/python -m {module}.server"]
        lines += ["    pystrix-typed call agi://127.0.0.1/number --press 1234"]
    lines += ["", f"In a context of your dialplan (the file {DIALPLAN} has it, too):", ""]
    lines += [f"    {line}" for line in dialplan.splitlines()]
    lines += ["", f"README.md says more; the call flow is in {module}/flow.py."]
    return "\n".join(lines)
