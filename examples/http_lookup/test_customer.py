"""Whatever the directory answers, and whenever, the call goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
from customer import MUSIC, PATIENCE, make_server

from pystrix_typed import agi
from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk

if TYPE_CHECKING:
    from pystrix_typed.testing import SimulatedCall

SECONDS = 20.0


def place(
    caller: Caller,
    answer: httpx.Response,
    after: float,
    *faults: HungUp,
    music: float | None = SECONDS,
) -> SimulatedCall:
    """Call while the directory takes some virtual seconds for its answer."""
    asked: list[str] = []
    sounds = {} if music is None else {MUSIC: music}

    async def directory(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        await asyncio.sleep(after)
        return answer

    async def main() -> SimulatedCall:
        transport = httpx.MockTransport(directory)
        async with httpx.AsyncClient(transport=transport, base_url="http://directory") as client:
            return await SimulatedAsterisk(sounds=sounds).call_async(
                make_server(client), "customer", caller=caller, faults=faults
            )

    call = asyncio.run(main())
    assert asked in ([], [f"/customers/{quote(caller.number, safe='')}"])
    return call


GOLD = httpx.Response(200, json={"class": "gold"})


def test_a_customer() -> None:
    call = place(Caller("5550123"), GOLD, 1.0)
    assert call.variables["CUSTOMER"] == "gold"
    [music] = call.sounds
    assert music.name == MUSIC
    assert call.duration == pytest.approx(1.0, abs=0.1)  # the music stops when they are known


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(500),
        httpx.Response(200, json={"class": 7}),
        httpx.Response(200, json=["gold"]),
        httpx.Response(200, text="<html>"),
    ],
    ids=["unknown", "broken", "of another type", "of another shape", "no JSON"],
)
def test_whatever_it_answers(answer: httpx.Response) -> None:
    assert place(Caller("5550123"), answer, 0.5).variables["CUSTOMER"] == "stranger"


@pytest.mark.parametrize("music", [0.3, None], ids=["short", "missing"])
def test_without_music_they_wait_in_silence(music: float | None) -> None:
    call = place(Caller("5550123"), GOLD, 1.0, music=music)
    assert call.variables["CUSTOMER"] == "gold"


@pytest.mark.parametrize("number", ["../admin", "555?x=1", "555#1", "5 5/5", "%2e", "grün"])
def test_a_number_is_a_number_to_the_directory(number: str) -> None:
    assert place(Caller(number), GOLD, 0.1).variables["CUSTOMER"] == "gold"


def test_it_is_too_slow() -> None:
    call = place(Caller("5550123"), GOLD, PATIENCE + 1)
    assert call.variables["CUSTOMER"] == "stranger"
    assert call.duration == pytest.approx(PATIENCE, abs=0.1)


def test_a_withheld_number_is_not_looked_up() -> None:
    call = place(Caller(""), GOLD, 0.0)
    assert call.variables["CUSTOMER"] == "stranger"
    assert call.heard == []


@pytest.mark.parametrize("after", [0.0, 0.5, 0.99, 1.0, 1.01])
def test_the_caller_leaves(after: float) -> None:
    call = place(Caller("5550123"), GOLD, 1.0, HungUp("STREAM FILE", after=after))
    assert call.error is None or isinstance(call.error, agi.AGIHangup)
    assert call.hung_up_by == ("caller" if after <= 1.0 else None)
    assert call.duration < 1.5


def test_a_broken_connection() -> None:
    def directory(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async def main() -> SimulatedCall:
        transport = httpx.MockTransport(directory)
        async with httpx.AsyncClient(transport=transport, base_url="http://directory") as client:
            return await SimulatedAsterisk().call_async(make_server(client), "customer")

    assert asyncio.run(main()).variables["CUSTOMER"] == "stranger"
