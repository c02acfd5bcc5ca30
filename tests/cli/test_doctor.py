"""`pystrix-typed doctor`, on machines that are made up: what it finds, and what it advises."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi, cli
from pystrix_typed.agi import core
from pystrix_typed.cli import doctor_asterisk, doctor_server, doctor_through
from pystrix_typed.cli.doctor import EXTRAS
from pystrix_typed.cli.problem import Problem

from .patients import only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pystrix_typed.cli.finding import Finding

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Asterisk is not for Windows")


def status_of(findings: list[Finding], about: str) -> list[str]:
    return [finding.status for finding in findings if finding.about == about]


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
