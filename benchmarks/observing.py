"""What watching a call costs: microseconds of each command, with one observer after the other.

The peer is a process of its own that answers at once, over a socket pair. What is counted is the
processor time of this side, so that a busy machine does not matter much. Needs the extras
``metrics`` and ``otel``, and the SDK for one row. Run it with ``python benchmarks/observing.py``.
"""

from __future__ import annotations

import os
import socket
import statistics
import time

from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.logs import CallLog, WireTrace
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.observing import Call, Observer, Observers, Peer
from pystrix_typed.agi.routing import request_of
from pystrix_typed.agi.tracing import CallSpans

COMMANDS = 5000
ROUNDS = 7
GREETING = b"agi_request: x\nagi_channel: SIP/x-1\nagi_version: 22.10.1\n\n"
ACTIONS: dict[str, agi.Action[object]] = {
    "NOOP": core.Noop(None),
    "WAIT FOR DIGIT": core.WaitForDigit(5),
}


def observers() -> dict[str, list[Observer]]:
    """Give what is compared."""
    silent = TracerProvider(shutdown_on_exit=False)
    return {
        "nobody": [],
        "the log of calls": [CallLog()],
        "the log and metrics": [CallMetrics(CollectorRegistry()), CallLog()],
        "spans without an SDK": [CallSpans()],
        "spans with one that exports nothing": [CallSpans(silent)],
        "the trace, nobody listening": [WireTrace()],
    }


def answer(connection: socket.socket) -> None:
    """Be the peer until the other end closes."""
    connection.sendall(GREETING)
    while data := connection.recv(65536):
        connection.sendall(b"200 result=0\n" * data.count(b"\n"))


def measure(watching: list[Observer], action: agi.Action[object]) -> float:
    """Give the microseconds of a command in one call."""
    here, there = socket.socketpair()
    child = os.fork()
    if not child:
        here.close()
        try:
            answer(there)
        finally:
            os._exit(0)
    there.close()
    everybody, call = Observers(watching), Call(Peer("127.0.0.1", 1))
    with agi.FastAGI(here) as session:
        call.request = request_of(session.environment, call.peer)
        session.on_command = everybody.commands_of(call)
        if everybody.see_wire:
            session.trace = lambda sent, data: everybody.wire(call, sent, data)
        everybody.started(call)
        began = time.process_time()
        for _ in range(COMMANDS):
            session.execute(action)
        taken = time.process_time() - began
        call.outcome, call.ended = "completed", time.monotonic()
        everybody.ended(call)
    os.waitpid(child, 0)
    return taken / COMMANDS * 1e6


def main() -> None:
    """Measure in turn, so that a busy moment hits all alike, and print the medians."""
    for name, action in ACTIONS.items():
        found: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for watcher, watching in observers().items():
                found.setdefault(watcher, []).append(measure(watching, action))
        bare = statistics.median(found["nobody"])
        print(f"{name}: {bare:.1f} µs of processor time with nobody watching")
        for watcher, times in found.items():
            if watcher != "nobody":
                print(f"  {statistics.median(times) - bare:+6.1f} µs  {watcher}")


if __name__ == "__main__":
    main()
