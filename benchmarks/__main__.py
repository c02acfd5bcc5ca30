"""Measure start-up and servers beside other libraries: ``python -m benchmarks``, ``nox -s bench``.

Each library is installed from its package in an environment of its own. What is compared runs in
turns, in one run; a ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cost import Server, idle_memory, per_call, per_command
from benchmarks.inside import inside_rows
from benchmarks.places import ROOT, Place, machine, place, pythons
from benchmarks.report import Row, compared, plain, plot, table
from benchmarks.scaling import crowd_rows, growth_rows, worker_rows
from benchmarks.startup import cold_starts
from benchmarks.trend import keep, trend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.cost import Samples

#: How the table calls them.
NAMES = {
    "bare": "bare interpreter",
    "floor": "script without a library",
    "typed": "pystrix-typed",
    "raw-asyncio": "raw asyncio",
    "raw-asyncio (uvloop)": "raw uvloop",
    "raw-threads": "raw threads",
    "typed-asyncio": "pystrix-typed asyncio",
    "typed-asyncio (uvloop)": "pystrix-typed uvloop",
    "typed-threads": "pystrix-typed threads",
}
#: Who is compared with whom, and how often as dear it may be; negative: this often at least.
COMMAND = {
    ("typed-asyncio", "raw-asyncio"): 1.8,
    ("panoramisk", "typed-asyncio"): -2.5,
    ("typed-asyncio (uvloop)", "raw-asyncio (uvloop)"): 0.0,
    ("typed-threads", "raw-threads"): 1.15,
    ("pystrix", "typed-threads"): -1.0,
}
CALL = {
    ("typed-asyncio", "raw-asyncio"): 2.0,
    ("panoramisk", "typed-asyncio"): -2.0,
    ("typed-asyncio (uvloop)", "raw-asyncio (uvloop)"): 0.0,
    ("typed-threads", "raw-threads"): 0.0,
    ("pystrix", "typed-threads"): -2.0,
}
#: The picture on the documentation's page.
PICTURE = ROOT / "docs" / "_static" / "costs.svg"
#: What can be measured alone.
PARTS = ["start", "asterisk", "servers", "scaling", "memory", "codegen"]


def name_of(label: str) -> str:
    """Give what the table calls a subject."""
    return NAMES.get(label, label)


def note(what: str) -> None:
    """Say how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def start_rows(python: str, rounds: int) -> list[Row]:
    """Measure cold starts of one Python."""
    bare = place("bare", "", python=python)
    found = {"bare": bare, "floor": bare, **libraries(python)}
    places = {
        name: each.python
        for name, each in found.items()
        if each.runs and name in {"bare", "floor", "typed", "pystrix", "pyst2"}
    }
    times = cold_starts(places, rounds)
    times = {name: [each * 1000 for each in values] for name, values in times.items()}
    case = f"cold start, {bare.version}"
    rows = [
        compared(
            case,
            name_of(name),
            values,
            "ms",
            name_of("bare"),
            times["bare"],
            1.2 if name == "typed" else 0.0,
        )
        for name, values in times.items()
    ]
    if "pystrix" in times:
        over = {
            name: [one - bare for one, bare in zip(times[name], times["bare"], strict=True)]
            for name in ("typed", "pystrix")
        }
        own = statistics.median(over["typed"])
        share = own / statistics.median(over["pystrix"])
        rows.append(
            Row(
                f"{case}: what it adds",
                "pystrix-typed",
                own,
                "ms",
                "pystrix",
                ratio=share,
                low=share,
                high=share,
                target=0.1,
            )
        )
    return rows


def libraries(python: str = sys.executable) -> dict[str, Place]:
    """Install what is compared."""
    return {
        "typed": place("typed", "pystrix_typed.agi", str(ROOT), "uvloop", python=python),
        "pystrix": place("pystrix", "pystrix.agi", "pystrix", python=python),
        "pyst2": place("pyst2", "asterisk.agi", "pyst2", python=python),
        "panoramisk": place("panoramisk", "panoramisk.fast_agi", "panoramisk", python=python),
        "aioagi": place("aioagi", "aioagi.app", "aioagi", python=python),
    }


def groups(places: Mapping[str, Place], commands: int) -> list[list[Server]]:
    """Give the servers of each comparison."""
    typed = places["typed"].python
    asyncio = [
        Server("raw-asyncio", typed, commands),
        Server("typed-asyncio", typed, commands),
        Server("raw-asyncio", typed, commands, "uvloop"),
        Server("typed-asyncio", typed, commands, "uvloop"),
    ]
    if places["panoramisk"].runs:
        asyncio.append(Server("panoramisk", places["panoramisk"].python, commands))
    threads = [Server("raw-threads", typed, commands), Server("typed-threads", typed, commands)]
    if places["pystrix"].runs:
        threads.append(Server("pystrix", places["pystrix"].python, commands))
    return [asyncio, threads]


def cost_rows(case: str, samples: Samples, targets: Mapping[tuple[str, str], float]) -> list[Row]:
    """Compare costs."""
    costs = {label: [each.cost for each in found] for label, found in samples.items()}
    rows: list[Row] = []
    for label, values in costs.items():
        median = statistics.median(values)
        client = statistics.median(each.client for each in samples[label])
        p99 = statistics.median(each.p99 for each in samples[label])
        said = [f"p99 {p99 / 1000:.1f} ms"] if p99 else []
        if client > median:
            said.append(f"the caller cost more: {client:.1f} us")
        rows.append(Row(case, name_of(label), median, "us", note="; ".join(said)))
    for (label, other), target in targets.items():
        if label in costs and other in costs:
            rows.append(
                compared(
                    case, name_of(label), costs[label], "us", name_of(other), costs[other], target
                )
            )
    return rows


def server_rows(places: Mapping[str, Place], *, full: bool) -> list[Row]:
    """Measure servers."""
    rows: list[Row] = []
    rounds, commands, total = (15, 20_000, 2000) if full else (7, 4000, 400)
    for servers in groups(places, 0):
        with contextlib.ExitStack() as running:
            up = [running.enter_context(server) for server in servers]
            for calls in (1, 50, 1000):
                note(f"commands of {calls} calls at a time")
                samples = per_command(up, calls, commands, rounds)
                rows += cost_rows(f"command, {calls} calls", samples, COMMAND)
    for servers in groups(places, 1):
        with contextlib.ExitStack() as running:
            up = [running.enter_context(server) for server in servers]
            note("calls of one command")
            rows += cost_rows("call of one command", per_call(up, 20, total, rounds), CALL)
    return rows


def memory_rows(places: Mapping[str, Place], *, full: bool) -> list[Row]:
    """Measure idle calls."""
    rows: list[Row] = []
    for calls in (1000, 10_000) if full else (1000,):
        for server in [each for servers in groups(places, 0) for each in servers]:
            if "threads" in server.name and calls > 1000:
                continue
            note(f"memory of {calls} idle calls: {server.label}")
            with server:
                size = idle_memory(server, calls) / 1024
            target = 12.0 if server.label == "typed-asyncio" else 0.0
            rows.append(
                Row(f"idle call, of {calls}", name_of(server.label), size, "KiB", target=target)
            )
    return rows


def codegen_rows(rounds: int) -> list[Row]:
    """Measure the generator."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "package"
        words = ["--spec", "examples/private_commands/spec", "--out", str(out)]
        for case, more in (("--check, whole catalogue", ["--check"]), ("another spec", words)):
            times: list[float] = []
            for _ in range(rounds):
                began = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "codegen", *more],
                    cwd=ROOT,
                    check=True,
                    capture_output=True,
                )
                times.append(time.perf_counter() - began)
            rows.append(Row("codegen", case, statistics.median(times), "s", target=2.0))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, and 10,000 idle calls")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench",
        help="where results.json and costs.svg go (%(default)s)")  # fmt: skip
    parser.add_argument("--keep", action="store_true",
        help="add the ratios to trend.jsonl, and draw docs/_static/costs.svg anew")  # fmt: skip
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args(arguments)
    out: Path = options.out
    if sys.platform != "linux":
        parser.error("processor time and memory are read where only Linux has them")
    began = time.perf_counter()
    description = machine()
    note("installing what is compared")
    places = libraries()
    print(", ".join(f"{key} {value}" for key, value in description.items()))
    for name, each in places.items():
        print(f"{name}: {each.version}" if each.runs else f"{name} does not run: {each.version}")
    rows: list[Row] = []
    wanted = [options.only] if options.only else PARTS
    if "start" in wanted:
        for python in pythons():
            note(f"cold starts of {python}")
            rows += start_rows(python, 100 if options.full else 40)
    if "asterisk" in wanted:
        rows += inside_rows(places, note, name_of, 40 if options.full else 15)
    if "servers" in wanted:
        rows += server_rows(places, full=options.full)
    if "scaling" in wanted:
        served = place("served", "pystrix_typed.cli.app", str(ROOT), "typer", "rich", "uvloop")
        rows += worker_rows(served, note, full=options.full)
        rows += growth_rows(places["typed"].python, note, full=options.full)
        rows += crowd_rows(places["typed"].python, note)
    if "memory" in wanted:
        rows += memory_rows(places, full=options.full)
    if "codegen" in wanted:
        note("codegen")
        rows += codegen_rows(5)
    print(table(rows))
    earlier = trend(rows)
    if earlier:
        print(f"\nRatios of the runs that were kept, and of this one:\n{earlier}\n")
    drawn = plot([row for row in rows if row.unit == "us"])
    if options.keep:
        keep(rows, description)
        PICTURE.write_text(drawn, encoding="utf-8")
    print(f"{time.perf_counter() - began:.0f} seconds, Python {platform.python_version()}")
    out.mkdir(parents=True, exist_ok=True)
    found = {"machine": description, "rows": plain(rows)}
    (out / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    (out / "costs.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
