#!/usr/bin/env python3
"""The servers that are compared: each runs as ``servers.py NAME``, in its library's environment.

All do the same: for each call they send the same command and read its reply, ``--commands`` times,
then end the call; 0 is for as long as the caller stays. The raw ones parse nothing, route nothing
and raise nothing: they read until a line feed and write the same bytes on the same transport, which
is the least that any library can cost. The port is printed, then the server serves until it is
killed.

It imports nothing of the project but what is measured, because the other libraries' environments
have nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: What each call asks for, and what `benchmarks.pinger` answers: ``200 result=0 endpos=8000``.
LINE = b'STREAM FILE "prompt" "#"\n'
HOST = "127.0.0.1"
BACKLOG = 1024
CALLS = 20_000


def tell(port: int) -> None:
    """Print the port."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


# ---- threads ----


def raw_threads(commands: int) -> None:
    """Serve with a thread for each call, and no library."""
    listener = socket.create_server((HOST, 0), backlog=BACKLOG)
    tell(listener.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        while not data.endswith(b"\n\n"):
            data += connection.recv(65_536)
        left = commands or -1
        while left:
            connection.send(LINE)
            if not connection.recv(65_536):
                break
            left -= 1
        connection.close()

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def typed_threads(commands: int) -> None:
    """Serve with `pystrix_typed.agi.FastAGIServer`."""
    from pystrix_typed import agi

    server = agi.FastAGIServer(port=0, max_calls=CALLS)

    def handler(session: agi.FastAGI, _request: agi.Request) -> None:
        left = commands or -1
        while left:
            session.execute(agi.core.StreamFile("prompt", "#"))
            left -= 1

    server.script(".*")(handler)
    tell(server.server_address[1])
    server.serve_forever()


def pystrix(commands: int) -> None:
    """Serve with pystrix."""
    library: Any = import_module("pystrix.agi")
    core: Any = import_module("pystrix.agi.core")

    def handler(agi: Any, _args: Any, _kwargs: Any, _match: Any, _path: Any) -> None:  # noqa: ANN401 - a library without types
        left = commands or -1
        try:
            while left:
                agi.execute(core.StreamFile("prompt", "#"))
                left -= 1
        except library.AGISIGPIPEHangup:
            return

    server = library.FastAGIServer(port=0, daemon_threads=True)
    server.register_script_handler(None, handler)
    tell(server.server_address[1])
    server.serve_forever()


# ---- asyncio ----


class RawCall(asyncio.Protocol):
    """One call of the raw asyncio server."""

    commands = 0
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a call."""
        self.transport = cast("asyncio.Transport", transport)
        self.left = self.commands or -1
        self.greeted = False

    def data_received(self, data: bytes) -> None:
        """Send the next command."""
        if not self.greeted:
            self.greeted = data.endswith(b"\n\n")
            if self.greeted:
                self.transport.write(LINE)
            return
        self.left -= 1
        if self.left:
            self.transport.write(LINE)
        else:
            self.transport.close()


def raw_asyncio(commands: int) -> None:
    """Serve with an `asyncio.Protocol`, and no library."""
    RawCall.commands = commands

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(RawCall, HOST, 0, backlog=BACKLOG)
        tell(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    run(main)


def typed_asyncio(commands: int) -> None:
    """Serve with `pystrix_typed.agi.aio.FastAGIServer`."""
    from pystrix_typed import agi

    async def main() -> None:
        server = agi.aio.FastAGIServer(port=0, max_calls=CALLS)

        async def handler(session: agi.aio.FastAGI, _request: agi.Request) -> None:
            left = commands or -1
            while left:
                await session.execute(agi.core.StreamFile("prompt", "#"))
                left -= 1

        server.script(".*")(handler)
        tell(server.server_address[1])
        await server.serve_forever()

    run(main)


def panoramisk(commands: int) -> None:
    """Serve with panoramisk."""
    library: Any = import_module("panoramisk.fast_agi")

    async def main() -> None:
        app = library.Application(loop=asyncio.get_running_loop())

        async def handler(request: Any) -> None:  # noqa: ANN401 - a library without types
            left = commands or -1
            while left:
                if "result" not in await request.send_command('STREAM FILE "prompt" "#"'):
                    return
                left -= 1

        app.add_route("bench", handler)
        server = await asyncio.start_server(app.handler, HOST, 0, backlog=BACKLOG)
        tell(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    run(main)


def run(main: Callable[[], Any]) -> None:
    """Run in asyncio's loop, or in uvloop if the environment says so."""
    if os.environ.get("BENCH_LOOP") == "uvloop":
        loops: Any = import_module("uvloop")
        loops.run(main())
    else:
        asyncio.run(main())


SERVERS = {
    "raw-threads": raw_threads,
    "typed-threads": typed_threads,
    "pystrix": pystrix,
    "raw-asyncio": raw_asyncio,
    "typed-asyncio": typed_asyncio,
    "panoramisk": panoramisk,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve calls with one of the servers compared.")
    parser.add_argument("name", choices=SERVERS)
    parser.add_argument("--commands", type=int, default=0, help="commands of a call; 0: no end")
    options = parser.parse_args()
    SERVERS[options.name](options.commands)
