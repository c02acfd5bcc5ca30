"""A service in processes, with real calls on it: a restart under them, and a full house."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from tests.serving.service import service, write

if TYPE_CHECKING:
    from pathlib import Path

    from .calls import Call
    from .exchange import Exchange

PROGRAMS = {
    "blocking": """
        import os
        from pystrix_typed import agi

        server = agi.FastAGIServer()

        @server.script("talk")
        def talk(session, request):
            session.execute(agi.core.SetVariable("WORKER", str(os.getpid())))
            for _ in range(int(request.query["n"])):
                session.execute(agi.core.WaitForDigit(250))
            session.execute(agi.core.SetVariable("SERVED", "yes"))
    """,
    "asyncio": """
        import os
        from pystrix_typed import agi

        server = agi.aio.FastAGIServer()

        @server.script("talk")
        async def talk(session, request):
            await session.execute(agi.core.SetVariable("WORKER", str(os.getpid())))
            for _ in range(int(request.query["n"])):
                await session.execute(agi.core.WaitForDigit(250))
            await session.execute(agi.core.SetVariable("SERVED", "yes"))
    """,
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_rolling_restart_under_calls(exchange: Exchange, kind: str, tmp_path: Path) -> None:
    """Calls from before, during and after it all come to their ends."""
    write(tmp_path, PROGRAMS[kind])
    with service(tmp_path, "--workers=2", "--drain=60") as running, contextlib.ExitStack() as calls:
        host, port = running.address
        url = f"agi://{host}:{port}/talk?n=12"
        old = running.workers()

        under_way: list[Call] = []

        def place(count: int) -> None:
            """Have so many calls begin."""
            placed = [
                calls.enter_context(exchange.call(url, watch=["WORKER", "SERVED"]))
                for _ in range(count)
            ]
            for call in placed:
                assert call.channel
            under_way.extend(placed)

        place(10)
        running.signal(signal.SIGHUP)
        place(10)
        running.wait("serving app on", 2)
        place(5)
        endings = [call.wait(30) for call in under_way]
        assert [ending.agi_status for ending in endings] == ["SUCCESS"] * 25
        assert [ending.variables["SERVED"] for ending in endings] == ["yes"] * 25
        served_by = {int(ending.variables["WORKER"]) for ending in endings}
        assert served_by & set(old)
        assert served_by - set(old)
        assert {int(ending.variables["WORKER"]) for ending in endings[-5:]}.isdisjoint(old)
        assert running.end() == 0


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_full_service_fails_the_next_call_at_once(
    exchange: Exchange, kind: str, tmp_path: Path
) -> None:
    """It is not accepted and left in silence: the dialplan, or ``hagi://``, goes on."""
    write(tmp_path, PROGRAMS[kind])
    with service(tmp_path, "--max-calls=1", "--drain=60") as running:
        host, port = running.address
        url = f"agi://{host}:{port}/talk?n="
        with exchange.call(f"{url}12", watch=["SERVED"]) as first:
            running.wait("full: not listening until there is room")
            with exchange.call(f"{url}0", watch=["SERVED"]) as second:
                assert second.wait(5).agi_status == "FAILURE"
            assert not first.ended
            assert first.wait(20).variables == {"SERVED": "yes"}
        running.wait("not full any more$")
        with exchange.call(f"{url}0", watch=["SERVED"]) as third:
            assert third.wait(10).variables == {"SERVED": "yes"}
        assert running.end() == 0
