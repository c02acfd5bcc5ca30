"""What is counted, under which labels; and that processes are added up."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import COMMANDS
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.observing import Call, CommandEvent
from tests.peer import scripted, whole

from .calls import PEER, a_call, a_server, finish, served, variables

if TYPE_CHECKING:
    from pystrix_typed import agi


def samples(text: bytes) -> dict[str, float]:
    """Every sample but buckets and moments, as ``name{labels}``."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_created", "_sum")):
                labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def event(outcome: str = "done", seconds: float = 0.25) -> CommandEvent:
    return CommandEvent(core.Noop("?"), outcome, seconds, None, None)


def test_the_metrics_of_some_calls() -> None:
    metrics = CallMetrics(CollectorRegistry())
    metrics.state("serving")
    for script, pattern, outcome in (
        ("pay/1", "pay/.*", "completed"),
        ("pay/2", "pay/.*", "hangup"),
        ("other", "", "error"),
        ("nowhere", "", "unrouted"),
    ):
        call = a_call(script, pattern)
        metrics.connected(call)
        metrics.started(call)
        metrics.command(call, event())
        finish(call, outcome)
        metrics.ended(call)
    live, probe = a_call(), Call(PEER)
    for each in (live, probe):
        metrics.connected(each)
    metrics.started(live)
    metrics.command(live, event("timeout", 4.0))
    finish(probe, "handshake")
    metrics.ended(probe)
    metrics.refused(PEER, "network")
    metrics.state("draining")
    assert samples(metrics.exposition()) == {
        "fastagi_connections_total": 6,
        "fastagi_connections_failed_total": 1,
        "fastagi_connections_refused_total{reason=network}": 1,
        "fastagi_calls_live": 1,
        "fastagi_calls_total{outcome=completed,pattern=pay/.*}": 1,
        "fastagi_calls_total{outcome=hangup,pattern=pay/.*}": 1,
        "fastagi_calls_total{outcome=error,pattern=(default)}": 1,
        "fastagi_calls_total{outcome=unrouted,pattern=(none)}": 1,
        "fastagi_call_duration_seconds_count{pattern=pay/.*}": 2,
        "fastagi_call_duration_seconds_count{pattern=(default)}": 1,
        "fastagi_call_duration_seconds_count{pattern=(none)}": 1,
        "fastagi_hangups_total": 1,
        "fastagi_commands_total{command=NOOP,outcome=done}": 4,
        "fastagi_commands_total{command=NOOP,outcome=timeout}": 1,
        "fastagi_command_duration_seconds_count{command=NOOP}": 5,
        "fastagi_server_state{state=idle}": 0,
        "fastagi_server_state{state=serving}": 0,
        "fastagi_server_state{state=full}": 0,
        "fastagi_server_state{state=draining}": 1,
        "fastagi_server_state{state=stopped}": 0,
    }


def test_time_is_told_in_seconds() -> None:
    metrics = CallMetrics(CollectorRegistry())
    call = a_call("pay", "pay")
    metrics.started(call)
    metrics.command(call, event(seconds=0.25))
    finish(call, "completed")
    metrics.ended(call)
    text = metrics.exposition().decode()
    assert 'fastagi_command_duration_seconds_sum{command="NOOP"} 0.25\n' in text
    assert 'fastagi_command_duration_seconds_bucket{command="NOOP",le="0.1"} 0.0\n' in text
    assert 'fastagi_command_duration_seconds_bucket{command="NOOP",le="0.5"} 1.0\n' in text
    assert 'fastagi_call_duration_seconds_sum{pattern="pay"} 12.5\n' in text


def test_whatever_callers_ask_for_the_labels_stay_few() -> None:
    metrics = CallMetrics(CollectorRegistry())
    sizes: list[int] = []
    for number in range(1000):
        call = a_call(f"pay/{number}?x={number}", "pay/.*", agi_callerid=str(number))
        metrics.connected(call)
        metrics.started(call)
        metrics.command(call, event())
        finish(call, "completed")
        metrics.ended(call)
        sizes.append(len(samples(metrics.exposition())))
    assert len(set(sizes)) == 1


def test_servers_share_a_registry() -> None:
    registry = CollectorRegistry()
    one, two = CallMetrics(registry), CallMetrics(registry)
    one.connected(a_call())
    two.connected(a_call())
    one.state("serving")
    two.state("full")
    found = samples(two.exposition())
    assert found["fastagi_connections_total"] == 2
    assert found["fastagi_server_state{state=serving}"] == 1
    assert found["fastagi_server_state{state=full}"] == 1


def test_what_is_keyed_in_is_in_no_label() -> None:
    secret = "864297531"
    metrics = CallMetrics(CollectorRegistry())

    def handler(session: agi.FastAGI) -> None:
        digits = session.execute(core.GetData("x")).digits
        session.execute(core.SetVariable(digits, digits))
        raise LookupError(digits)

    answer = scripted(b"200 result=%b\n" % secret.encode(), b"200 result=1\n")
    with served(answer, whole, variables(secret)) as connection:
        a_server([metrics], handler, connection)
    text = metrics.exposition().decode()
    assert 'fastagi_commands_total{command="GET DATA",outcome="entered"} 1.0\n' in text
    assert secret not in text


def test_outcomes_are_those_of_the_spec() -> None:
    metrics = CallMetrics(CollectorRegistry())
    seen: set[str] = set()
    known = {outcome.id for command in COMMANDS for outcome in command.outcomes}

    class Both(CallMetrics):
        def command(self, call: Call, event: CommandEvent) -> None:
            seen.add(event.outcome)
            super().command(call, event)

    def handler(session: agi.FastAGI) -> None:
        session.execute(core.WaitForDigit(5))
        session.execute(core.SetVariable("a", "b"))
        session.execute(core.Hangup("SIP/none"))

    answer = scripted(b"200 result=0\n", b"200 result=1\n", b"200 result=-1\n")
    with served(answer, whole, variables()) as connection:
        a_server([metrics, Both(CollectorRegistry())], handler, connection)
    assert seen == {"timed-out", "set", "unknown-channel"}
    assert seen <= known


def test_without_the_client_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('none here')\n")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pystrix_typed.agi.metrics"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "ImportError: metrics need the official Prometheus client: "
        "pip install 'pystrix-typed[metrics]'\n"
    )


PROCESSES = """
import os, signal, sys
from pystrix_typed.agi import metrics
from tests.observing.calls import a_call, finish

where = metrics.prepare(sys.argv[1])
by_slot = sys.argv[2] == "slots"

def worker(slot, calls, tell):
    if by_slot:
        metrics.use_slot(slot)
    counted = metrics.CallMetrics()
    counted.state("serving")
    for number in range(calls):
        call = a_call()
        counted.connected(call)
        counted.started(call)
        finish(call, "completed")
        if number:
            counted.ended(call)  # one stays
    os.write(tell, b".")
    signal.pause()

def start(slot, calls):
    here, there = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            worker(slot, calls, there)
        finally:
            os._exit(1)
    os.close(there)
    assert os.read(here, 1) == b"."
    os.close(here)
    return pid

def end(slot, pid, how):
    os.kill(pid, how)
    os.waitpid(pid, 0)
    metrics.forget(slot if by_slot else pid)

def show(step):
    text = metrics.aggregated(where).decode()
    for line in text.splitlines():
        if line.startswith((
            "fastagi_connections_total", "fastagi_calls_live", "fastagi_calls_total",
            'fastagi_server_state{state="serving"}', "fastagi_call_duration_seconds_count",
        )):
            print(step, line)
    print(step, "files", len(list(where.iterdir())))

pids = {slot: start(slot, slot) for slot in (1, 2, 3)}
show("all")
end(3, pids.pop(3), signal.SIGKILL)
show("killed")
for _ in range(5):
    pids[3] = start(3, 10)
    if _ < 4:
        end(3, pids.pop(3), signal.SIGKILL)
show("restarted")
for slot, pid in pids.items():
    end(slot, pid, signal.SIGKILL)
show("ended")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("numbers", ["slots", "pids"])
def test_processes_are_added_up(tmp_path: Path, numbers: str) -> None:
    (tmp_path / "counter_stale.db").write_bytes(b"of an earlier run")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROCESSES), str(tmp_path), numbers],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not done.stderr
    told: dict[str, dict[str, float]] = {}
    for line in done.stdout.splitlines():
        step, name, value = line.split(" ")
        told.setdefault(step, {})[name] = float(value)
    calls = 'fastagi_calls_total{outcome="completed",pattern="pay"}'
    serving = 'fastagi_server_state{state="serving"}'
    picked = {
        step: [
            told[step].get(name)
            for name in ("fastagi_connections_total", "fastagi_calls_live", calls, serving)
        ]
        for step in told
    }
    # Counts are never lost; live calls and states end with the process.
    assert picked == {
        "all": [6, 3, 3, 3],
        "killed": [6, 2, 3, 2],
        "restarted": [56, 3, 48, 3],
        "ended": [56, None, 48, None],
    }
    if numbers == "slots":
        assert told["restarted"]["files"] == told["all"]["files"]


def test_the_guide_lists_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs/guides/observability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(fastagi_\w+)` \| (\w+) \|([^|]*)\|", page, re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    metrics = CallMetrics(CollectorRegistry())
    call = a_call()
    metrics.started(call)
    metrics.command(call, event())
    metrics.refused(PEER, "network")
    metrics.state("serving")
    finish(call, "hangup")
    metrics.ended(call)
    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if not name.endswith("_created"):
            found[name] = (family.type, labels)
    assert listed == found
