"""The files of ``deploy``: what their programs say of them, and that they fit each other.

That they work is shown elsewhere: ``tests/deploy`` puts calls through the balancer and the name
server, and here the unit's own command line is started, with a port that is handed to it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SYSTEMD = DEPLOY / "systemd"
PROGRAM = "/opt/fastagi/bin/pystrix-typed"
#: Seconds that the master gives its workers beyond their calls' time.
GRACE = 10


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # as its docs have it
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    parser.read_string(text.replace("\\\n", " "))
    return parser


def unit_command() -> list[str]:
    return shlex.split(unit("fastagi.service")["Service"]["ExecStart"])


def container(word: str) -> list[str]:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(rf"^{word} (\[.*\])$", text, re.MULTILINE)
    assert found, word
    words: list[str] = json.loads(found[1])
    return words


def manifests() -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    return [document for document in documents if document]


def pod() -> dict[str, Any]:
    (deployment,) = [each for each in manifests() if each["kind"] == "Deployment"]
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def pod_container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    one: dict[str, Any] = found
    return one


COMMANDS = {
    "systemd": unit_command()[1:],
    "container": [*container("ENTRYPOINT")[1:], *container("CMD")],
    "kubernetes": [*container("ENTRYPOINT")[1:], *pod_container()["args"]],
}


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Give the options that ``pystrix-typed serve --help`` tells of."""
    done = subprocess.run(
        [sys.executable, "-m", "pystrix_typed", "serve", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
        check=True,
    )
    return set(re.findall(r"--[a-z][a-z-]+", done.stdout))


@pytest.mark.parametrize("where", COMMANDS)
def test_the_options_exist(where: str, known: set[str]) -> None:
    words = COMMANDS[where]
    assert words[:2] == ["serve", "callflows:server"]
    assert {word for word in words if word.startswith("--")} <= known


def test_the_options_on_pages_exist(known: set[str]) -> None:
    pages = [DEPLOY / "README.md", ROOT / "docs" / "guides" / "deployment.md"]
    named: set[str] = set()
    for page in pages:
        named |= set(re.findall(r"`(--[a-z][a-z-]+)", page.read_text(encoding="utf-8")))
    assert len(named) > 5
    assert named <= {*known, "--stop-timeout"}  # which is podman's


def test_calls_have_the_time_that_they_were_promised() -> None:
    """Whoever ends the server from outside waits for longer than it drains."""
    drain = {where: float(option(words, "--drain")) for where, words in COMMANDS.items()}
    stop = float(unit("fastagi.service")["Service"]["TimeoutStopSec"])
    assert stop >= drain["systemd"] + 2 * GRACE
    told = re.search(r"--stop-timeout (\d+)", (DEPLOY / "Containerfile").read_text("utf-8"))
    assert told
    assert float(told[1]) >= drain["container"] + 2 * GRACE
    pause = float(pod_container()["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = pod()["terminationGracePeriodSeconds"]
    assert grace >= pause + drain["kubernetes"] + 2 * GRACE


def test_ports_fit_each_other() -> None:
    ports = {port["name"]: port["containerPort"] for port in pod_container()["ports"]}
    assert ports == {"agi": 4573, "health": 9573}
    assert option(container("ENTRYPOINT"), "--health").endswith(":9573")
    probes = [pod_container()[probe]["httpGet"] for probe in ("readinessProbe", "livenessProbe")]
    assert probes == [{"path": f"/{name}", "port": "health"} for name in ("readyz", "healthz")]
    services = [each["spec"] for each in manifests() if each["kind"] == "Service"]
    for service in services:
        # `agi` and TCP make the name of the SRV record: _agi._tcp.
        assert service["ports"] == [{"name": "agi", "port": 4573, "targetPort": "agi"}]
        assert service["selector"] == {"app": "fastagi"}
    balancer = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    assert "check port 9573" in balancer
    places = int(option(COMMANDS["systemd"], "--workers")) * int(
        option(COMMANDS["systemd"], "--max-calls")
    )
    assert re.search(rf"send-proxy-v2 maxconn {places}$", balancer, re.MULTILINE)


def test_the_unit_and_its_socket_name_one_port() -> None:
    host = option(COMMANDS["systemd"], "--host")
    assert unit("fastagi.socket")["Socket"]["ListenStream"] == f"{host}:4573"
    # Or the workers would get a SIGTERM of their own, and take it for the second.
    assert unit("fastagi.service")["Service"]["KillMode"] == "mixed"
    assert f"server one {host}:4573" in (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")


def test_the_program_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import callflows; print(type(callflows.server).__name__)"],
        cwd=DEPLOY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "FastAGIServer\n"


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


def run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()


def test_haproxy_reads_its_configuration() -> None:
    run(program("haproxy"), "-c", "-f", DEPLOY / "haproxy.cfg")


def test_dnsmasq_reads_its_configuration() -> None:
    run(program("dnsmasq"), "--test", "-C", DEPLOY / "dnsmasq.conf")


def test_systemd_reads_its_units(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    for file in SYSTEMD.iterdir():
        text = file.read_text(encoding="utf-8")
        # It looks whether the program is there.
        (tmp_path / file.name).write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    run(analyze, "verify", *sorted(tmp_path.iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_the_unit_s_command_serves_a_port_that_is_handed_over(short_folder: Path) -> None:
    """As systemd starts it: with the socket, told by READY=1, ended by SIGTERM."""
    words = [word.replace("/srv/fastagi", str(DEPLOY)) for word in COMMANDS["systemd"]]
    words[words.index("--health") + 1] = "127.0.0.1:0"
    words[words.index("--allow") + 1] = "127.0.0.0/8"
    notify = short_folder / "notify"
    script = (
        "import os, socket, sys\n"
        "os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'pystrix_typed', *sys.argv[2:]])\n"
    )
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
        socket.create_server(("127.0.0.1", 0)) as port,
    ):
        told.bind(str(notify))
        told.settimeout(20)
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(port.fileno()), *words],
            pass_fds=[port.fileno()],
            env={**os.environ, "NOTIFY_SOCKET": str(notify)},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert "READY=1" in told.recv(4096).decode().splitlines()
            with socket.create_connection(port.getsockname(), 5) as call:
                call.sendall(b"agi_network: yes\nagi_network_script: welcome\n\n")
                assert call.makefile("rb").readline() == b"ANSWER\n"
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
            assert process.returncode == 0, said
        finally:
            process.kill()
            process.wait()
