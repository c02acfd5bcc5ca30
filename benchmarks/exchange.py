#!/usr/bin/env python3
"""Many calls at a time, as an Asterisk places them: a load client for FastAGI servers.

It shares no line with the package and runs in processes of its own, so that what it counts is what
an exchange would see. Each call sends the ``agi_*`` block and answers every command line from a
small table, after a think time if one is asked for. It ends as planned, or it is lost; why it was
lost is counted:

- ``refused``, ``unreachable``: it could not connect;
- ``reset``, ``closed``: the server ended it before its plan did;
- ``timeout``: no command came, or the server did not end it, within the patience;
- ``dialogue``: what came was no command, came while one was unanswered, or was another call's:
  ``GET VARIABLE`` gives a token that only this call has, and ``NOOP`` of any other is found out.

``VERBOSE "worker NAME"`` tells who serves a call; calls are counted by worker, too.

What is printed is one JSON object. With ``--steered`` the calls last until stdin says so: a line
``tell`` prints the numbers so far, ``end`` (or the end of stdin) ends the calls as planned; a JSON
object with ``"event": "up"`` comes once all calls are up. Latencies are in milliseconds,
within two per cent: ``connect``; ``first``, from the variables to the first command; ``command``,
from a reply to the next command, which is all that the server takes for one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.caller import KEPT, Exchange, Plan
from benchmarks.tally import add_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.tally import Numbers

__all__ = ["main"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    text = (__doc__ or "").split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.exchange",
        description=text[0],
        epilog=text[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("host")
    add("port", type=int)
    add("--calls", type=int, default=Plan.calls, help="calls at a time (%(default)s)")
    add("--total", type=int, default=0, help="calls in all; by default each of --calls once, and "
        "with --steered one after the other until the end")  # fmt: skip
    add("--ramp", type=float, default=0, help="calls to begin per second; 0: at once")
    add("--script", default=Plan.script, help="the path and query of the calls (%(default)s)")
    add("--think", type=float, default=0, help="seconds from a command to its reply")
    add("--hold", type=float, default=0, help="seconds after which a call ends as planned")
    add("--end", choices=["finish", "hangup", "fin", "rst"], default=Plan.end,
        help="how a call ends: the server ends it, the caller hangs up, or the connection is "
        "closed or reset (%(default)s)")  # fmt: skip
    add("--commands", type=int, default=Plan.commands,
        help="commands that a call has at least when the server ends it (%(default)s)")  # fmt: skip
    add("--patience", type=float, default=Plan.patience,
        help="seconds after which a silent server has lost a call (%(default)s)")  # fmt: skip
    add("--steered", action="store_true", help="last until stdin says so, see below")
    add("--processes", type=int, default=1, help="client processes to share the calls (1)")
    add("--raw", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


def _run(plan: Plan, raw: bool) -> int:
    """Place the calls in this process."""
    # Descriptors are what a call costs here.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def tell(numbers: Numbers, last: bool) -> None:
        _say(numbers if raw else add_up([numbers], last))

    def say_up(live: int) -> None:
        if plan.steered:
            _say({"event": "up", "live": live})

    exchange = Exchange(plan, say_up, lambda: tell(exchange.result(), False))
    asyncio.run(exchange.run())
    tell(exchange.result(), True)
    return sum(count for how, count in exchange.ends.items() if how not in KEPT)


def _share(options: argparse.Namespace) -> int:
    """Have several processes place the calls, and add their numbers up."""
    count: int = options.processes
    children: list[subprocess.Popen[str]] = []

    def part(whole: int, number: int) -> int:
        return whole // count + (number < whole % count)

    def gather(last: bool) -> int:
        found = [json.loads(child.stdout.readline()) for child in children if child.stdout]
        numbers = add_up(found, last)
        _say(numbers)
        return numbers["lost"]

    for number in range(count):
        own = vars(options) | {"ramp": options.ramp / count, "processes": 1}
        own |= {key: part(own[key], number) for key in ("calls", "total")}
        words = (
            [
                f"--{key}={value}"
                for key, value in own.items()
                if key not in {"host", "port", "steered", "raw"}
            ]
            + ["--raw"]
            + ["--steered"] * options.steered
        )
        command = [sys.executable, "-m", "benchmarks.exchange", options.host, str(options.port)]
        children.append(
            subprocess.Popen(
                [*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
    try:
        if options.steered:
            ups = [json.loads(child.stdout.readline()) for child in children if child.stdout]
            _say({"event": "up", "live": sum(each["live"] for each in ups)})
            more = True
            while more:
                order = sys.stdin.readline()
                more = order.strip() == "tell"
                for child in children:
                    assert child.stdin is not None
                    child.stdin.write(order or "end\n")
                    child.stdin.flush()
                if more:
                    gather(last=False)
        return gather(last=True)
    finally:
        for child in children:
            child.communicate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Place calls, print the numbers; 1 if a call was lost."""
    options = _options(arguments)
    if options.processes > 1:
        return 1 if _share(options) else 0
    fields = {name: value for name, value in vars(options).items() if name in _FIELDS}
    return 1 if _run(Plan(**fields), options.raw) else 0


_FIELDS = frozenset(Plan.__dataclass_fields__)

if __name__ == "__main__":
    sys.exit(main())
