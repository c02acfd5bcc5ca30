"""The faults in small, in every run of the tests; ``nox -s faults`` does them all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .service import crush, kill, roll
from .suite import FAULTS, Fault, crowd, inflict, overload, starve
from .watching import Server, call

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what a process has in use is read from Linux's /proc"
)
KINDS = ["blocking", "asyncio"]


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Generator[Server, None, None]:
    """A server that goes through all the faults, as one in production does."""
    with Server(request.param, handshake_timeout=1.0) as found:
        assert call(found.port)
        # The first time, everything allocates what it keeps.
        inflict(found, FAULTS[2], 5, 2, 0.1)
        yield found
        assert found.stop() == 0


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.attack)
def test_a_fault_touches_no_other_call(server: Server, fault: Fault) -> None:
    row = inflict(server, fault, held=10, brief=2, scale=0.1)
    assert row.problems == []
    assert row.flying > 12


@pytest.mark.parametrize("kind", KINDS)
def test_calls_go_on_without_descriptors(kind: str) -> None:
    row = starve(kind, descriptors=60, held=10)
    assert row.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_server_refuses_and_loses_nothing(kind: str) -> None:
    row = overload(kind, most=20)
    assert row.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_service_refuses_and_loses_nothing(kind: str) -> None:
    row = crush(kind, most=30)
    assert row.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_idle_calls_cost_little(kind: str) -> None:
    row = crowd(kind, 200)
    assert row.problems == []
    assert "KiB per call" in row.note


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_killed_loses_its_own_calls_alone(kind: str) -> None:
    row = kill(kind, calls=30, workers=2)
    assert row.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_rolling_restart_loses_no_call(kind: str) -> None:
    row = roll(kind, calls=20, workers=2, rounds=3)
    assert row.problems == []


LATE = """
import sys
from pystrix_typed import agi
from pystrix_typed.agi import aio
server = {server}(port=0)
server.bind()
loaded = set(sys.modules)
from pystrix_typed.agi import core, wire
from pystrix_typed.agi.core.catalogue import COMMANDS
names = {{name: getattr(core, name) for name in core.__all__}}
for command in COMMANDS:
    for example in command.examples:
        action = eval(example.python, dict(names))
        action.line
    for outcome in command.outcomes:
        for found in outcome.examples:
            line = found.line.encode("utf-8", "surrogateescape").partition(b"\\n")[0]
            try:
                action._read(wire.parse(line, command.multiline))
            except agi.AGIException as error:
                str(error)
    try:
        type(action)(*[object()] * 9)
    except TypeError:
        pass
print(sorted(set(sys.modules) - loaded))
server.shutdown() if {server} is agi.FastAGIServer else server._port.close()
"""


@pytest.mark.parametrize("server", ["agi.FastAGIServer", "aio.FastAGIServer"])
def test_a_call_needs_no_file_that_is_not_loaded(server: str) -> None:
    # Otherwise it fails once there are no descriptors left.
    done = subprocess.run(
        [sys.executable, "-c", LATE.format(server=server)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
