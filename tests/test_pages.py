"""What the pages show is so: every block of code on them is checked, and the programs are run."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml
from prometheus_client import CollectorRegistry

from codegen.__main__ import main as generate
from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import COMMANDS
from pystrix_typed.agi.dialogue import Dialogue
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.redaction import Redactor
from pystrix_typed.testing import Caller, SimulatedAsterisk

from .checkers import CHECKERS, expected
from .pages import BLOCKS, FENCE, PAGES, ROOT, Block, complete, program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: The program that the first test of the testing guide is about.
FLOW = ("docs/guides/testing.md", '@server.script("menu")')
#: The blocks that hold no code: pictures, what a program prints, and what is for Sphinx.
DIRECTIVES = ("eval-rst", "include", "ladder", "layers", "literalinclude", "raw", "toctree")
PLAIN = {"", "text", *(f"{{{name}}}" for name in DIRECTIVES)}
#: A line of a dialplan.
DIALPLAN = re.compile(
    r"""\[[\w-]+\]
    | (exten\ =>\ [^,]+,(\d+|n)(\(\w+\))? | \ same\ =>\ n(\(\w+\))?) , \w+ (\(.*\))?
    | ;.* |""",
    re.VERBOSE,
)
MAIN = "from pystrix_typed.cli import main; main()"
CLASSES = {command.class_name for command in COMMANDS}


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def is_signature(block: Block) -> bool:
    """Tell whether a block says how an action is called, as the reference does."""
    name = block.text.partition("(")[0]
    return block.page.startswith("docs/reference/") and name in CLASSES


#: The README's are checked by its own tests: one of them is another's module.
PYTHON = [block for block in of("python") if not is_signature(block) and block.page != "README.md"]
SIGNATURES = [block for block in of("python") if is_signature(block)]


def names(blocks: list[Block]) -> list[str]:
    return [block.name for block in blocks]


def test_every_language_is_checked() -> None:
    known = PLAIN | {"python", "sh", "ini", "toml", "json", "yaml"}
    assert {block.language for block in BLOCKS} <= known
    assert len(PYTHON) > len(CLASSES)
    assert len(SIGNATURES) == len(CLASSES)


@pytest.mark.parametrize("checker", CHECKERS)
def test_python_is_typed_as_it_says(checker: str, tmp_path: Path) -> None:
    written, checked = tmp_path / "written", tmp_path / "checked"
    written.mkdir()
    checked.mkdir()
    files: list[Path] = []
    for block in PYTHON:
        file = written / f"{block.name}.py"
        file.write_text(complete(block), encoding="utf-8")
        files.append(file)
    files.append(written / "flow.py")  # which another block imports
    files[-1].write_text(program(*FLOW), encoding="utf-8")
    # A block may be nothing but imports, to say where names come from.
    found = {
        finding
        for finding in CHECKERS[checker](files, checked)
        if finding.what != "reportUnusedImport"
    }
    assert found == {finding for file in files for finding in expected(checker, file)}


@pytest.mark.parametrize(
    ("mark", "count", "option"),
    [
        ("test_the_opening_hours", 1, "-q"),
        ("test_another_key", 3, "--update-transcripts"),
        ("test_the_menu_ends_in_order", 1, "-q"),
    ],
)
def test_a_test_passes_beside_its_flow(mark: str, count: int, option: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(program(*FLOW), encoding="utf-8")
    (tmp_path / "test_flow.py").write_text(program(FLOW[0], mark), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", option, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"{count} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("block", SIGNATURES, ids=names(SIGNATURES))
def test_a_signature_is_that_of_the_class(block: Block) -> None:
    (shown,) = ast.parse(f"def {block.text.strip()}: ...").body
    assert isinstance(shown, ast.FunctionDef)
    action: type = getattr(core, shown.name)
    parameters = inspect.signature(action).parameters.values()
    assert [argument.arg for argument in shown.args.args] == [each.name for each in parameters]
    annotations = [ast.unparse(each.annotation) for each in shown.args.args if each.annotation]
    # A name that a script does not load is written in quotes there.
    own = [
        each.annotation
        if isinstance(each.annotation, str)
        else inspect.formatannotation(each.annotation)
        for each in parameters
    ]
    assert annotations == [ast.unparse(ast.parse(annotation)) for annotation in own]
    given = [each.default for each in parameters if each.default is not inspect.Parameter.empty]
    assert [ast.literal_eval(default) for default in shown.args.defaults] == given
    command = next(command for command in COMMANDS if command.class_name == shown.name)
    assert shown.returns is not None
    assert ast.unparse(shown.returns) == (command.result or "None")


def test_names_on_the_pages_exist() -> None:
    """A name of the package that is written as code, outside of the blocks, is one."""
    found = 0
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue  # it may speak of what is no more
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for name in re.findall(r"`((?:agi|core)\.(?:(?:aio|core)\.)?[A-Z]\w+)[`(.]", text):
            first, *rest = name.split(".")
            thing: object = agi if first == "agi" else core
            for part in rest:
                assert hasattr(thing, part), f"{page}: there is no {name}"
                thing = getattr(thing, part)
            found += 1
    assert found > 50


@pytest.mark.parametrize("block", of("ini"), ids=names(of("ini")))
def test_dialplans_are_well_formed(block: Block) -> None:
    if "exten =>" in block.text or "same =>" in block.text:
        for line in block.text.splitlines():
            assert DIALPLAN.fullmatch(line), line


@pytest.mark.skipif(sys.platform == "win32", reason="there is no sh")
@pytest.mark.parametrize("block", of("sh"), ids=names(of("sh")))
def test_shell_lines_are_shell(block: Block) -> None:
    shell = shutil.which("sh")
    assert shell
    done = subprocess.run(
        [shell, "-n"], input=block.text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", of("sh"), ids=names(of("sh")))
def test_commands_that_are_named_exist(block: Block) -> None:
    for command in re.findall(r"(?:^|/|\s)pystrix-typed ([a-z]+)", block.text, re.MULTILINE):
        done = subprocess.run(
            [sys.executable, "-c", MAIN, command, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


#: What takes options on the pages, and how it is asked for them.
PROGRAMS = {
    r"pystrix-typed (?P<command>[a-z]+)": [sys.executable, "-c", MAIN, "{command}", "--help"],
    r"nox -s faults --": [sys.executable, "-m", "tests.faults", "--help"],
    r"nox -s bench --": [sys.executable, "-m", "benchmarks", "--help"],
    r"python -m benchmarks\.exchange": [sys.executable, "-m", "benchmarks.exchange", "--help"],
}


def test_options_that_are_given_exist() -> None:
    told: dict[tuple[str, ...], str] = {}
    found = 0
    for block in of("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for pattern, ask in PROGRAMS.items():
                match = re.search(rf"(?:^|[/\s]){pattern}(?P<rest>.*)", line)
                if not match:
                    continue
                command = tuple(word.format(**match.groupdict()) for word in ask)
                if command not in told:
                    told[command] = subprocess.run(
                        command, cwd=ROOT, capture_output=True, text=True, check=True
                    ).stdout
                for option in re.findall(r"\s(--[a-z][a-z-]*)", match["rest"]):
                    assert re.search(rf"{option}\b", told[command]), f"{block.name}: {option}"
                    found += 1
    assert found > 15


# ---- texts: what a program prints, and queries ----


def test_every_text_is_known() -> None:
    pages = [block.page.removeprefix("docs/") for block in of("text")]
    guide = "guides/observability.md"
    assert pages == [guide, guide, guide, "migrating/panoramisk.md"]


def texts() -> list[str]:
    return [block.text.strip() for block in of("text")]


def test_the_line_of_the_log_is_such_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "pystrix_typed.agi.calls")
    server = agi.FastAGIServer(port=0)

    @server.script("pay")
    def pay(session: agi.FastAGI, request: agi.Request) -> None:
        session.execute(core.Answer())

    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        SimulatedAsterisk().call_server(*server.server_address, "pay", caller=Caller("200"))
    said = [each.getMessage() for each in caplog.records if hasattr(each, "outcome")]
    shape = re.compile(
        r"call [0-9a-f]+-[0-9a-f]+ of PJSIP/\w+-\d{8} \(200\) from [\d.]+:\d+, pay: "
        r"completed after \d+\.\d s, \d commands"
    )
    assert [bool(shape.fullmatch(line)) for line in (*said, texts()[0])] == [True, True], said


def test_the_trace_hides_what_it_says() -> None:
    dialogue = Dialogue(Redactor())
    shown: list[str] = []
    for sent, line in (
        (True, 'GET DATA "vm-password" 5000 4'),
        (False, "200 result=1234"),
        (True, 'DATABASE GET "pins" "1234"'),
        (False, "200 result=1 (Ada)"),
    ):
        mark = ">>" if sent else "<<"
        shown += [f"{mark} {each.text}" for each in dialogue.feed(sent, f"{line}\n".encode())]
    assert shown == texts()[1].splitlines()


def test_the_queries_ask_for_metrics_that_there_are() -> None:
    text = CallMetrics(registry=CollectorRegistry()).exposition().decode()
    there = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    asked = {name.removesuffix("_bucket") for name in re.findall(r"fastagi_\w+", texts()[2])}
    assert asked <= there
    assert len(asked) > 3


def test_what_was_written_before_is_python() -> None:
    assert len(ast.parse(texts()[3]).body) == 4


def test_the_checks_are_those_of_nox() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = set(re.findall(r"^@nox.session.*\ndef (\w+)", noxfile, re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `nox -s (\w+)`", text, re.MULTILINE)) == sessions
    for page in PAGES:
        named = re.findall(r"nox -s ((?:\w+ ?)+)", page.read_text(encoding="utf-8"))
        assert {name for names in named for name in names.split()[:1]} <= sessions, page


def test_the_command_that_is_added_in_the_instructions_can_be(tmp_path: Path) -> None:
    (entry,) = [
        block.text
        for block in BLOCKS
        if block.page == "CONTRIBUTING.md" and "SEND CARD" in block.text
    ]
    (tmp_path / "spec" / "commands").mkdir(parents=True)
    file = tmp_path / "spec" / "commands" / "text.yaml"
    file.write_text(f"about: Texts.\ncommands:\n{entry}", encoding="utf-8")
    assert generate(["--spec", str(tmp_path / "spec"), "--out", str(tmp_path / "cards")]) == 0
    assert "class SendCard(" in (tmp_path / "cards" / "_send_card.py").read_text(encoding="utf-8")


READ: dict[str, Callable[[str], object]] = {
    "toml": tomllib.loads,
    "json": json.loads,
    "yaml": yaml.safe_load,
}


def test_data_can_be_read() -> None:
    for block in of(*READ):
        assert READ[block.language](block.text), block


def test_where_is_what_is_where_it_says() -> None:
    text = (
        (ROOT / "docs" / "inside.md").read_text(encoding="utf-8").partition("## Where is what")[2]
    )
    package = ROOT / "src" / "pystrix_typed"
    rooms: set[Path] = set()
    for row in re.findall(r"^\| (.*?) \|", text, re.MULTILINE)[1:]:
        for name in re.findall(r"`(.*?)`", row):
            folder = package / "agi" if row.startswith("...") else ROOT
            room = next(each for each in (folder / name, package / name) if each.exists())
            rooms.add(room)
    assert {path.parent for path in package.glob("*/__init__.py")} <= rooms
    assert {ROOT / name for name in ("spec", "codegen", "tests", "docs", "examples")} <= rooms
