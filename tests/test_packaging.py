"""What travels in the wheel and in the source archive, and that it works where it arrives."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pystrix_typed

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 120
#: Made by tools, wherever they run.
LITTER = (
    "__pycache__",
    ".hypothesis",
    ".pyc",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".DS_Store",
)

pytestmark = pytest.mark.xdist_group("packaging")  # so that one worker builds, and builds once


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """Run a command that knows nothing of the checkout, and give what it printed."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "VIRTUAL_ENV"}
    }
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def build(source: Path, target: str, folder: Path) -> Path:
    """Build an archive with the backend that pyproject.toml names."""
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
    (archive,) = folder.iterdir()
    return archive


def environment(folder: Path, *requirements: str) -> Path:
    """Make a virtual environment with something installed; give its folder of programs."""
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "venv", "--python", sys.executable, folder, cwd=folder.parent)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    run(*uv, "pip", "install", "--python", programs / "python", *requirements, cwd=folder.parent)
    return programs


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):  # not before 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the programs of an environment with the wheel and all that its extras bring."""
    return environment(
        tmp_path_factory.mktemp("full") / "venv", f"{wheel}[cli,codegen,metrics,otel]"
    )


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(archive.read(name).decode())


def contents(wheel: Path) -> set[str]:
    """Give the files of a wheel, without its own records."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def files(folder: Path, place: str = "") -> set[str]:
    """Give the files below a folder, by the names that they have when it is put in a place."""
    return {
        f"{place}{file.relative_to(folder).as_posix()}"
        for file in folder.rglob("*")
        if file.is_file() and not any(mark in str(file) for mark in LITTER)
    }


def test_wheel_holds_the_package_the_generator_and_the_spec(wheel: Path) -> None:
    wanted = (
        files(ROOT / "src" / "pystrix_typed", "pystrix_typed/")
        | files(ROOT / "codegen", "pystrix_typed/codegen/")
        | files(ROOT / "spec", "pystrix_typed/spec/")
    )
    assert contents(wheel) == wanted
    for name in (
        "py.typed",
        "agi/core/__init__.py",
        "codegen/__main__.py",
        "spec/commands/channel.yaml",
    ):
        assert f"pystrix_typed/{name}" in wanted
    assert any(name.endswith(".jinja") for name in wanted)


def test_wheel_tells_who_it_is(wheel: Path) -> None:
    about = metadata(wheel)
    assert about["Name"] == "pystrix-typed"
    assert about["Version"] == pystrix_typed.__version__
    assert about["License-Expression"] == "MIT"
    assert about["Requires-Python"] == ">=3.11"
    needs: list[str] = about.get_all("Requires-Dist", [])
    assert needs
    assert [need for need in needs if "extra ==" not in need] == []


def test_source_archive_holds_no_litter(unpacked: Path) -> None:
    names = {file.relative_to(unpacked).as_posix() for file in unpacked.rglob("*")}
    assert not {name for name in names if any(mark in name for mark in LITTER)}
    assert {name.partition("/")[0] for name in names} <= {
        *(".ci", ".gitattributes", ".github", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md"),
        *("LICENSE", "PKG-INFO", "README.md", "benchmarks", "codegen", "deploy", "docs"),
        *("examples", "noxfile.py", "pyproject.toml", "spec", "src", "tests"),
    }


FOLDERS = ["src", "codegen", "spec", "tests", "docs", "examples", "benchmarks", ".ci"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_source_archive_holds_all_of_a_folder(unpacked: Path, folder: str) -> None:
    assert files(unpacked / folder) == files(ROOT / folder)


def test_source_archive_builds_the_same_wheel(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    assert contents(build(unpacked, "wheel", tmp_path)) == contents(wheel)


def test_core_needs_nothing(wheel: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "venv", "--no-deps", str(wheel))
    source = "from pystrix_typed import agi; [getattr(agi, name) for name in agi.__all__]"
    run(programs / "python", "-I", "-c", source, cwd=tmp_path)
    done = subprocess.run(
        [programs / "pystrix-typed", "demo"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"pip install 'pystrix-typed[cli]'" in done.stderr


def test_demo_runs_from_an_install(installed: Path, tmp_path: Path) -> None:
    output = run(installed / "pystrix-typed", "demo", cwd=tmp_path)
    assert output.endswith("The end.\n")


def test_a_project_begins_from_an_install(installed: Path, wheel: Path, tmp_path: Path) -> None:
    output = run(installed / "pystrix-typed", "new", "agi", "desk", cwd=tmp_path)
    assert f".venv/bin/pip install {wheel} -e '.[dev]'\n" in output
    folder = tmp_path / "desk"
    assert (folder / ".gitignore").is_file()
    run(installed / "pystrix-typed", "doctor", "--script", folder / "desk_agi.py", cwd=folder)


def test_real_asterisk_is_not_in_an_install(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "pystrix-typed", "demo", "--asterisk", cwd=tmp_path, status=2) == ""


SPEC = """\
about: Commands of our own.
commands:
  - command: NOOP
    class: Ping
    summary: Does nothing, under another name.
    since: "1.0"
    dead: true
    arguments: []
    outcomes:
      - {id: done, about: Always., when: {}, examples: [{line: "200 result=0"}]}
    examples:
      - {python: "Ping()", wire: "NOOP"}
    source: res_agi.c handle_noop
"""
USE = """\
from mine.ping import Ping
assert Ping().line == b"NOOP\\n"
"""


def test_people_generate_commands_of_their_own(installed: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec" / "commands"
    spec.mkdir(parents=True)
    (spec / "ping.yaml").write_text(SPEC, encoding="utf-8")
    options = ("--spec", spec.parent, "--out", tmp_path / "mine")
    command = (installed / "pystrix-typed", "generate", *options)
    run(*command, cwd=tmp_path)
    run(*command, "--check", cwd=tmp_path)
    run(installed / "python", "-c", USE, cwd=tmp_path)
    with (tmp_path / "mine" / "ping.py").open("a", encoding="utf-8") as file:
        file.write("# edited by hand\n")
    run(*command, "--check", cwd=tmp_path, status=1)


def test_the_example_of_private_commands_comes_from_an_install(
    installed: Path, tmp_path: Path
) -> None:
    example = ROOT / "examples" / "private_commands"
    options = ("--spec", example / "spec", "--out", tmp_path / "ticket_agi")
    run(installed / "pystrix-typed", "generate", *options, cwd=tmp_path)
    made = {file.name: file.read_bytes() for file in (tmp_path / "ticket_agi").glob("*.py")}
    assert made == {file.name: file.read_bytes() for file in (example / "ticket_agi").glob("*.py")}
