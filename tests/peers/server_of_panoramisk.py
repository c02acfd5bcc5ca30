"""A FastAGI server written with panoramisk; what its handler got is told on stderr, a line each."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Any

COMMANDS = (
    "ANSWER",
    'STREAM FILE "prompt" "#"',
    "SAY ALPHA two words #",
    "SAY NUMBER 1 #",
    'GET VARIABLE "CHANNEL(name)"',
    "NOOP",
)


async def handler(request: Any) -> None:
    for command in COMMANDS:
        got = await request.send_command(command)
        print(f"{command}: {got.get('error') or got['result']}", file=sys.stderr, flush=True)


async def main() -> None:
    library: Any = import_module("panoramisk.fast_agi")
    app = library.Application(loop=asyncio.get_running_loop())
    app.add_route("menu", handler)
    server = await asyncio.start_server(app.handler, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
