"""`pystrix-typed doctor`, on machines that are made up: what it finds, and what it advises."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi, cli
from pystrix_typed.agi import core
from pystrix_typed.cli import doctor_asterisk, doctor_script, doctor_server, doctor_through
from pystrix_typed.cli.doctor import EXTRAS
from pystrix_typed.cli.permissions import User
from pystrix_typed.cli.problem import Problem

from ..checkers import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pystrix_typed.cli.finding import Finding

ROOT = Path(__file__).resolve().parents[2]
#: Neither root nor whoever runs the tests.
STRANGER = User("stranger", 54_321, 54_321, frozenset({54_321}))
OURSELVES = User.numbered(os.geteuid()) if sys.platform != "win32" else None
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES)}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Asterisk is not for Windows")


@pytest.fixture
def folder(short_folder: Path) -> Path:
    """Give a folder that everybody may enter, unlike pytest's own."""
    short_folder.chmod(0o755)
    return short_folder.resolve()


def status_of(findings: list[Finding], about: str) -> list[str]:
    return [finding.status for finding in findings if finding.about == about]


def only(findings: list[Finding], status: str = "problem") -> Finding:
    [finding] = findings
    assert finding.status == status, finding
    assert bool(finding.advice) == (status != "ok")
    return finding


# The command


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["pystrix-typed", "doctor", *arguments])
    status = cli.main()
    out, err = capsys.readouterr()
    return status, out, err


def test_a_line_each_and_a_sum(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(folder)
    script = folder / "plain.py"
    script.write_text("print(1)\n")
    options = ("--asterisk-config", str(folder), "--script", str(script))
    status, out, err = run(capsys, monkeypatch, *options)
    lines = out.splitlines()
    assert (status, err) == (1, "")
    assert "\x1b" not in out
    assert {line.split(" ")[0] for line in lines if line[0] != " "} >= {"ok", "problem"}
    assert f"problem  {script} is not executable" in lines
    assert f"         -> chmod +x {script}" in lines
    assert lines[-1].startswith("2 problems, ")
    status, out, _ = run(capsys, monkeypatch, *options, "--json")
    data = json.loads(out)
    assert (status, data["problems"]) == (1, 2)
    assert data["warnings"] == sum(each["status"] == "warning" for each in data["findings"])
    assert all(set(each) == {"about", "status", "text", "advice"} for each in data["findings"])


def test_a_machine_without_asterisk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor_asterisk, "PROGRAMS", ())
    monkeypatch.setattr(doctor_asterisk, "CONFIGURATIONS", ())
    monkeypatch.setattr(doctor_asterisk, "RUN_FOLDERS", ())
    status, out, _ = run(capsys, monkeypatch)
    assert status == 0
    assert "warning  there is no Asterisk on this machine" in out
    assert out.endswith("no problems, 1 warning.\n")


@pytest.mark.parametrize(
    "options",
    [
        ("--asterisk-config", "/nowhere"),
        ("--server", "http://localhost/"),
        ("--server", "agi://localhost:99999/"),
        ("--server", "agi:///path"),
        ("--through-asterisk",),
    ],
)
def test_what_cannot_be_looked_at_is_a_usage_error(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run(capsys, monkeypatch, *options)
    assert status == 2
    assert err.startswith("pystrix-typed: ")
    assert err.count("\n") == 1


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"])


# Asterisk


def machine(folder: Path, *, version: str = "Asterisk 22.10.1", more: str = "") -> None:
    """Make up an Asterisk that does not run."""
    for name in ("sbin", "run", "agi-bin"):
        (folder / name).mkdir()
    program = folder / "sbin" / "asterisk"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    (folder / "asterisk.conf").write_text(
        f"[directories]  ; where things are\nastsbindir => {folder}/sbin\n"
        f"astrundir => {folder}/run ; the console\nastagidir={folder}/agi-bin\n{more}"
    )


class Console:
    """The control socket of an Asterisk."""

    def __init__(self, folder: Path, answer: Callable[[str], str]) -> None:
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "run" / "asterisk.ctl"))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                command = connection.recv(512).decode().removeprefix("cli quit after ")
                connection.sendall(f"host/1/22\n{self._answer(command.rstrip(chr(0)))}".encode())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


LOADED = (
    "Module Status\nres_agi.so  Asterisk Gateway Interface (AGI)  1  Running  core\n1 modules\n"
)


def test_one_that_runs(folder: Path) -> None:
    machine(folder)
    answers = {"core show version": "Asterisk 22.10.1 built", "module show like res_agi.so": LOADED}
    console = Console(folder, answers.__getitem__)
    found = doctor_asterisk.look(folder)
    console.close()
    assert [finding.status for finding in found.findings] == ["ok"] * len(found.findings)
    texts = {finding.about: finding.text for finding in found.findings}
    assert texts["asterisk"] == f"{folder}/sbin/asterisk is Asterisk 22.10.1"
    assert texts["running"].startswith("Asterisk 22.10.1 runs")
    assert texts["agi-bin"] == f"AGI(name) looks into {folder}/agi-bin"
    assert found.agi_bin == folder / "agi-bin"
    if sys.platform == "linux":
        # The one at the other end of the socket is this process.
        assert texts["running"].endswith(f"process {os.getpid()}")
        assert found.user is not None
        assert found.user.uid == os.geteuid()
        assert found.environment is not None
        assert "PATH" in found.environment


def test_agi_is_not_loaded(folder: Path) -> None:
    machine(folder)
    answers = {"core show version": "Asterisk 22.10.1", "module show like res_agi.so": "0 modules"}
    console = Console(folder, answers.__getitem__)
    found = doctor_asterisk.look(folder / "asterisk.conf")
    console.close()
    [module] = [finding for finding in found.findings if finding.about == "module"]
    assert module.status == "problem"
    assert "module load res_agi.so" in module.advice


def test_one_that_has_never_run(folder: Path) -> None:
    machine(folder)
    found = doctor_asterisk.look(folder).findings
    assert status_of(found, "asterisk") == ["ok"]
    assert status_of(found, "running") == ["warning"]
    assert status_of(found, "module") == []


def test_one_that_has_crashed(folder: Path) -> None:
    machine(folder)
    Console(folder, str).close()
    found = doctor_asterisk.look(folder).findings
    [running] = [finding for finding in found if finding.about == "running"]
    assert running.status == "problem"
    assert "Connection refused" in running.text


@pytest.mark.parametrize(
    ("version", "status"),
    [("Asterisk certified/20.7-cert2", "ok"), ("Asterisk 13.38.3", "warning"), ("none", "problem")],
)
def test_its_version(folder: Path, version: str, status: str) -> None:
    machine(folder, version=version)
    assert status_of(doctor_asterisk.look(folder).findings, "asterisk") == [status]


def test_a_program_that_does_not_run(folder: Path) -> None:
    machine(folder)
    (folder / "sbin" / "asterisk").write_bytes(b"\x7fELF")
    assert status_of(doctor_asterisk.look(folder).findings, "asterisk") == ["problem"]


def test_its_user_is_the_one_of_the_configuration(folder: Path) -> None:
    machine(folder, more="[options]\nrunuser = daemon\n")
    found = doctor_asterisk.look(folder)
    assert found.user is not None
    assert found.user.name == "daemon"


def test_a_template_is_passed_over(folder: Path) -> None:
    """As Debian's file has it, which Asterisk does not read either."""
    machine(folder)
    file = folder / "asterisk.conf"
    file.write_text(file.read_text().replace("[directories]", "[directories](!)"))
    assert str(folder / "agi-bin") not in str(doctor_asterisk.look(folder).findings)


def test_a_folder_for_scripts_that_is_not_there(folder: Path) -> None:
    machine(folder)
    (folder / "agi-bin").rmdir()
    found = doctor_asterisk.look(folder)
    assert status_of(found.findings, "agi-bin") == ["warning"]
    assert found.agi_bin is None


def test_a_folder_for_scripts_that_is_closed(folder: Path) -> None:
    machine(folder, more="[options]\nrunuser = daemon\n")
    (folder / "agi-bin").chmod(0o700)
    [closed] = [each for each in doctor_asterisk.look(folder).findings if each.about == "agi-bin"]
    assert closed.status == "problem"
    assert closed.advice == f"chmod o+x {folder / 'agi-bin'}"


# Scripts

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
    monkeypatch.setattr(doctor_script, "_SLOW", 1e9)
    found = only(look(folder, f"{GOOD}import json\n"), "warning")
    assert "FastAGI" in found.advice
    (folder / "endless.py").write_text("import time\ntime.sleep(3600)\n")
    monkeypatch.setattr(doctor_script, "_LIMIT", 3.0)
    found = only(look(folder, f"{GOOD}import endless\n"))
    assert "its imports do not end in 3 s" in found.text


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


def test_no_program_of_a_usual_configuration_is_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk may write that itself on some machines."""
    machine(folder)
    mark = folder / "ran"
    (folder / "sbin" / "asterisk").write_text(f"#!/bin/sh\ntouch {mark}\n")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(doctor_asterisk, "PROGRAMS", ())
    monkeypatch.setattr(doctor_asterisk, "CONFIGURATIONS", (str(folder / "asterisk.conf"),))
    found = doctor_asterisk.look(None).findings
    assert status_of(found, "asterisk") == ["warning"]
    assert status_of(found, "configuration") == ["ok"]
    assert not mark.exists()


# Servers


def greet(session: agi.FastAGI, request: agi.Request) -> None:
    session.execute(core.Answer())
    session.execute(core.StreamFile("hello-world"))


@pytest.fixture
def server() -> Iterator[tuple[agi.FastAGIServer, int]]:
    with agi.FastAGIServer(port=0) as serving:
        serving.script("greet")(greet)
        port = serving.server_address[1]
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving, port
        serving.shutdown()
        thread.join()


def test_a_server_takes_a_call(server: tuple[agi.FastAGIServer, int]) -> None:
    found = only(doctor_server.examine(f"agi://127.0.0.1:{server[1]}/greet?x=1"), "ok")
    assert found.text.startswith(f"127.0.0.1:{server[1]} accepts within ")
    assert found.text.endswith("takes a call: its first command is ANSWER")


def test_a_server_without_a_handler(server: tuple[agi.FastAGIServer, int]) -> None:
    found = only(doctor_server.examine(f"127.0.0.1:{server[1]}/other"), "warning")
    assert "without a command" in found.text


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        found = only(doctor_server.examine(f"agi://127.0.0.1:{taken.getsockname()[1]}/"))
    assert "Connection refused" in found.text


def test_a_name_without_an_address() -> None:
    assert "has no address" in only(doctor_server.examine("agi://no.such.invalid/")).text


def says(words: bytes | None) -> tuple[socket.socket, int]:
    """Make a server that says something to the first who connects, or nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            if words is not None:
                connection.sendall(words)
            while connection.recv(4096):
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


def test_something_else_listens() -> None:
    listener, port = says(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with listener:
        found = only(doctor_server.examine(f"agi://127.0.0.1:{port}/"))
    assert "no FastAGI server: it says 'HTTP/1.1 400 Bad Request" in found.text


def test_something_silent_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_server, "_SILENCE", 0.2)
    listener, port = says(None)
    with listener:
        found = only(doctor_server.examine(f"agi://127.0.0.1:{port}/"))
    assert "says nothing for 0.2 s" in found.text


def test_an_address_that_is_none() -> None:
    with pytest.raises(Problem, match="not of the form"):
        doctor_server.examine("ftp://x/")


# Through Asterisk; what it does itself is seen in tests/asterisk/test_doctor_live.py


def test_there_is_no_asterisk_to_call_through(tmp_path: Path) -> None:
    assert "no Asterisk that runs here" in only([doctor_through.examine("localhost/x", None)]).text
    assert "console failed" in only([doctor_through.examine("agi://localhost/x", tmp_path)]).text


@pytest.mark.parametrize("url", ["agi://x/a b", "agi://x/a)", "agi://x/a,b", "agi://x/${EXTEN}"])
def test_an_address_that_the_console_would_not_take(url: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="console would not take"):
        doctor_through.examine(url, tmp_path)


def test_a_call_that_does_not_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_through, "_LIMIT", 0.2)
    asked: list[str] = []
    (folder / "run").mkdir()

    def answer(command: str) -> str:
        asked.append(command)
        return "added into" if command.startswith("dialplan add") else ""

    console = Console(folder, answer)
    found = only([doctor_through.examine("agi://localhost/x", folder / "run")], "warning")
    console.close()
    assert "no end came within 0.2 s" in found.text
    assert [each.partition(" pystrix")[0] for each in asked[-2:]] == [
        "dialplan remove context",
        "database del",
    ]
