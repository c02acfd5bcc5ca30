"""The options of ``pystrix-typed serve``: each does what it says, and the guide has them all."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from pystrix_typed.agi.limits import Limits
from pystrix_typed.cli.app import app
from pystrix_typed.testing import RecordedCall
from tests.servers.stage import Peer

from .service import PATIENCE, ROOT, service, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

GUIDE = ROOT / "docs" / "guides" / "serving.md"
ROW = re.compile(r"^\| `(--[a-z-]+)` \| (.*?) \| (.+?) \|$", re.MULTILINE)
#: Limits whose options have shorter names.
SHORTER = {"allowed_networks": "allow", "proxies": "proxy"}

#: Says what it serves within.
TELLING = """
import asyncio
import dataclasses
from pystrix_typed import agi

server = agi.aio.FastAGIServer()

@server.script("tell")
async def tell(session, request):
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    await session.execute(agi.core.Verbose(f"loop={loop}"))
    for field in dataclasses.fields(server.limits):
        value = getattr(server.limits, field.name)
        await session.execute(agi.core.Verbose(f"{field.name}={value}"))
"""


def told(peer: Peer) -> dict[str, str]:
    """Give what such a program serves within."""
    found: dict[str, str] = {}
    while line := peer.line().decode():
        name, _, value = line.split('"')[1].partition("=")
        found[name] = value
        peer.send(b"200 result=1\n")
    return found


def options() -> dict[str, tuple[str, str]]:
    """Give each option's help and default, as text."""
    group: Any = typer.main.get_command(app)
    found: dict[str, tuple[str, str]] = {}
    for each in group.commands["serve"].params:
        if each.param_type_name == "option" and each.name != "help":
            default = "" if each.default is None or each.default is False else each.default
            value: object = getattr(default, "value", default)
            text = f"{value:g}" if isinstance(value, float) else str(value)
            found[each.opts[0]] = (each.help or "", text)
    return found


def test_every_limit_has_an_option() -> None:
    names = [SHORTER.get(field.name, field.name) for field in dataclasses.fields(Limits)]
    assert {f"--{name.replace('_', '-')}" for name in names} <= set(options())


def test_the_guide_has_every_option_and_its_default() -> None:
    rows = {name: (default, about) for name, default, about in ROW.findall(GUIDE.read_text())}
    known = options()
    assert set(rows) == set(known)
    for name, (about, default) in known.items():
        assert about, f"{name} has no line in --help"
        shown = rows[name][0].strip("`")
        if default:
            assert shown == default, name
        else:
            # Without a value of its own: the server's, nothing, or off.
            assert shown in {"the server's", "none", "off"}, name


def test_limits_reach_the_server(tmp_path: Path) -> None:
    write(tmp_path, TELLING)
    given = {
        "--max-calls": "7",
        "--queue": "3",
        "--max-handshakes": "8",
        "--handshake-timeout": "4.5",
        "--max-environment": "9000",
        "--max-reply": "8000",
        "--idle-timeout": "0",
        "--command-timeout": "77",
        "--keepalive": "33",
        "--backlog": "55",
        "--allow": "127.0.0.0/8",
        "--proxy": "192.0.2.1",
    }
    chosen = [f"{name}={value}" for name, value in given.items()]
    with (
        service(tmp_path, *chosen, "--uvloop", "--host=127.0.0.1") as running,
        Peer(running.address, "tell") as peer,
    ):
        found = told(peer)
    assert found == {
        "loop": "uvloop",
        "max_calls": "7",
        "queue": "3",
        "max_handshakes": "8",
        "handshake_timeout": "4.5",
        "max_environment": "9000",
        "max_reply": "8000",
        "idle_timeout": "None",
        "command_timeout": "77.0",
        "keepalive": "33.0",
        "backlog": "55",
        "allowed_networks": "(IPv4Network('127.0.0.0/8'),)",
        "proxies": "(IPv4Network('192.0.2.1/32'),)",
    }


def test_limits_that_are_not_given_are_the_programs(tmp_path: Path) -> None:
    write(tmp_path, TELLING.replace("Server()", "Server(max_calls=5, backlog=1024)"))
    with service(tmp_path) as running, Peer(running.address, "tell") as peer:
        found = told(peer)
    assert (found["loop"], found["max_calls"], found["queue"]) == ("asyncio", "5", "0")


def test_its_log_is_lines_of_json_of_a_level(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--log-format=json", "--log-level=debug") as running:
        running.wait("worker 0 .* begins")
        host, port = running.wait(r"serving app on (\S+):(\d+) with").groups()
        with Peer((host, int(port)), "talk?n=0") as peer:
            peer.line()
            peer.send(b"200 result=1\n")
            assert peer.ends()
        assert running.end() == 0
        running.wait("<end>")
    records = [json.loads(line) for line in running.lines if line != "<end>"]
    assert {"DEBUG", "INFO"} <= {str(each["level"]).upper() for each in records}
    assert [each["outcome"] for each in records if "outcome" in each] == ["completed"]


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_calls_are_traced_and_recorded(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind)
    folder = tmp_path / "calls"
    with service(tmp_path, "--trace", f"--record={folder}") as running:
        with Peer(running.address, "talk?n=0") as peer:
            peer.line()
            peer.send(b"200 result=1\n")
            assert peer.ends()
        running.wait('>> VERBOSE "worker ')
        running.wait("<< 200 result=1")
        assert running.end() == 0
    (file,) = folder.iterdir()
    assert RecordedCall.load(file).script == "talk?n=0"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    (tmp_path / "file").touch()
    with service(tmp_path, f"--record={tmp_path / 'file' / 'calls'}") as running:
        running.wait("cannot record in .*: Not a directory")
        assert running.process.wait(PATIENCE) == 1


def test_a_level_hides_what_is_below(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--log-level=error", "--health=127.0.0.1:0") as running:
        # Nothing tells when it is ready: the end does, which waits for the workers.
        assert running.end() in {0, -signal.SIGTERM}
        running.wait("<end>")
    assert running.lines == ["<end>"]


@pytest.mark.parametrize("by", [1, -1])
def test_signals_change_how_many_workers_there_are(by: int, tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    with service(tmp_path, "--workers=2") as running:
        running.wait("serving app on .* with 2 workers")
        running.signal(signal.SIGTTIN if by > 0 else signal.SIGTTOU)
        running.wait("serving app on .* with " + ("3 workers$" if by == 1 else "1 worker$"))
        assert running.end() == 0


def test_a_program_that_listens_already_is_told(tmp_path: Path) -> None:
    write(tmp_path, "from pystrix_typed import agi\nserver = agi.FastAGIServer(port=0)\n")
    with (tmp_path / "app.py").open("a") as file:
        file.write("server.bind()\n")
    with service(tmp_path) as running:
        assert running.process.wait(PATIENCE) == 1
        running.wait(r"app listens already: leave bind\(\) and server_address to the service")
        running.wait("<end>")
    assert "Traceback" not in "\n".join(running.lines)


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd is not installed"
)
def test_systemd_hands_a_socket_over(tmp_path: Path) -> None:
    write(tmp_path, "blocking")
    tool = shutil.which("systemd-socket-activate")
    assert tool
    # It does not say which port it took, so one is chosen here.
    with socket.create_server(("127.0.0.1", 0)) as free:
        address: tuple[str, int] = free.getsockname()
    wrapper = [tool, f"--listen={address[0]}:{address[1]}", "--setenv=PYTHONPATH", "--setenv=PATH"]
    with service(tmp_path, wrapper=wrapper) as running:
        running.wait("Listening on")
        with Peer(address, "talk?n=0") as peer:  # the connection that starts the service
            assert peer.line().startswith(b"VERBOSE")
            peer.send(b"200 result=1\n")
            assert peer.ends()
        assert running.address == address
        assert running.end() == 0
