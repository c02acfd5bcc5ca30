"""What ``pystrix-typed serve`` serves in the comparison of one worker with two.

Each call gets as many commands as ``BENCH_COMMANDS`` says; 0 is for as long as the caller stays.
"""

from __future__ import annotations

import os

from pystrix_typed import agi

server = agi.aio.FastAGIServer(max_calls=20_000)
COMMANDS = int(os.environ["BENCH_COMMANDS"])


@server.script(".*")
async def play(session: agi.aio.FastAGI, _request: agi.Request) -> None:
    """Play the same prompt again and again."""
    left = COMMANDS or -1
    while left:
        await session.execute(agi.core.StreamFile("prompt", "#"))
        left -= 1
