"""The programs of "Start in five minutes" do what the page says, on a call."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, cast

import pytest

from pystrix_typed.testing import Caller, SimulatedAsterisk

from .pages import program

if TYPE_CHECKING:
    from pystrix_typed import agi

PAGE = "docs/start.md"
LIMIT = 20
SOUNDS = dict.fromkeys(["vm-password", "vm-goodbye", "hello-world", "agent-user", "invalid"], 1.0)


def load(mark: str) -> dict[str, object]:
    """Run a program of the page as a module that is imported, on any free port."""
    text = program(PAGE, mark).replace("port=4573", "port=0")
    space: dict[str, object] = {"__name__": "start"}
    exec(compile(text, mark, "exec", dont_inherit=True), space)
    return space


@pytest.mark.parametrize(("keys", "variables"), [("0042", {"PIN": "0042"}), ("", {})])
def test_the_script_asks_for_a_pin(keys: str, variables: dict[str, str]) -> None:
    caller = Caller().hears("vm-password")
    call = SimulatedAsterisk(sounds=SOUNDS).run_script(
        [sys.executable, "-c", program(PAGE, "#!/opt/ivr/bin/python")],
        caller=caller.presses(keys) if keys else caller,
    )
    assert call.agistatus == "SUCCESS"
    assert variables.items() <= call.variables.items()
    assert ("PIN" in call.variables) is bool(keys)


@pytest.mark.parametrize(
    ("database", "customer"),
    [({("customers", "5550123"): "Ada"}, "Ada"), ({}, "a stranger")],
    ids=["known", "unknown"],
)
def test_the_server_greets(database: dict[tuple[str, str], str], customer: str) -> None:
    asterisk = SimulatedAsterisk(database=database, sounds=SOUNDS)
    with cast("agi.FastAGIServer", load('@server.script("greet")')["server"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        call = asterisk.call_server(*server.server_address, "greet?family=customers")
    assert call.variables["CUSTOMER"] == customer


@pytest.mark.parametrize(
    ("keys", "last"), [("4711", "SAY NUMBER"), ("1", "STREAM FILE")], ids=["known", "unknown"]
)
def test_the_asyncio_server_tells_a_balance(
    keys: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asterisk = SimulatedAsterisk(sounds=SOUNDS)
    caller = Caller().hears("agent-user").presses(keys)

    async def serve() -> None:
        server = cast("agi.aio.FastAGIServer", load('@server.script("account")')["server"])
        server.debug = True
        address = server.server_address
        async with asyncio.timeout(LIMIT):
            serving = asyncio.create_task(server.serve_forever())
            await asterisk.call_server_async(*address, "account", caller=caller)
            await server.shutdown(drain=LIMIT)
            await serving

    asyncio.run(serve())
    dialogue = capsys.readouterr().err
    assert last in dialogue
    assert ("SAY NUMBER" in dialogue) is (last == "SAY NUMBER")
