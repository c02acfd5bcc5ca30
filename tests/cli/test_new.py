"""`pystrix-typed new`: what it makes passes its own checks, and what it cannot make it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pystrix_typed import cli
from pystrix_typed.cli.new import KINDS, new
from pystrix_typed.cli.problem import Problem

from ..checkers import INSTALLED, PACKAGES, PLUGIN

LIMIT = 120
LONGEST = "an-extraordinarily-long-name-of-a-projec"


def check(folder: Path, *command: str) -> None:
    """Run a tool in a project as its author would, with the project's own settings."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if not INSTALLED:  # mypy looks for an installed package otherwise
        environment["MYPYPATH"] = str(PACKAGES)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pytest_options() -> list[str]:
    return ["-p", "no:cacheprovider", *PLUGIN]


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_passes_its_own_checks_as_it_is(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "front-desk"
    new(kind, folder)
    check(folder, "ruff", "check", "--no-cache")
    check(folder, "ruff", "format", "--check", "--no-cache")
    check(folder, "mypy", "--cache-dir", str(tmp_path / "cache"))
    check(folder, "pytest", "-q", *pytest_options())
    check(folder, "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel"))
    [wheel] = (tmp_path / "wheel").iterdir()
    assert wheel.name.startswith("front_desk-0.1.0-")


@pytest.mark.parametrize("name", ["x", LONGEST])
@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_its_name_is_no_matter_of_style(kind: str, name: str, tmp_path: Path) -> None:
    new(kind, tmp_path, name=name, python="/" + "p" * 125 if kind == "agi" else "")
    check(tmp_path, "ruff", "check", "--no-cache")
    check(tmp_path, "ruff", "format", "--check", "--no-cache")


@pytest.mark.parametrize("kind", KINDS)
def test_no_placeholder_is_left(kind: str, tmp_path: Path) -> None:
    new(kind, tmp_path / "front-desk")
    made = [path for path in (tmp_path / "front-desk").rglob("*") if path.is_file()]
    assert {path.name for path in made} > {"README.md", "extensions.conf", "pyproject.toml"}
    assert ".gitignore" in {path.name for path in made}
    for path in made:
        text = f"{path.relative_to(tmp_path)}\n{path.read_text(encoding='utf-8')}"
        assert not re.search(r"my.(agi|fastagi|asyncio)", text), text
        assert "__pycache__" not in str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_the_readme_names_is_there(kind: str, tmp_path: Path) -> None:
    new(kind, tmp_path / "desk")
    text = (tmp_path / "desk" / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(named) == 4
    for name in named:
        assert (tmp_path / "desk" / name).exists()


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["pystrix-typed", "new", *arguments])
    status = cli.main()
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_to_do_next(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, monkeypatch, kind, "desk")
    assert (status, err) == (0, "")
    assert out.startswith(f"desk is {KINDS[kind]}.\n")
    dialplan = (tmp_path / "desk" / "extensions.conf").read_text(encoding="utf-8")
    for line in [*dialplan.splitlines(), "cd desk", ".venv/bin/pytest"]:
        assert f"    {line}\n" in out
    if kind == "agi":
        script = tmp_path.resolve() / "desk" / "desk_agi.py"
        assert f"AGI({script})" in dialplan
        assert script.stat().st_mode & 0o111 == 0o111
        assert script.read_text(encoding="utf-8").startswith(f"#!{sys.executable}\n")


@pytest.mark.parametrize(
    ("told", "command"),
    [
        (None, "pip install -e"),
        ({"url": "file:///src/my%20clone", "dir_info": {}}, "pip install '/src/my clone' -e"),
        ({"url": "file:///wheels/it.whl", "archive_info": {}}, "pip install /wheels/it.whl -e"),
        ({"url": "https://wheels.example/it.whl"}, "pip install https://wheels.example/it.whl -e"),
        (
            {"url": "https://git.example/it", "vcs_info": {"vcs": "git", "commit_id": "1a2b"}},
            "pip install git+https://git.example/it@1a2b -e",
        ),
    ],
)
def test_a_package_that_came_from_no_index_is_named(
    told: object, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    record = tmp_path / "lib" / "pystrix_typed-9.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: pystrix-typed\nVersion: 9\n")
    if told is not None:
        (record / "direct_url.json").write_text(json.dumps(told))
    monkeypatch.setattr("sys.path", [str(tmp_path / "lib"), *sys.path])
    status, out, _ = run(capsys, monkeypatch, "fastagi", str(tmp_path / "desk"))
    assert status == 0
    line = f".venv/bin/{command} '.[dev]'\n"
    assert f"    {line}" in out
    assert f"\n{line}" in (tmp_path / "desk" / "README.md").read_text(encoding="utf-8")


def test_what_to_do_next_can_be_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(capsys, monkeypatch, "fastagi", "my $calls/front-desk")
    assert status == 0
    assert "    cd 'my $calls/front-desk'\n" in out


def test_an_empty_folder_may_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Front_Desk").mkdir()
    monkeypatch.chdir(tmp_path / "Front_Desk")
    new("fastagi", Path())
    assert (tmp_path / "Front_Desk" / "front_desk" / "flow.py").exists()


def test_a_name_and_a_python_may_be_given(tmp_path: Path) -> None:
    new("agi", tmp_path / "2026", name="desk", python="/opt/ivr/bin/python")
    script = tmp_path / "2026" / "desk_agi.py"
    assert script.read_text(encoding="utf-8").startswith("#!/opt/ivr/bin/python\n")


def test_what_is_there_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "notes").write_text("mine", encoding="utf-8")
    status, out, err = run(capsys, monkeypatch, "asyncio", str(tmp_path / "desk"))
    assert (status, out) == (1, "")
    assert err == (
        f"pystrix-typed: {tmp_path / 'desk'} is there already, and it is not empty: name another "
        "folder\n"
    )
    assert [path.name for path in (tmp_path / "desk").iterdir()] == ["notes"]
    with pytest.raises(Problem, match="it is a file"):
        new("agi", tmp_path / "desk" / "notes", name="desk")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1st", "begins with a letter"),
        ("front desk", "letters, digits"),
        ("a" * 41, "at most 40"),
        ("asyncio", "has a module"),
        ("class", "word of Python"),
        ("test", "has a module"),
        ("pystrix-typed", "has a module"),
        ("Tests", "has a module"),
    ],
)
def test_a_name_that_cannot_be_one(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=rf"{re.escape(name)}.*{why}.*--name") as caught:
        new("fastagi", tmp_path / name)
    assert caught.value.status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("python", ["python3", "/opt/my python/bin/python", "/" + "x" * 126])
def test_a_python_that_cannot_be_a_first_line(python: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="first line of a script") as caught:
        new("agi", tmp_path / "desk", python=python)
    assert caught.value.status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_a_dialplan_cannot_name(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="dialplan"):
        new("agi", tmp_path / "a,b", name="desk")
    new("fastagi", tmp_path / "a,b", name="desk")


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "desk"
    status, _, err = run(capsys, monkeypatch, "fastagi", str(folder))
    assert status == 1
    assert re.fullmatch(r"pystrix-typed: cannot write .*: Not a directory\n", err)

    # It fails half way, when it makes the script executable.
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    status, _, err = run(capsys, monkeypatch, "agi", str(tmp_path / "new" / "desk"))
    assert status == 1
    assert re.fullmatch(r"pystrix-typed: cannot write .*_agi.py: Operation not permitted\n", err)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
