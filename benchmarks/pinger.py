#!/usr/bin/env python3
"""Plays Asterisk with as little work as there is: it reads a command and writes one fixed reply.

`benchmarks.exchange` looks at every line and finds lost calls; this one only has to be quicker than
any server, so that what is measured is the server. It is one loop over epoll in a process of its
own, and it tells what it cost itself: a server that costs less processor time than its caller is
not measured at its limit, and the table marks it.

``ping`` keeps some calls up and answers commands; ``calls`` places calls that the server ends;
``idle`` leaves the first command of each call unanswered until stdin ends. What is printed is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import socket
import sys
import time

from benchmarks.startup import ENVIRONMENT

__all__ = ["BLOCK", "REPLY"]

BLOCK = b"agi_network: yes\nagi_network_script: bench\n" + ENVIRONMENT
REPLY = b"200 result=0 endpos=8000\n"
HOST = "127.0.0.1"


def connect(port: int) -> socket.socket:
    """Place one call."""
    connection = socket.create_connection((HOST, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(BLOCK)
    return connection


def ping(port: int, calls: int, commands: int) -> dict[str, float]:
    """Answer `commands` commands on each of `calls` calls."""
    poll = select.epoll()
    connections: dict[int, socket.socket] = {}
    for _ in range(calls):
        connection = connect(port)
        connections[connection.fileno()] = connection
    # All calls are up, and their first command has come, before the clock starts.
    for connection in connections.values():
        expect(connection.recv(4096))
        poll.register(connection, select.EPOLLIN)
    left = dict.fromkeys(connections, commands)
    sent = dict.fromkeys(connections, 0.0)
    waits: list[float] = []
    now = time.perf_counter
    began, cost = now(), time.process_time()
    note_start()
    for number, connection in connections.items():
        sent[number] = now()
        connection.send(REPLY)
    up = calls
    while up:
        for number, _ in poll.poll():
            connection = connections[number]
            expect(connection.recv(4096))
            moment = now()
            waits.append(moment - sent[number])
            left[number] -= 1
            if left[number]:
                sent[number] = moment
                connection.send(REPLY)
            else:
                up -= 1
    seconds, own = now() - began, time.process_time() - cost
    note_end()
    for connection in connections.values():
        connection.close()
    waits.sort()
    return {
        "count": len(waits),
        "seconds": seconds,
        "client_cpu": own,
        "p50": waits[len(waits) // 2],
        "p99": waits[len(waits) * 99 // 100],
    }


def place(port: int, calls: int, total: int) -> dict[str, float]:
    """Place `total` calls of one command each, `calls` at a time; the server ends each."""
    poll = select.epoll()
    connections: dict[int, socket.socket] = {}
    began, cost = time.perf_counter(), time.process_time()
    note_start()
    placed = ended = 0
    while ended < total:
        while placed < total and len(connections) < calls:
            connection = connect(port)
            connections[connection.fileno()] = connection
            poll.register(connection, select.EPOLLIN)
            placed += 1
        for number, _ in poll.poll():
            connection = connections[number]
            data = connection.recv(4096)
            if data:
                expect(data)
                connection.send(REPLY)
            else:
                poll.unregister(connection)
                del connections[number]
                connection.close()
                ended += 1
    seconds, own = time.perf_counter() - began, time.process_time() - cost
    note_end()
    return {"count": total, "seconds": seconds, "client_cpu": own}


def hold(port: int, calls: int) -> dict[str, float]:
    """Hold calls whose command is not answered, until stdin ends."""
    note_start()
    connections = [connect(port) for _ in range(calls)]
    for connection in connections:
        expect(connection.recv(4096))
    note_end()
    return {"count": len(connections)}


def expect(data: bytes) -> None:
    """Stop if this is not one whole command."""
    if not data.endswith(b"\n") or data.count(b"\n") != 1:
        raise SystemExit(f"the server said {data!r} instead of one command")


def note_start() -> None:
    """Have whoever measures note the server's cost so far."""
    say({"event": "start"})


def note_end() -> None:
    """The same at the end."""
    say({"event": "end"})


def say(what: object) -> None:
    """Print a line, and wait for one: the measurement is taken in between."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Answer the commands of a FastAGI server.")
    parser.add_argument("what", choices=["ping", "calls", "idle"])
    parser.add_argument("port", type=int)
    parser.add_argument("calls", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options.what == "ping":
        found = ping(options.port, options.calls, options.count)
    elif options.what == "calls":
        found = place(options.port, options.calls, options.count)
    else:
        found = hold(options.port, options.calls)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
