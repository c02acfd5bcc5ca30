"""``pystrix-typed call``: conversations with servers, what is shown of them, and how it exits."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi, cli
from pystrix_typed.agi import core
from pystrix_typed.cli.steps import caller_of
from pystrix_typed.testing import Caller, RecordedCall

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def serving() -> Generator[str, None, None]:
    with agi.FastAGIServer(port=0) as server:

        @server.script("menu")
        def menu(session: agi.FastAGI, request: agi.Request) -> None:
            session.execute(core.Answer())
            entry = session.execute(core.GetData("enter-pin", 5000, 4))
            session.execute(core.SayDigits(entry.digits or "0"))
            key = session.execute(core.StreamFile("bye", "12")).digit
            session.execute(core.DatabasePut("menu", "key", str(key)))
            session.execute(core.SetVariable("RESULT", ",".join(request.arguments)))
            session.execute(core.Verbose(session.execute(core.GetVariable("GIVEN")).value or "-"))
            session.execute(core.Hangup())

        @server.script("fails")
        def fails(session: agi.FastAGI, request: agi.Request) -> None:
            session.execute(core.StreamFile("no-such-sound"))

        host, port = server.server_address
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"agi://{host}:{port}"
        finally:
            server.shutdown(0.0)
            thread.join(10)


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["pystrix-typed", "call", *words])
    status = cli.main()
    out, err = capsys.readouterr()
    return status, out, err


def test_a_conversation_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as url:
        status, out, _ = run(
            capsys, monkeypatch, f"{url}/menu?x=1", "--press", "12#", "--press=2", "--caller=42:Ann"
        )
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    for line in (
        "< agi_network_script: menu?x=1",
        "< agi_callerid: 42",
        "< agi_calleridname: Ann",
        '> GET DATA "enter-pin" 5000 4',
        "< 200 result=12",
        '> SAY DIGITS "12" ""',
        '> DATABASE PUT "menu" "key" "2"',
    ):
        assert line in lines
    assert "The call is hung up by the script" in lines[-1]
    assert "AGISTATUS is HANGUP" in lines[-1]


def test_a_call_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "call.agi.jsonl"
    with serving() as url:
        status, _, _ = run(capsys, monkeypatch, f"{url}/fails", "--record", str(file))
        assert status == 0
        wrong = run(capsys, monkeypatch, f"{url}/fails", "--record", str(tmp_path / "no" / "x"))
        many = run(capsys, monkeypatch, f"{url}/fails", "--record=x", "--repeat=2")
    recorded = RecordedCall.load(file)
    assert recorded.script == "fails"
    recorded.replay(lambda session: session.execute(core.StreamFile("no-such-sound")))
    assert (wrong[0], many[0]) == (2, 2)
    assert "cannot write" in wrong[2]
    assert "--record is for one call" in many[2]


def test_json_tells_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as url:
        status, out, _ = run(
            capsys,
            monkeypatch,
            f"{url}/menu",
            "--json",
            "--press=1234",
            "--arg=a",
            "--arg=b",
            "--var=GIVEN=x=y",
            "--sound=enter-pin=2",
            "--sound=bye=1",
            "--database=menu/key=old",
            "--asterisk=16.28.0",
        )
    data = json.loads(out)
    assert status == 0
    assert data["status"] == "HANGUP"
    assert data["heard"] == ["enter-pin", "1234", "bye"]
    assert data["pressed"] == "1234"
    assert data["variables"]["RESULT"] == "a,b"
    assert data["database"] == {"menu/key": "None"}
    texts = [entry["text"] for entry in data["transcript"]]
    assert "agi_version: 16.28.0" in texts
    assert 'VERBOSE "x=y" 1' in texts


def test_the_caller_hangs_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as url:
        status, out, _ = run(capsys, monkeypatch, f"{url}/menu", "--hangup-after=0.3")
    assert status == 0
    assert "hung up by the caller after 0.3 s" in out


def test_a_failed_call_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as url:
        assert run(capsys, monkeypatch, f"{url}/fails", "--sound=beep=1")[0] == 1
        status, out, _ = run(capsys, monkeypatch, f"{url}/nobody")
    assert status == 1
    assert "the server gave no command" in out


def test_nobody_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    status, out, err = run(capsys, monkeypatch, f"127.0.0.1:{port}/menu")
    assert (status, out) == (3, "")
    assert err == f"pystrix-typed: cannot connect to 127.0.0.1:{port}: Connection refused\n"
    assert run(capsys, monkeypatch, f"127.0.0.1:{port}", "--repeat=3")[0] == 3


def test_a_server_of_another_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> None:
        connection, _ = other.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as other:
        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, out, _ = run(capsys, monkeypatch, address)
        thread.join(10)
    assert status == 1
    assert "the server gave no command that Asterisk knows" in out


def test_a_silent_server_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        status, out, _ = run(capsys, monkeypatch, address, "--timeout=0.2")
    assert status == 1
    assert "the script said nothing for 0.2 seconds" in out


def test_many_calls(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as url:
        options = ["--repeat=40", "--concurrency=4", "--press=1#"]
        status, out, _ = run(capsys, monkeypatch, f"{url}/menu", *options)
        assert status == 0
        assert out.startswith("40 calls in ")
        status, out, _ = run(capsys, monkeypatch, f"{url}/menu", *options, "--json")
    data = json.loads(out)
    assert (data["calls"], data["failed"], data["by_status"]) == (40, 0, {"HANGUP": 40})


def test_many_calls_are_broken_off() -> None:
    reached = threading.Event()
    with agi.FastAGIServer(port=0) as server:

        @server.script("menu")
        def menu(session: agi.FastAGI, request: agi.Request) -> None:
            session.execute(core.Answer())
            reached.set()

        host, port = server.server_address
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        command = [sys.executable, "-m", "pystrix_typed", "call", f"{host}:{port}/menu", "--json"]
        process = subprocess.Popen(
            [*command, "--repeat=1000000000", "--concurrency=2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            server.shutdown(0.0)
            thread.join(10)
    assert (process.returncode, err) == (130, "")
    assert json.loads(out)["calls"] >= 1


def test_what_follows_the_slash_stays_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as url:
        _, out, _ = run(capsys, monkeypatch, f"{url}/menu?a=b%20c#d e")
    assert "< agi_network_script: menu?a=b%20c#d e\n" in out


def test_steps_from_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "steps.txt"
    file.write_text("# the PIN\nhears enter-pin\npresses 12#\n\nawaits STREAM FILE\nhangs up\n")
    with serving() as url:
        status, out, _ = run(
            capsys, monkeypatch, f"{url}/menu", f"--steps={file}", "--json", "--sound=enter-pin=1",
            "--sound=bye=30",
        )  # fmt: skip
        data = json.loads(out)
        assert (status, data["pressed"], data["hung_up_by"]) == (0, "12#", "caller")
        file.write_text("hears enter-pin\njumps\n")
        status, _, err = run(capsys, monkeypatch, f"{url}/menu", f"--steps={file}")
    assert status == 2
    assert f"{file}, line 2: 'jumps' is not understood" in err


def test_every_step() -> None:
    steps = ["waits 2.5", "presses *1#", "hears a b # why", "awaits get data", "says hello you"]
    assert caller_of("\n".join([*steps, "sends hi", "hangs up"]), Caller(), "x") == (
        Caller()
        .waits(2.5)
        .presses("*1#")
        .hears("a b")
        .awaits("get data")
        .says("hello you")
        .sends("hi")
        .hangs_up()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["http://x/y"], "is not of the form agi://host:port/path?query"),
        (["agi://x:99999/y"], "is no address: a port is a number from 1 to 65535"),
        (["agi://x:0/y"], "is no address: a port is a number from 1 to 65535"),
        (["agi:///y"], "is not of the form agi://host:port/path?query"),
        (["agi://::1/y"], "is not of the form agi://host:port/path?query"),
        (["agi://x/a\nagi_type: b"], "is no address: there is a control character in it"),
        (["agi://x", "--sound=a=nan"], "--sound a: 'nan' is no number of seconds"),
        (["agi://x", "--concurrency=100000"], "'--concurrency'"),
        (["agi://x", "--press=12x"], "the keys of a telephone"),
        (["agi://x", "--var=novalue"], "--var novalue: it is NAME=VALUE"),
        (["agi://x", "--sound=a=long"], "--sound a: 'long' is no number of seconds"),
        (["agi://x", "--database=a=b"], "it is FAMILY/KEY=VALUE"),
        (["agi://x", "--steps=/nowhere"], "cannot read /nowhere: No such file or directory\n"),
        # Before the call, which would have been for nothing.
        (["agi://127.0.0.1:1/x", "--record=/"], "cannot write /: it is a folder"),
        (["agi://127.0.0.1:1/x", "--record=/no/x"], "cannot write /no/x: there is no folder /no"),
        (["agi://127.0.0.1:1/x", "-i"], "--interactive needs a terminal"),
        (["agi://x", "--asterisk=new"], "new"),
        (["agi://x", "-i", "--json"], "--interactive is for one call"),
    ],
)
def test_wrong_options(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, out, err = run(capsys, monkeypatch, *words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_person_presses_the_keys() -> None:
    with serving() as url:
        near, far = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "pystrix_typed", "call", f"{url}/menu", "-i", "--sound=bye=30",
             "--sound=enter-pin=30"],
            stdin=far, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(far)
        assert process.stdout is not None
        shown = ""
        pressed = False
        for line in process.stdout:
            shown += line
            if "plays enter-pin" in line and not pressed:
                # The second is what an arrow sends, the third what Home does.
                for pressed_keys in (b"1x?", b"\x1b[D", b"\x1b[1~", b"2#"):
                    os.write(near, pressed_keys)
                pressed = True
            if "plays bye" in line:
                os.write(near, b"h")
        assert process.wait(20) == 0
        process.stdout.close()
        os.close(near)
    assert "< 200 result=12" in shown
    assert "hung up by the caller" in shown
    assert shown.count("h hangs up") == 2
