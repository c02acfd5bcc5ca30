"""Handlers that would never end are stopped; and what takes time outside of the loop takes none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.testing import Caller, CallerError, SimulatedAsterisk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def gives_commands(session: agi.FastAGI) -> None:
    while True:
        session.execute(core.Noop())


def takes_all_errors(session: agi.FastAGI) -> None:
    while True:
        with contextlib.suppress(Exception):
            session.execute(core.Noop())


def takes_hangups(session: agi.FastAGI) -> None:
    while True:
        with contextlib.suppress(agi.AGIHangup):
            session.execute(core.WaitForDigit(1000))


def sleeps(session: agi.FastAGI) -> None:
    while True:
        time.sleep(1)


def asks(session: agi.FastAGI) -> None:
    while True:
        session.execute(core.GetData("menu"))


FOR_EVER = "10,000 commands while no time passed"


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (gives_commands, FOR_EVER),
        (takes_all_errors, FOR_EVER),
        (takes_hangups, FOR_EVER),
        (sleeps, "lasted for 3600 seconds and goes on"),
        (asks, "lasted for 3600 seconds and goes on"),
    ],
)
def test_a_handler_that_never_ends(handler: Callable[[agi.FastAGI], None], why: str) -> None:
    caller = Caller().hangs_up() if handler is takes_hangups else Caller()
    with pytest.raises(CallerError, match=why) as caught:
        SimulatedAsterisk().call(handler, caller=caller)
    # Of a long dialogue the beginning and the end are shown.
    assert len(str(caught.value).splitlines()) < 250
    assert caught.value.why in str(caught.value)


async def gives_commands_async(session: agi.aio.FastAGI) -> None:
    while True:
        await session.execute(core.Noop())


async def takes_hangups_async(session: agi.aio.FastAGI) -> None:
    while True:
        with contextlib.suppress(agi.AGIHangup):
            await session.execute(core.WaitForDigit(1000))


async def sleeps_async(session: agi.aio.FastAGI) -> None:
    while True:
        await asyncio.sleep(1)


async def waits_async(session: agi.aio.FastAGI) -> None:
    await session.execute(core.Answer())
    await asyncio.Event().wait()


async def in_a_group(session: agi.aio.FastAGI) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(gives_commands_async(session))


async def turns(session: agi.aio.FastAGI) -> None:
    while True:
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (gives_commands_async, FOR_EVER),
        (takes_hangups_async, FOR_EVER),
        (in_a_group, FOR_EVER),
        (sleeps_async, "lasted for 3600 seconds and goes on"),
        (waits_async, "waits for something that never comes"),
        (turns, "waits for something that never comes"),
    ],
)
def test_an_asyncio_handler_that_never_ends(
    handler: Callable[[agi.aio.FastAGI], Awaitable[None]], why: str
) -> None:
    async def main() -> None:
        caller = Caller().hangs_up() if handler is takes_hangups_async else Caller()
        with pytest.raises(CallerError, match=why):
            await SimulatedAsterisk().call_async(handler, caller=caller)
        # What stopped the handler does not go on in the test.
        await asyncio.sleep(0)

    asyncio.run(main())


def test_sleeping_takes_virtual_time() -> None:
    def handler(session: agi.FastAGI) -> None:
        session.execute(core.Answer())
        time.sleep(300)
        session.execute(core.Noop())

    async def handler_async(session: agi.aio.FastAGI) -> None:
        await session.execute(core.Answer())
        await asyncio.sleep(300)
        await session.execute(core.Noop())

    real = time.sleep
    began = time.monotonic()
    caller = Caller().waits(100).presses("1")
    call = SimulatedAsterisk().call(handler, caller=caller)
    other = asyncio.run(SimulatedAsterisk().call_async(handler_async, caller=caller))
    assert time.monotonic() - began < 60
    assert call.duration == pytest.approx(300.02)
    assert str(call.transcript) == str(other.transcript)
    assert time.sleep is real


def test_what_a_test_puts_in_the_place_of_sleeping_stays_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    def note(seconds: float) -> None:
        slept.append(seconds)

    def handler(session: agi.FastAGI) -> None:
        time.sleep(5)

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", note)
        for _ in range(2):
            assert SimulatedAsterisk().call(handler).duration == 0
        assert time.sleep is note
    assert slept == [5, 5]
    assert SimulatedAsterisk().call(handler).duration == 5


def test_sleeping_is_real_elsewhere() -> None:
    slept: list[float] = []

    def elsewhere() -> None:
        began = time.monotonic()
        time.sleep(0.02)
        slept.append(time.monotonic() - began)

    def handler(session: agi.FastAGI) -> None:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with pytest.raises(ValueError, match="non-negative"):
            time.sleep(-1)

    assert SimulatedAsterisk().call(handler).duration == 0
    assert slept[0] >= 0.019


def test_a_thread_takes_no_virtual_time() -> None:
    async def handler(session: agi.aio.FastAGI) -> None:
        await session.execute(core.Answer())
        async with asyncio.timeout(1):
            await asyncio.to_thread(time.sleep, 0.2)
        await session.execute(core.Noop())

    async def main() -> None:
        call = await SimulatedAsterisk().call_async(handler, caller=Caller().waits(5).hangs_up())
        assert call.duration == pytest.approx(0.02)

    asyncio.run(main())


def test_a_socket_is_waited_for() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.to_thread(time.sleep, 0.1)
        writer.write(b"found\n")
        writer.close()

    async def handler(session: agi.aio.FastAGI) -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"who?\n")
            found = (await reader.readline()).decode().strip()
            writer.close()
        await session.execute(core.Verbose(found))

    call = asyncio.run(SimulatedAsterisk().call_async(handler))
    assert (call.log, call.duration) == (["found"], 0)
