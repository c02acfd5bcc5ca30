"""The asyncio sessions, over a socket and over pipes, against a peer in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import pytest

from pystrix_typed import agi
from pystrix_typed.agi.exceptions import (
    AGIClosedError,
    AGIException,
    AGIHangup,
    AGIProtocolError,
    AGIResultHangup,
    AGISIGHUPHangup,
    AGISIGPIPEHangup,
    AGITimeoutError,
)

from .cases import CASES, LAST, Case, Noop, Play, Said, Say, Value, WaitDigit, parameters
from .peer import (
    ENVIRONMENT,
    Asterisk,
    Doing,
    Served,
    asked,
    bytewise,
    scripted,
    serve,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import TypeAlias

    from pystrix_typed.agi.aio import Session
    from pystrix_typed.agi.aio.link import Link
    from pystrix_typed.agi.record import AnyAction

    Open: TypeAlias = Callable[..., AbstractAsyncContextManager["Call"]]

P = ParamSpec("P")
PATIENCE = 20.0


def in_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a test in a loop of its own."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)

        asyncio.run(limited())

    return run


class Call:
    """A session and its peer."""

    def __init__(self, session: Session, asterisk: Asterisk, peer: Served) -> None:
        self.session = session
        self.asterisk = asterisk
        self.peer = peer

    async def settle(self) -> None:
        """Wait until all that the peer had to say has arrived."""
        await asyncio.to_thread(self.peer.settle)
        for _ in range(3):
            await asyncio.sleep(0)


@asynccontextmanager
async def fastagi(
    asterisk: Asterisk,
    greeting: bytes = ENVIRONMENT,
    cut: Callable[[bytes], Iterable[bytes]] = whole,
    *,
    timeout: float | timedelta | None = None,
    resync_timeout: float = 30.0,
    verify_values: bool = False,
) -> AsyncGenerator[Call, None]:
    """A call over a socket."""
    near, far = socket.socketpair()
    fd = far.detach()
    with serve(asterisk, fd, fd, greeting, cut) as peer:
        async with agi.aio.FastAGI(
            near, timeout=timeout, resync_timeout=resync_timeout, verify_values=verify_values
        ) as session:
            yield Call(session, asterisk, peer)


@asynccontextmanager
async def script(
    asterisk: Asterisk,
    greeting: bytes = ENVIRONMENT,
    cut: Callable[[bytes], Iterable[bytes]] = whole,
    *,
    timeout: float | timedelta | None = None,
    resync_timeout: float = 30.0,
    verify_values: bool = False,
) -> AsyncGenerator[Call, None]:
    """A call over pipes."""
    stdin, replies = os.pipe()
    commands, stdout = os.pipe()
    with serve(asterisk, commands, replies, greeting, cut) as peer:
        session = agi.aio.AGI(
            timeout=timeout,
            resync_timeout=resync_timeout,
            verify_values=verify_values,
            redirect_stdout=False,
            handle_sighup=False,
            report_errors=False,
            stdin=stdin,
            stdout=stdout,
        )
        os.close(stdin)
        os.close(stdout)
        async with session:
            yield Call(session, asterisk, peer)


TRANSPORTS = pytest.mark.parametrize("call", [fastagi, script])


async def answered(call: Call, number: int = 4711) -> None:
    """Assert that the session goes on: the next command gets its own answer."""
    assert await call.session.execute(Noop(str(number))) == Said("0", str(number))
    assert call.asterisk.violations == []


# ---- the table ----


@parameters(CASES)
@TRANSPORTS
@pytest.mark.parametrize("cut", [whole, bytewise])
@in_loop
async def test_table(case: Case, call: Open, cut: Callable[[bytes], Iterable[bytes]]) -> None:
    asterisk = Asterisk(
        scripted(*[answer for _, answer, _ in case.answers], status=case.status),
        leaves_after=len(case.answers) if case.ends else math.inf,
    )
    verify = cut is bytewise and not case.in_pieces
    async with call(asterisk, ENVIRONMENT + case.unasked, cut, verify_values=verify) as c:
        for action, _, expected in case.answers:
            if isinstance(expected, type):
                with pytest.raises(AGIException) as caught:
                    await c.session.execute(action)
                assert type(caught.value) is expected
            else:
                assert await c.session.execute(action) == expected
            await c.settle()
        assert c.session.hung_up == case.hung_up
    assert asterisk.violations == []


# ---- the start ----


@TRANSPORTS
@pytest.mark.parametrize(
    ("greeting", "expected"),
    [(b"GET / HTTP/1.1\n\n", AGIProtocolError), (b"agi_a: 1\n", AGISIGPIPEHangup)],
)
@in_loop
async def test_no_variables(call: Open, greeting: bytes, expected: type[Exception]) -> None:
    asterisk = Asterisk(scripted(), leaves_after=0)
    with pytest.raises(expected):
        async with call(asterisk, greeting):
            pytest.fail("there is no call")


@in_loop
async def test_slow_variables() -> None:
    near, far = socket.socketpair()
    with far:
        far.sendall(b"agi_a: 1\n")
        with pytest.raises(AGITimeoutError):
            await agi.aio.FastAGI(near, handshake_timeout=0.01).start()
        assert far.recv(1) == b""


@in_loop
async def test_descriptor_that_is_no_pipe(tmp_path: Path) -> None:
    """What was opened by then is closed, which the warnings would tell."""
    stdin, replies = os.pipe()
    with (tmp_path / "file").open("wb") as file:
        session = agi.aio.AGI(
            redirect_stdout=False,
            handle_sighup=False,
            report_errors=False,
            stdin=stdin,
            stdout=file.fileno(),
        )
    os.close(stdin)
    os.close(replies)
    with pytest.raises(ValueError, match="pipes"):
        await session.start()


@in_loop
async def test_not_started() -> None:
    near, far = socket.socketpair()
    with far:
        session = agi.aio.FastAGI(near)
        with pytest.raises(RuntimeError, match="async with"):
            await session.execute(Noop())
        await session.close()


# ---- abandoned commands ----


@TRANSPORTS
@pytest.mark.parametrize("action", [Play(60_000), WaitDigit(60_000), Say(40)])
@pytest.mark.parametrize("timeout", [0.02, timedelta(milliseconds=20), 0])
@in_loop
async def test_deadline(call: Open, action: AnyAction, timeout: float | timedelta) -> None:
    async with call(Asterisk(asked)) as c:
        with pytest.raises(AGITimeoutError, match=action.command):
            await c.session.execute(action, timeout=timeout)
        await answered(c)


@TRANSPORTS
@pytest.mark.parametrize("action", [Play(60_000), WaitDigit(60_000), Say(40)])
@pytest.mark.parametrize("idle", [False, True])
@in_loop
async def test_cancelled(call: Open, action: AnyAction, idle: bool) -> None:
    """The fence is written at once, and its answer may come long before the next command."""
    async with call(Asterisk(asked)) as c:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await c.session.execute(action)
            if idle:
                await c.settle()
        await answered(c)


@pytest.mark.parametrize("turns", range(6))
@in_loop
async def test_cancelled_before_it_began(turns: int) -> None:
    """After so many turns of the loop."""
    async with fastagi(Asterisk(asked)) as call:
        task = asyncio.create_task(call.session.execute(Play(60_000)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await answered(call)
        assert call.asterisk.heard == (
            [b'NOOP "4711"'] if not turns else [b'STREAM FILE 60000 ""', b'NOOP "4711"']
        )


@TRANSPORTS
@in_loop
async def test_fence_that_never_comes_back(call: Open) -> None:
    asterisk = Asterisk(asked)
    asterisk.ignores_fences = True
    async with call(asterisk, resync_timeout=0.02) as c:
        with pytest.raises(AGITimeoutError):
            await c.session.execute(Play(60_000), timeout=0.01)
        with pytest.raises(AGIClosedError, match=r"no answer to the fence within 0\.02 seconds"):
            await c.session.execute(Noop())
    assert asterisk.heard == [b'STREAM FILE 60000 ""']


@pytest.mark.parametrize("timeout", [1e12, math.inf, timedelta.max])
@in_loop
async def test_deadlines_that_are_far_away(timeout: float | timedelta) -> None:
    async with fastagi(Asterisk(asked), timeout=timeout) as call:
        await asyncio.gather(call.session.execute(Say(20)), answered(call))


# ---- the end of the call ----


@TRANSPORTS
@pytest.mark.parametrize("notices", [0, 1, 2])
@in_loop
async def test_hangup_in_the_middle(call: Open, notices: int) -> None:
    asterisk = Asterisk(asked)

    def answer(line: bytes) -> Doing:
        if line.startswith(b"STREAM"):
            asterisk.hang_up_at(0, notices)
        return asked(line)

    asterisk.answer = answer
    heard: list[str] = []
    async with call(asterisk) as c:
        c.session.on_hangup(lambda: heard.append("hangup"))
        with pytest.raises(AGIResultHangup):
            await c.session.execute(Play(60_000))
        assert c.session.hung_up
        with pytest.raises(AGIHangup, match="was not sent"):
            await c.session.execute(Say())
        await answered(c)
        assert await c.session.execute(Value("3")) == "3)\n200 result=1 (x\n3"
        c.session.on_hangup(lambda: heard.append("late"))
    assert heard == ["hangup", "late"]


@TRANSPORTS
@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("leave", [False, True])
@in_loop
async def test_hangup_while_nothing_is_asked(call: Open, cancelled: bool, leave: bool) -> None:
    """Somebody may be waiting for just that."""
    asterisk = Asterisk(asked)
    async with call(asterisk) as c:
        gone = asyncio.Event()
        c.session.on_hangup(gone.set)
        if cancelled:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await c.session.execute(Play(60_000))
            await c.settle()
        else:
            await answered(c)
        with pytest.raises(AGITimeoutError):
            await c.session.execute(Play(1000), timeout=0)
        asterisk.hang_up_at(0, leave=leave)
        c.peer.wake()
        await gone.wait()
        assert c.session.hung_up
        with pytest.raises(AGISIGHUPHangup):
            await c.session.execute(Say())


@in_loop
async def test_callback_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    async with fastagi(Asterisk(scripted(LAST[1], LAST[1])), ENVIRONMENT + b"HANG") as call:

        def fail() -> None:
            raise ValueError("a mistake in the callback")

        call.session.on_hangup(fail)
        call.session.on_hangup(lambda: heard.append("second"))
        call.asterisk.writes(b"UP\n", 0)
        call.peer.wake()
        assert await call.session.execute(LAST[0]) == LAST[2]
        await call.settle()
        assert await call.session.execute(LAST[0]) == LAST[2]
    assert heard == ["second"]
    assert "ValueError: a mistake in the callback" in capsys.readouterr().err


# ---- tasks ----


@TRANSPORTS
@in_loop
async def test_tasks_are_served_in_order(call: Open) -> None:
    async with call(Asterisk(asked)) as c:
        results = await asyncio.gather(
            *[c.session.execute(Noop(str(1000 + number))) for number in range(50)]
        )
        assert results == [Said("0", str(1000 + number)) for number in range(50)]
        assert c.asterisk.heard == [b'NOOP "%d"' % (1000 + number) for number in range(50)]
        assert c.asterisk.violations == []


@TRANSPORTS
@in_loop
async def test_cancelled_waiters_send_nothing(call: Open) -> None:
    async with call(Asterisk(asked)) as c:
        first = asyncio.create_task(c.session.execute(Say(50)))
        await asyncio.sleep(0)
        waiters = [
            asyncio.create_task(c.session.execute(Noop(str(number)))) for number in range(10)
        ]
        await asyncio.sleep(0)
        for waiter in waiters[::2]:
            waiter.cancel()
        assert await first == 50
        await asyncio.gather(*waiters, return_exceptions=True)
        assert c.asterisk.heard == [
            b'SAY NUMBER 50 ""',
            *[b'NOOP "%d"' % number for number in range(1, 10, 2)],
        ]
        await answered(c)


@in_loop
async def test_deadline_while_another_task_has_the_turn() -> None:
    async with fastagi(Asterisk(asked)) as call:
        first = asyncio.create_task(call.session.execute(Say(60)))
        await asyncio.sleep(0)
        with pytest.raises(AGITimeoutError, match=r"NOOP was not sent .* another command"):
            await call.session.execute(Noop(), timeout=0.01)
        assert await first == 60
        await answered(call)
        assert call.asterisk.heard == [b'SAY NUMBER 60 ""', b'NOOP "4711"']


@TRANSPORTS
@in_loop
async def test_closing_ends_another_tasks_command(call: Open) -> None:
    async with call(Asterisk(asked)) as c:
        task = asyncio.create_task(c.session.execute(Play(60_000)))
        await asyncio.sleep(0)
        await c.session.close()
        await c.session.close()
        with pytest.raises(AGIClosedError):
            await task
        with pytest.raises(AGIClosedError):
            await c.session.execute(Noop())


@TRANSPORTS
@in_loop
async def test_a_storm_of_cancellations(call: Open) -> None:
    """Many tasks, half of them cancelled after some turns: each result is its own question's."""
    async with call(Asterisk(asked)) as c:

        async def ask(number: int) -> None:
            action = Play(2) if number % 3 == 0 else Noop(str(number))
            expected = 2 if number % 3 == 0 else Said("0", str(number))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0 if number % 2 else None):
                    assert await c.session.execute(action) == expected

        for start in range(0, 200, 20):
            await asyncio.gather(*[ask(1000 + start + number) for number in range(20)])
        await answered(c)


class LateFastAGI(agi.aio.FastAGI):
    """A session that gets its connection when that has something to say already, as on uvloop."""

    async def _connect(self) -> Link:
        link = await super()._connect()
        await asyncio.sleep(0.05)
        return link


@in_loop
async def test_variables_that_come_at_once_are_not_missed() -> None:
    near, far = socket.socketpair()
    with far:
        far.sendall(b"agi_version: 22.10.1\n\n")
        async with LateFastAGI(near, handshake_timeout=5.0) as session:
            assert session.asterisk_version == (22, 10, 1)
