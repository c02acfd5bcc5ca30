"""One fault after the other, each a row of the table: what it cost, and whom."""

from __future__ import annotations

import re
import resource
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .watching import MEBI, Attack, Load, Server, Usage, call, cpu, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAULTS", "Fault", "Row", "crowd", "inflict", "overload", "press", "recovery", "starve"]

#: Seconds in which a server has to be back where it was.
BACK = 60.0
#: Resident bytes that a server may keep: the allocator's, for what it will need next.
KEPT = 6 * MEBI
#: Objects that a server may keep: caches, and threads that were used again.
OBJECTS = 400


@dataclass
class Row:
    """A line of the table.

    Attributes:
        fault: What went wrong.
        server: Which server it was done to.
        flying: Calls and connections that were there at the height of it.
        lost: Calls that were lost and were not the fault's own.
        recovery: Seconds from the fault's end until a new call was served.
        slowest: Seconds that the slowest of the other calls' commands took in the server.
        threads: How many more there are than before.
        sockets: The same of descriptors.
        memory: The same of resident bytes.
        note: What else there is to say.
        problems: What must not be so.
    """

    fault: str
    server: str
    flying: int = 0
    lost: int = 0
    recovery: float = 0.0
    slowest: float = 0.0
    threads: int = 0
    sockets: int = 0
    memory: int = 0
    note: str = ""
    problems: list[str] = field(default_factory=list[str])

    def check(self, true: object, problem: str) -> None:
        """Take note of a problem unless something is true."""
        if not true:
            self.problems.append(problem)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong while calls are under way.

    Attributes:
        name: What the table calls it.
        attack: Who does it, of `tests.faults.attack`.
        count: How often.
        owned: The most errors that the server may log because of it.
    """

    name: str
    attack: str
    count: int
    owned: int = 0


FAULTS = (
    Fault("connections that never finish the handshake", "half_open", 2000),
    Fault("variables that come drop by drop", "drip", 200),
    Fault("garbage", "garbage", 500),
    Fault("lines without an end", "giants", 16, owned=16),
    Fault("probes: connect and leave", "probes", 5000),
    Fault("peers that never read", "deaf", 10, owned=10),
    Fault("resets and ends at every stage", "resets", 40),
    Fault("a handler that raises", "failing", 100, owned=100),
    Fault("a handler that never returns", "stuck", 20),
)


def recovery(port: int, row: Row) -> None:
    """Wait until a new call is served."""
    began = time.monotonic()
    row.check(wait_until(lambda: call(port, patience=2.0), 20.0), "no call is served any more")
    row.recovery = time.monotonic() - began


def count_losses(row: Row, *results: Mapping[str, Any]) -> None:
    """Take from the load clients what they have lost."""
    for numbers in results:
        row.lost += numbers["lost"]
        details = numbers["details"] or numbers["lost_by_reason"]
        row.check(not numbers["lost"], f"calls of others were lost: {details}")
        slowest = numbers["latency_ms"]["command"].get("max", 0.0) / 1000
        row.slowest = max(row.slowest, slowest)


def count_leaks(server: Server, row: Row, before: tuple[Usage, int], grown: int = 0) -> None:
    """Find out what is not back where it was; `grown` is by how many bytes memory had grown."""
    (threads, descriptors, memory), objects = before
    kept = max(KEPT, grown // 10)

    def back() -> bool:
        now, used = server.usage, cpu(server.pid)
        if now.threads > threads or now.descriptors > descriptors:
            return False
        # It may be busy with the ends of calls whose connections are closed, and counting its
        # objects keeps it from that.
        time.sleep(0.1)
        if cpu(server.pid) - used >= 0.03:
            return False
        # On a busy machine it looks idle while it waits for the processor.
        now, count = server.settled()
        return now.memory - memory <= kept and count - objects <= OBJECTS

    wait_until(back, BACK)
    (now_threads, now_descriptors, now_memory), now_objects = server.settled()
    row.threads, row.sockets = now_threads - threads, now_descriptors - descriptors
    row.memory = now_memory - memory
    row.check(row.threads <= 0, f"{row.threads} threads leak")
    row.check(row.sockets <= 0, f"{row.sockets} descriptors leak")
    row.check(row.memory <= kept, f"{row.memory / MEBI:.1f} MiB are kept")
    leaked = now_objects - objects
    row.check(leaked <= OBJECTS, f"{leaked} objects are kept")


def errors_in(log: str) -> list[str]:
    """Give the lines of a log that tell of errors."""
    return re.findall(r"^(?:ERROR|CRITICAL) .*|^\w*Error: .*", log, re.MULTILINE)


def inflict(server: Server, fault: Fault, held: int = 50, brief: int = 8, scale: float = 1) -> Row:
    """Have something go wrong while calls are under way; they must not notice.

    Args:
        server: Who suffers.
        fault: What goes wrong.
        held: Calls that last from before the fault until after it.
        brief: Calls at a time that come and go meanwhile.
        scale: How much of the fault.
    """
    row = Row(fault.name, server.kind)
    count = max(1, round(fault.count * scale))
    before, errors = server.settled(), len(errors_in(server.log()))
    peak = before[0].memory
    with (
        Load.held(server.port, held) as steady,
        Load.brief(server.port, brief) as passing,
    ):
        steady.up()
        passing.up()
        with Attack(fault.attack, server.port, count) as attack:
            row.flying = held + brief + attack.hear()["flying"]
            peak = max(peak, server.usage.memory)
            seen: dict[str, int] = attack.hear()["seen"]
        recovery(server.port, row)
        peak = max(peak, server.usage.memory)
        if fault.attack == "stuck":
            row.check(call(server.port, "release", 1), "what was stuck cannot be released")
        results = steady.end(), passing.end()
    count_losses(row, *results)
    count_leaks(server, row, before)
    left = seen.pop("never turned out", 0)
    row.check(not left, f"{left} connections were never turned out")
    row.note = ", ".join([f"{number:,} {what}" for what, number in seen.items()])
    if peak - before[0].memory > KEPT:
        row.note += f"; memory grew by {(peak - before[0].memory) / MEBI:.0f} MiB meanwhile"
    found = errors_in(server.log())[errors:]
    row.check(
        len(found) <= 2 * fault.owned * scale + 1, f"{len(found)} errors in the log: {found[:3]}"
    )
    return row


def starve(kind: str, descriptors: int = 150, held: int = 50) -> Row:
    """Have more connections than descriptors: calls go on, and it recovers by itself."""
    row = Row("descriptors exhausted", kind)
    with Server(kind, descriptors) as server:
        call(server.port)
        before = server.settled()
        with Load.held(server.port, held) as steady:
            steady.up()
            with Attack("hog", server.port, 2 * descriptors) as attack:
                row.flying = held + attack.hear()["flying"]
                used, began = cpu(server.pid), time.monotonic()
                full = wait_until(lambda: server.usage.descriptors >= descriptors - 5, 1.0)
                row.check(full, "the descriptors were not exhausted")
                attack.hear()
                share = (cpu(server.pid) - used) / (time.monotonic() - began)
            recovery(server.port, row)
            count_losses(row, steady.end())
        count_leaks(server, row, before)
        row.note = f"of {descriptors} descriptors; processor {share:.0%} meanwhile"
        row.check(share < 0.5, f"it takes {share:.0%} of a processor to wait for descriptors")
        complaints = len(errors_in(server.log()))
        row.check(0 < complaints < 100, f"{complaints} errors in the log")
        row.check(server.stop() == 0, "it does not end in order")
    return row


def crowd(kind: str, count: int) -> Row:
    """Have as many idle calls as a server may have: what each costs, and is it still there?"""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = min(count, most - 200)
    row = Row(f"{possible:,} idle calls", kind, flying=possible)
    with Server(kind, max_calls=possible + 50, backlog=4096) as server:
        for _ in range(3):
            call(server.port)
        before = server.settled()
        began = time.monotonic()
        script = ("--script=idle", "--processes=2", "--patience=60")
        with Load.held(server.port, possible, 3600, *script) as idle:
            idle.up()
            took = time.monotonic() - began
            full, _ = server.settled()
            grown = full.memory - before[0].memory
            recovery(server.port, row)
            count_losses(row, idle.end())
        count_leaks(server, row, before, grown)
        row.check(server.stop() == 0, "it does not end in order")
    row.note = (
        f"{grown / possible / 1024:.1f} KiB per call, {full.threads - before[0].threads} threads; "
        f"up in {took:.1f} s"
    )
    if possible < count:
        row.note += f"; not {count:,}: this machine allows {most:,} descriptors"
    return row


def press(port: int, row: Row, most: int) -> None:
    """Place more calls than are allowed: each is refused by its connect, or served."""
    with Load.brief(port, 2 * most, "--patience=20") as load:
        load.up()
        time.sleep(2.0)
        numbers = load.end()
    refused: int = numbers["lost_by_reason"].pop("refused", 0)
    numbers["lost"] -= refused
    row.flying = numbers["peak"]
    recovery(port, row)
    count_losses(row, numbers)
    row.check(refused, "none was refused")
    row.note = f"at most {most} at a time: {numbers['completed']:,} served, {refused:,} refused"


def overload(kind: str, most: int = 100) -> Row:
    """Have a server full; it has to refuse calls by not listening, and lose none over that."""
    row = Row("more calls than allowed", kind)
    with Server(kind, max_calls=most) as server:
        call(server.port)
        before = server.settled()
        press(server.port, row, most)
        count_leaks(server, row, before)
        row.check(server.stop() == 0, "it does not end in order")
    return row
