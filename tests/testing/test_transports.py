"""The same calls over TCP, a socket pair, and the pipes of a script."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.testing import Caller, CallerError, Cut, SimulatedAsterisk
from pystrix_typed.testing.transports import SocketConnection, converse

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from pathlib import Path

    from pystrix_typed.testing import SimulatedCall

SOUNDS = {"menu": 4.0}
CALLER = Caller().hears("menu").presses("42#").waits(30).hangs_up()
ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="AGI scripts are POSIX's")


def flow(session: agi.Session) -> None:
    session.execute(core.Answer())
    entry = session.execute(core.GetData("menu", 5000, 4))
    session.execute(core.SetVariable("ENTRY", entry.digits))
    session.execute(core.WaitForDigit(-1))


def handle(
    session: agi.FastAGI,
    args: tuple[str, ...],
    kwargs: dict[str, list[str]],
    match: re.Match[str] | None,
    path: str,
) -> None:
    flow(session)


@pytest.fixture
def server() -> Iterator[agi.FastAGIServer]:
    with agi.FastAGIServer(port=0) as server:
        server.register_script_handler("menu", handle)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
    thread.join()


def test_over_tcp(server: agi.FastAGIServer) -> None:
    host, port = server.server_address
    call = SimulatedAsterisk(sounds=SOUNDS).call_server(host, port, "menu?x=1", caller=CALLER)
    assert call.variables["ENTRY"] == "42"
    assert call.hung_up_by == "caller"
    assert call.agistatus == "HANGUP"
    assert call.transcript[2].text == f"agi_request: agi://{host}:{port}/menu?x=1"
    assert call.transcript[0].text == "agi_network: yes"
    within = SimulatedAsterisk(sounds=SOUNDS).call(handle, "menu", caller=CALLER)
    # Not the variables, which have the address.
    assert call.transcript.dialogue == within.transcript.dialogue
    assert call.duration == within.duration


def test_over_tcp_from_a_loop(server: agi.FastAGIServer) -> None:
    async def main() -> None:
        asterisk = SimulatedAsterisk(sounds=SOUNDS)
        calls = await asyncio.gather(
            *(
                asterisk.call_server_async(*server.server_address, "menu", caller=CALLER)
                for _ in range(5)
            )
        )
        assert [call.variables["ENTRY"] for call in calls] == ["42"] * 5
        assert len({call.channel.unique_id for call in calls}) == 5

    asyncio.run(main())


def test_at_the_pace_of_a_telephone(server: agi.FastAGIServer) -> None:
    began = time.monotonic()
    caller = Caller().hears("menu").presses("42#").waits(1).hangs_up()
    call = SimulatedAsterisk(sounds={"menu": 1.0}).call_server(
        *server.server_address, "menu", caller=caller, speed=10
    )
    # 2.4 seconds of virtual time, tenfold.
    assert call.duration >= 2.4
    assert time.monotonic() - began >= 0.24
    assert call.variables["ENTRY"] == "42"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        SimulatedAsterisk().call_server("127.0.0.1", port)


def test_a_socket_pair_and_a_silent_script() -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(CallerError, match=r"said nothing for 0\.05 seconds"):
        SimulatedAsterisk().call_socket(ours, patience=0.05)


def test_a_caller_goes_on_while_the_script_is_silent() -> None:
    ours, theirs = socket.socketpair()
    received = bytearray()

    def listen() -> None:
        while not received.endswith(b"HANGUP\n"):
            received.extend(theirs.recv(65536))
        theirs.close()

    thread = threading.Thread(target=listen)
    thread.start()
    caller = Caller().waits(5).hangs_up()
    call = SimulatedAsterisk().call_socket(ours, caller=caller, thinking=0.01)
    thread.join()
    assert received.count(b"HANGUP\n") == 1
    assert call.duration == 5
    assert call.agistatus == "HANGUP"


def test_a_cut_connection(server: agi.FastAGIServer) -> None:
    call = SimulatedAsterisk(sounds=SOUNDS).call_server(
        *server.server_address, "menu", faults=[Cut("SET VARIABLE")], caller=CALLER
    )
    assert "ENTRY" not in call.variables
    assert call.hung_up_by is None
    assert call.transcript[-1].text == "the connection is cut"


SCRIPT = """
from pystrix_typed import agi
from pystrix_typed.agi import core

with agi.AGI() as session:
    print(session.environment.arguments)
    session.on_hangup(lambda: print("told"))
    entry = session.execute(core.GetData("menu", 5000, 4))
    session.execute(core.SetVariable("ENTRY", entry.digits))
    {then}
"""


def run(folder: Path, then: str, **variables: str) -> tuple[dict[str, str], str, str]:
    """Run a script; give the variables that it left, AGISTATUS and what it wrote to stderr."""
    path = folder / "script.py"
    path.write_text(SCRIPT.format(then=then))
    call = SimulatedAsterisk(sounds=SOUNDS).run_script(
        [sys.executable, path], caller=CALLER, arguments=("a", "b c"), variables=variables
    )
    return dict(call.variables), call.agistatus, call.stderr.decode()


@ON_POSIX
def test_a_script(tmp_path: Path) -> None:
    variables, status, errors = run(tmp_path, "session.execute(core.Noop())")
    assert (variables["ENTRY"], status, errors) == ("42", "SUCCESS", "('a', 'b c')\n")


@ON_POSIX
def test_a_script_is_told_of_the_hangup(tmp_path: Path) -> None:
    _, status, errors = run(tmp_path, "session.execute(core.WaitForDigit(-1))")
    assert status == "HANGUP"
    assert errors.startswith("('a', 'b c')\ntold\nscript.py: AGIResultHangup")


@ON_POSIX
def test_a_script_is_not_told(tmp_path: Path) -> None:
    then = "session.execute(core.Exec('Wait', '60'));session.execute(core.Noop())"
    assert run(tmp_path, then)[2] == "('a', 'b c')\ntold\n"
    assert run(tmp_path, then, AGISIGHUP="no")[2] == "('a', 'b c')\n"


@ON_POSIX
def test_a_script_that_fails(tmp_path: Path) -> None:
    _, status, errors = run(tmp_path, "raise SystemExit(3)")
    assert status == "FAILURE"
    assert "SystemExit" not in errors


@ON_POSIX
def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    call = SimulatedAsterisk().run_script([tmp_path / "nothing"])
    assert call.agistatus == "NOTFOUND"


@ON_POSIX
def test_a_script_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "stays.py"
    path.write_text("import os, time\nos.close(1)\ntime.sleep(60)\n")
    with pytest.raises(CallerError, match=r"did not exit within 0\.5 seconds"):
        SimulatedAsterisk().run_script([sys.executable, path], patience=0.5)


EAGI = """
import sys
from pystrix_typed import agi
from pystrix_typed.agi import core

with agi.EAGI() as session:
    session.execute(core.RecordFile("x", "wav", "", 300, beep=False))
    session.execute(core.Noop())
    sound = session.audio.read(samples=2400)
    print(len(sound), sound.count(0), session.environment.enhanced)
"""


@ON_POSIX
def test_an_eagi_script_hears_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "listens.py"
    path.write_text(EAGI)
    caller = Caller().waits(0.1).says(0.1)
    call = SimulatedAsterisk().run_script([sys.executable, path], caller=caller, eagi=True)
    assert call.stderr.decode() == "4800 3200 True\n"


def test_a_call_is_shown_while_it_goes_on(server: agi.FastAGIServer) -> None:
    call = SimulatedAsterisk(sounds=SOUNDS).prepare("menu", caller=CALLER)
    shown: list[str] = []
    call.transcript.on_entry.append(lambda entry: shown.append(entry.text))
    connection = SocketConnection(socket.create_connection(server.server_address, 5))
    converse(call, connection)
    assert shown == [entry.text for entry in call.transcript]
    assert "presses 4" in shown


class Nudged(SocketConnection):
    """A connection at which somebody presses a key, once it has been quiet for a moment."""

    def __init__(self, connection: socket.socket, call: SimulatedCall) -> None:
        super().__init__(connection)
        self._call = call

    def receive(self, timeout: float | None) -> bytes | None:
        data = super().receive(0.02 if timeout is None else min(timeout, 0.02))
        if (
            data is None
            and timeout
            and self._call.channel.latest_command[1:] == ("WAIT FOR DIGIT", True)
        ):
            self._call.press("7")
        return data


def test_a_key_that_is_pressed_meanwhile() -> None:
    ours, theirs = socket.socketpair()

    def wait() -> None:
        with agi.FastAGI(theirs) as session:
            digits.append(session.execute(core.WaitForDigit(60_000)).digit)

    digits: list[str | None] = []
    thread = threading.Thread(target=wait)
    thread.start()
    call = SimulatedAsterisk().prepare()
    converse(call, Nudged(ours, call), speed=1)
    thread.join()
    assert digits == ["7"]
    assert call.pressed == "7"
    assert 0 < call.duration < 5
