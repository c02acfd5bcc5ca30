"""Prometheus metrics of a server's calls, with the official client (extra ``metrics``).

Labels are bounded: patterns as they were registered and never the paths that callers asked for,
commands and outcomes by their names in the spec. Nothing of a caller's is in them.

Several processes of one service count into files of one directory (the client's multiprocess mode);
whoever answers Prometheus adds them up: `prepare` before the processes are forked, `use_slot` in
each of them, `forget` when one has died, `aggregated` for the answer.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pystrix_typed.agi.observing import Observer

try:
    from prometheus_client import (
        REGISTRY,
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        generate_latest,
        multiprocess,
        values,
    )
except ImportError as _error:
    raise ImportError(
        "metrics need the official Prometheus client: pip install 'pystrix-typed[metrics]'"
    ) from _error

if TYPE_CHECKING:
    from pystrix_typed.agi.observing import Call, CommandEvent, Peer

__all__ = ["CallMetrics", "aggregated", "forget", "prepare", "use_slot"]

_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
#: Seconds: from an announcement to a long talk.
_CALLS: Final = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
#: Seconds: from a round trip to a recording.
_COMMANDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
_STATES: Final = ("idle", "serving", "full", "draining", "stopped")


class _Families:
    """The metrics in one registry; servers that share it share them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Counter(
            "fastagi_connections",
            "Connections accepted, those of probes included.",
            registry=registry,
        )
        self.failed = Counter(
            "fastagi_connections_failed",
            "Connections that did not become a call.",
            registry=registry,
        )
        self.refused = Counter(
            "fastagi_connections_refused", "Connections refused.", ["reason"], registry=registry
        )
        self.live = Gauge(
            "fastagi_calls_live",
            "Calls whose handler is running.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.calls = Counter(
            "fastagi_calls", "Calls that have ended.", ["pattern", "outcome"], registry=registry
        )
        self.durations = Histogram(
            "fastagi_call_duration_seconds",
            "From the acceptance of a call to its end.",
            ["pattern"],
            buckets=_CALLS,
            registry=registry,
        )
        self.hangups = Counter("fastagi_hangups", "Calls that the caller ended.", registry=registry)
        self.commands = Counter(
            "fastagi_commands",
            "Commands that have ended.",
            ["command", "outcome"],
            registry=registry,
        )
        self.latencies = Histogram(
            "fastagi_command_duration_seconds",
            "From the execution of a command to its result.",
            ["command"],
            buckets=_COMMANDS,
            registry=registry,
        )
        self.states = Gauge(
            "fastagi_server_state",
            "Servers that are in this state.",
            ["state"],
            registry=registry,
            multiprocess_mode="livesum",
        )


_known: weakref.WeakKeyDictionary[CollectorRegistry, _Families] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _families(registry: CollectorRegistry) -> _Families:
    with _lock:
        if registry not in _known:
            _known[registry] = _Families(registry)
        return _known[registry]


class CallMetrics(Observer):
    """Counts a server's calls and commands.

    ::

        metrics = CallMetrics()
        server = agi.FastAGIServer(observers=[metrics])
        health = HealthServer("127.0.0.1", 9573, readiness(server), metrics.exposition)

    Args:
        registry: Where the metrics are registered; None for the client's own, which holds those of
            the program too. Servers may share one.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = REGISTRY if registry is None else registry
        self._families = _families(self._registry)
        self._state = ""
        # Looking a label up takes longer than counting.
        self._commands: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def exposition(self) -> bytes:
        """Give all metrics of the registry in Prometheus' text format, of all processes."""
        if _DIRECTORY in os.environ:
            return aggregated(os.environ[_DIRECTORY])
        return generate_latest(self._registry)

    def connected(self, call: Call) -> None:  # noqa: ARG002 - the observer's signature
        """Count a connection."""
        self._families.connections.inc()

    def started(self, call: Call) -> None:  # noqa: ARG002 - the observer's signature
        """Count a live call."""
        self._families.live.inc()

    def command(self, call: Call, event: CommandEvent) -> None:  # noqa: ARG002 - the observer's signature
        """Count a command."""
        key = (event.action.command, event.outcome)
        counted = self._commands.get(key)
        if counted is None:
            families = self._families
            counted = families.commands.labels(*key), families.latencies.labels(key[0])
            self._commands[key] = counted
        counted[0].inc()
        counted[1].observe(event.seconds)

    def ended(self, call: Call) -> None:
        """Count an end."""
        families = self._families
        if call.request is None:
            families.failed.inc()
            return
        families.live.dec()
        pattern = "(none)" if call.outcome == "unrouted" else call.pattern or "(default)"
        families.calls.labels(pattern, call.outcome).inc()
        families.durations.labels(pattern).observe(call.duration)
        if call.outcome == "hangup":
            families.hangups.inc()

    def refused(self, peer: Peer, why: str) -> None:  # noqa: ARG002 - the observer's signature
        """Count a refusal."""
        self._families.refused.labels(why).inc()

    def state(self, state: str) -> None:
        """Move the server from one state's count to another's."""
        was, self._state = self._state, state
        if was:
            self._families.states.labels(was).dec()
        else:
            for each in _STATES:
                self._families.states.labels(each).inc(0)
        self._families.states.labels(state).inc()


# ---- several processes ----

_slot: int | None = None


def _identifier() -> int:
    return os.getpid() if _slot is None else _slot


def prepare(directory: str | os.PathLike[str] | None = None) -> Path:
    """Have the processes that are forked from this one count together.

    To be done before any metric is made, those of the handlers' own modules included: before they
    are imported.

    Args:
        directory: Where the processes keep their counts; what earlier ones left there is removed.
            None for a new directory, which the caller removes in the end.

    Returns:
        The directory; it stands in the environment too, as ``PROMETHEUS_MULTIPROC_DIR``.

    Raises:
        OSError: It cannot be made, or written to.
    """
    if directory is None:
        where = Path(tempfile.mkdtemp(prefix="pystrix-typed-metrics-"))
    else:
        where = Path(directory)
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in where.glob("*.db"):
        left.unlink()
    os.environ[_DIRECTORY] = str(where)
    client: Any = values  # the client leaves its annotations out here
    client.ValueClass = client.MultiProcessValue(_identifier)
    return where


def use_slot(number: int) -> None:
    """Count as the process with this number, instead of under the number of the system's.

    For a master that starts workers over and over: each process's counts stay for good, so under
    the system's numbers there would be ever more files to add up. No two live processes may have
    the same; one that has died must be forgotten before its number is given away again.
    """
    global _slot  # noqa: PLW0603 - a process has one
    _slot = number


def forget(slot: int, directory: str | os.PathLike[str] | None = None) -> None:
    """Leave out what a dead process had that only the living have: its live calls, its state.

    Args:
        slot: What it called `use_slot` with, or its process id if it did not.
        directory: What `prepare` gave, if it is not the environment's.
    """
    client: Any = multiprocess
    client.mark_process_dead(slot, None if directory is None else str(directory))


def aggregated(directory: str | os.PathLike[str]) -> bytes:
    """Give the metrics of all processes, added up, in Prometheus' text format."""
    registry = CollectorRegistry()
    client: Any = multiprocess
    client.MultiProcessCollector(registry, path=str(directory))
    return generate_latest(registry)
