"""`pystrix-typed doctor` on scripts: what keeps Asterisk from starting them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli import doctor_script

from ..checkers import PACKAGES
from .patients import ENVIRONMENT, OURSELVES, STRANGER, only

if TYPE_CHECKING:
    from pathlib import Path

    from pystrix_typed.cli.finding import Finding
    from pystrix_typed.cli.permissions import User

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Asterisk is not for Windows")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take nothing for slow on a machine that has other things to do."""
    monkeypatch.setattr(doctor_script, "_SLOW", 1e9)
    monkeypatch.setattr(doctor_script, "_SLOW_IMPORTS", 1e9)
    monkeypatch.setattr(doctor_script, "_LIMIT", 120.0)


GOOD = f"#!{sys.executable}\nfrom pystrix_typed import agi\n"


def look(
    folder: Path,
    text: str | bytes,
    *,
    mode: int = 0o755,
    asked: bool = True,
    user: User | None = OURSELVES,
    environment: dict[str, str] | None = None,
) -> list[Finding]:
    script = folder / "ivr.py"
    script.write_bytes(text.encode() if isinstance(text, str) else text)
    script.chmod(mode)
    found = doctor_script.examine(script, user, environment or ENVIRONMENT, asked=asked)
    assert all(str(script) in finding.text or script.name in finding.text for finding in found)
    return found


def test_a_script_that_starts(folder: Path) -> None:
    text = only(look(folder, GOOD), "ok").text
    assert "pystrix-typed" in text
    assert " ms, with the package in " in text


@pytest.mark.parametrize(
    ("text", "what", "advice"),
    [
        ("print(1)\n", "does not begin with #!", "#!/opt"),
        ("", "does not begin with #!", "#!/opt"),
        (GOOD.replace("\n", "\r\n"), "line ends of Windows", "sed"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark", "sed"),
        ("#!/opt/none/python\n", "/opt/none/python, is not there", "first line"),
        ("#!/usr/bin/env python9\n", "'python9' on Asterisk's PATH", "whole path"),
        ("#!/usr/bin/env python3 -u\n", "'python3 -u' on Asterisk's PATH", "whole path"),
        ("#!/usr/bin/env\n", "names no program", "Python"),
        ("#!\n", "names no program", "Python"),
        ("#!/usr/bin\n", "/usr/bin, is a folder", "name the program"),
        ('#!/usr/bin/env -S "python3\n', "No closing quotation", "mend it"),
        (f"#!{sys.executable}\nx = '\0'\n", "null bytes", "mend it"),
        (f"#!{sys.executable}\nprint(\n", "(line 2)", "mend it"),
    ],
)
def test_a_script_that_does_not_start(
    folder: Path, text: str | bytes, what: str, advice: str
) -> None:
    problem = next(each for each in look(folder, text) if each.status == "problem")
    assert what in problem.text
    assert advice in problem.advice


def test_what_a_script_imports_is_imported(folder: Path) -> None:
    (folder / "flow.py").write_text("import sys\n\nBIG = sys.argv\n")
    text = f"{GOOD}from flow import BIG\nraise SystemExit(BIG)\n"
    assert ", with all that it imports in " in only(look(folder, text), "ok").text
    text = f"{GOOD}import flow, there_is_no_such_module\n"
    problem = only(look(folder, text))
    assert "its imports fail: ModuleNotFoundError: No module named 'there_is_no" in problem.text
    assert f"{sys.executable} -m pip install" in problem.advice
    # Of scripts that nobody named nothing is run.
    assert only(look(folder, text, asked=False), "ok")


def test_what_a_script_imports_is_slow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_script, "_SLOW_IMPORTS", -1e9)
    found = only(look(folder, f"{GOOD}import json\n"), "warning")
    assert "FastAGI" in found.advice
    monkeypatch.setattr(doctor_script, "_SLOW", -1e9)
    assert "compileall" in only(look(folder, GOOD), "warning").advice
    (folder / "endless.py").write_text("import time\ntime.sleep(3600)\n")
    monkeypatch.setattr(doctor_script, "_LIMIT", 10.0)
    found = only(look(folder, f"{GOOD}import endless\n"))
    assert "its imports do not end in 10 s" in found.text


def test_a_script_in_another_language_is_named_if_it_was_asked_for(folder: Path) -> None:
    assert "is no Python script" in only(look(folder, "#!/bin/sh\n"), "ok").text
    assert "is no Python script" in only(look(folder, b"\x7fELF\2\1"), "ok").text


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.py")
    found = doctor_script.examine(folder / "pipe.py", OURSELVES, None, asked=True)
    assert only(found).text.endswith("is no file")


def test_a_python_without_the_package(folder: Path) -> None:
    # As Asterisk, which knows no PYTHONPATH, and -S for one without site-packages.
    text = GOOD.replace("\n", " -S\n", 1)
    problem = only(look(folder, text, environment={"PATH": os.environ["PATH"]}))
    assert "cannot import pystrix_typed (ModuleNotFoundError" in problem.text
    assert "pip install" in problem.advice


def test_a_python_that_is_too_old(folder: Path) -> None:
    old = folder / "python2"
    told = {"version": [2, 7, 18], "package": "", "why": "ImportError: no", "syntax": ""}
    old.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
    old.chmod(0o755)
    assert "is 2.7.18" in only(look(folder, f"#!{old}\n")).text


@pytest.mark.parametrize("program", ["#!/bin/sh\necho >&2 broken\n", "#!/none\n"])
def test_a_python_that_does_not_start(folder: Path, program: str) -> None:
    (folder / "python3").write_text(program)
    (folder / "python3").chmod(0o755)
    assert str(folder / "python3") in only(look(folder, f"#!{folder}/python3\n")).text


def test_scripts_of_others_are_only_started(folder: Path) -> None:
    bare = {"PATH": os.environ["PATH"]}
    assert look(folder, f"#!{sys.executable} -S\nprint(1)\n", asked=False, environment=bare) == []
    assert look(folder, "#!/bin/sh\n", asked=False) == []
    assert look(folder, b"\x7fELF\2\1", asked=False) == []


@pytest.mark.parametrize(
    ("mode", "user", "advice"),
    [
        (0o644, None, "chmod +x"),
        (0o644, OURSELVES, "chmod +x"),
        (0o644, STRANGER, "chmod +x"),
        (0o744, STRANGER, "chmod a+x"),
        (0o711, STRANGER, "chmod a+r"),
    ],
)
def test_a_script_that_may_not_be_started(
    folder: Path, mode: int, user: User | None, advice: str
) -> None:
    problem = look(folder, "#!/bin/sh\n", mode=mode, user=user)
    assert advice in only(problem).advice


def test_a_folder_above_that_may_not_be_entered(folder: Path) -> None:
    inner = folder / "private"
    inner.mkdir(0o700)
    problem = only(look(inner, "#!/bin/sh\n", user=STRANGER))
    assert problem.text == f"stranger may not enter {inner}, where ivr.py is"


def test_a_script_that_is_not_there(folder: Path) -> None:
    assert "is not there" in only(doctor_script.examine(folder / "x", None, None, asked=True)).text
    assert "is a folder" in only(doctor_script.examine(folder, None, None, asked=True)).text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be else")
def test_its_python_is_started_as_asterisk_would(folder: Path) -> None:
    """A package that Asterisk's user may not read is not there for it."""
    shutil.copytree(PACKAGES / "pystrix_typed", folder / "lib" / "pystrix_typed")
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "lib")}
    text = "#!/usr/bin/env -S python3 -S\n"
    assert only(look(folder, text, environment=own), "ok")
    (folder / "lib").chmod(0o700)
    problem = only(look(folder, text, environment=own, user=STRANGER))
    assert "cannot" in problem.text or "does not start" in problem.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="for root only")
def test_as_root_no_python_is_started_for_nobody(folder: Path) -> None:
    mark = folder / "ran"
    program = folder / "python3"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    assert (
        "is not tried"
        in only(look(folder, f"#!{program}\n", user=None, asked=False), "warning").text
    )
    assert not mark.exists()
