"""The demo: plain in a pipe, over in a moment, and every line of it true."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli import demo
from pystrix_typed.cli.problem import Problem
from pystrix_typed.cli.wiretap import Heard, Wiretap
from pystrix_typed.testing import SimulatedAsterisk

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 60


def play(environment: Mapping[str, str]) -> str:
    plain = {name: value for name, value in os.environ.items() if "COLOR" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "pystrix_typed", "demo"],
        capture_output=True,
        timeout=LIMIT,
        check=False,
        env={**plain, **environment},
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode("ascii").replace("\r\n", "\n")


@pytest.fixture(scope="module")
def output() -> str:
    return play({})


def test_output_is_plain(output: str) -> None:
    assert "\x1b" not in output
    assert output.endswith("\nThe end.\n")


def test_signs_are_explained_first(output: str) -> None:
    beginning, blank, _ = output.partition("\n\n")
    assert blank
    assert beginning.startswith("An example call, from a simulated Asterisk to a server:\n")
    for sign in (">", "<", "=", "!"):
        assert f" {sign} " in beginning
    assert max(map(len, beginning.splitlines())) <= 80


def test_output_is_the_same_every_time(output: str) -> None:
    # Whatever the width of a terminal that is not there: lines are never wrapped.
    assert play({"COLUMNS": "20"}) == output


@pytest.mark.parametrize(
    "lines",
    [
        """
  execute(StreamFile(filename='hello-world', escape_digits='#', sample_offset=0))
    > STREAM FILE "hello-world" "#" 0
    < 200 result=0 endpos=11360
    = PlaybackResult(digit=None, end_position=11360)
""",
        """
  execute(GetData(filename='agent-user', timeout=5000, max_digits=4))
    > GET DATA "agent-user" 5000 4
    < 200 result=1234
    = GetDataResult(digits='1234', timed_out=False)
""",
        """
  execute(DatabaseGet(family='agents', key='1234'))
    > DATABASE GET "agents" "1234"
    < 200 result=1 (Grace Hopper)
    = DatabaseGetResult(value='Grace Hopper')
""",
        """
    > DATABASE GET "agents" "9999"
    < 200 result=0
    ! AGIDBError: """,
        """
A wrong argument never reaches the wire:
    ! ValueError: """,
        """
    > WAIT FOR DIGIT 20000
    < 200 result=-1
    > CHANNEL STATUS
    < HANGUP
    < 511 Command Not Permitted on a dead channel or intercept routine
    ! AGIResultHangup: """,
        """
    < 200 result=1
    = None

The end.
""",
    ],
    ids=["play", "digits", "value", "missing", "refused", "hangup", "end"],
)
def test_dialogue_is_shown_with_what_it_means(output: str, lines: str) -> None:
    assert lines in output


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" in play({"FORCE_COLOR": "1"})


def test_port_that_cannot_be_had_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> socket.socket:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(Problem, match="Address already in use") as caught:
        demo.play(real=False)
    assert caught.value.status == 1


def test_wiretap_keeps_what_it_passes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()[:2]
        with Wiretap(address) as wire:
            place = SimulatedAsterisk().call_server
            caller = threading.Thread(target=place, args=(*wire.address, "x"))
            caller.start()
            server, _ = listener.accept()
            with server, server.makefile("rwb") as stream:
                while stream.readline() != b"\n":
                    pass
                assert wire.take()[0] == Heard(True, "agi_network: yes")
                stream.write(b"NOOP \xff\n")
                stream.flush()
                assert stream.readline() == b"200 result=0\n"
                assert wire.take() == [Heard(False, "NOOP \\xff"), Heard(True, "200 result=0")]
            caller.join(LIMIT)
            assert wire.commands.get(timeout=LIMIT) == "NOOP \\xff"
            assert wire.commands.get(timeout=LIMIT) is None


def test_wiretap_ends_without_a_call() -> None:
    with Wiretap(("127.0.0.1", 1)):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "wiretap"]
