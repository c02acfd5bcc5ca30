"""Handlers that raise what is no `Exception`, or are of the wrong kind: their own call ends."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core

from .stage import Blocking, Peer, Seen, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from pystrix_typed.agi import Request

KINDS = ["blocking", "asyncio"]
HANGUP = agi.AGIResultHangup("gone")


class Own(BaseException):
    """Nothing that `except Exception` catches."""


def raising(kind: str, error: BaseException) -> Any:
    """Make a handler that raises once its first command has been answered."""

    def handler(session: agi.FastAGI, request: Request) -> None:
        session.execute(core.Answer())
        raise error

    async def coroutine(session: agi.aio.FastAGI, request: Request) -> None:
        await session.execute(core.Answer())
        raise error

    return handler if kind == "blocking" else coroutine


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SystemExit(3), "completed"),
        (Own("of mine"), "error"),
        (asyncio.CancelledError("of mine"), "error"),
        (ExceptionGroup("of a task group", [HANGUP]), "hangup"),
        (ExceptionGroup("of a task group", [HANGUP, LookupError("of mine")]), "error"),
        (BaseExceptionGroup("of a task group", [Own("of mine")]), "error"),
    ],
)
def test_whatever_a_handler_raises_ends_its_call_alone(
    kind: str, error: BaseException, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(kind, max_calls=2, queue=1) as staged:
        staged.server.script("raise")(raising(kind, error))
        with Peer(staged.address) as other, Peer(staged.address, "raise") as raises:
            assert other.line() == b"WAIT FOR DIGIT 1000\n"
            assert raises.line() == b"ANSWER\n"
            with Peer(staged.address, "echo") as waiting:
                staged.seen.wait("full")
                raises.send(b"200 result=0\n")
                assert raises.ends()
                assert waiting.line() == b"NOOP\n"
            [call] = [each for each in staged.seen.wait(outcome) if each.path == "raise"]
            assert (call.error is None) == (outcome == "completed")
            other.send(b"200 result=0\n")
            assert other.line() == b"WAIT FOR DIGIT 1000\n"
    assert ("of mine" in caplog.text) == (outcome == "error")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_that_exits_ends_its_call_alone(kind: str) -> None:
    def leave(session: object, request: Request, error: Exception) -> None:
        raise SystemExit(3)

    with serving(kind, on_error=leave) as staged, Peer(staged.address) as other:
        assert other.line() == b"WAIT FOR DIGIT 1000\n"
        with Peer(staged.address, "fail") as peer:
            assert peer.ends()
        staged.seen.wait("error")
        other.send(b"200 result=0\n")
        assert other.line() == b"WAIT FOR DIGIT 1000\n"


class Leaving(Seen):
    """Notes what it sees, and then wishes to leave."""

    def _note(self, what: str, about: object) -> None:
        super()._note(what, about)
        raise SystemExit(3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_observer_that_exits_changes_nothing(kind: str) -> None:
    observer = Leaving()
    with serving(kind, max_calls=1, observers=[observer]) as staged:
        for number in range(2):
            with Peer(staged.address, "echo") as peer:
                assert peer.line() == b"NOOP\n"
                peer.send(b"200 result=0\n")
                assert peer.ends()
            observer.wait("completed", number + 1)


async def coroutine(session: agi.aio.FastAGI, request: Request) -> None:
    """Of the asyncio server's kind."""


class Coroutine:
    """Of its kind, too."""

    async def __call__(self, session: agi.aio.FastAGI, request: Request) -> None:
        pass


def plain(session: object, request: Request) -> None:
    """Of the blocking server's kind."""


def generator(session: object, request: Request) -> Generator[None, None, None]:
    yield


async def async_generator(session: object, request: Request) -> AsyncGenerator[None, None]:
    yield


@pytest.mark.parametrize(
    ("kind", "handler", "why"),
    [
        ("blocking", coroutine, "agi.aio.FastAGIServer runs those"),
        ("blocking", functools.partial(coroutine), "agi.aio.FastAGIServer runs those"),
        ("blocking", Coroutine(), "agi.aio.FastAGIServer runs those"),
        ("blocking", generator, "must not yield"),
        ("blocking", async_generator, "must not yield"),
        ("asyncio", plain, "agi.FastAGIServer runs those"),
        ("asyncio", generator, "must not yield"),
        ("asyncio", async_generator, "must not yield"),
        ("asyncio", None, "callable"),
        ("asyncio", "text", "callable"),
    ],
)
def test_a_handler_of_the_wrong_kind_is_refused(kind: str, handler: Any, why: str) -> None:
    server: Any = agi.FastAGIServer() if kind == "blocking" else agi.aio.FastAGIServer()
    with pytest.raises(TypeError, match=f"'menu'.*{why}"):
        server.script("menu")(handler)
    with pytest.raises(TypeError, match=f"'menu'.*{why}|'menu'.*callable"):
        server.register_script_handler("menu", handler)
    assert server.get_script_handler("menu") == (None, None)


def gives(what: Any) -> Any:
    """Make a handler of a kind that only its result shows."""

    def handler(session: Any, request: Request) -> Any:
        return what(session, request)

    return handler


def test_what_only_its_result_shows_to_be_of_the_wrong_kind_is_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong: dict[str, tuple[Any, str]] = {
        "blocking": (gives(coroutine), "coroutine, of which nothing has run"),
        "asyncio": (gives(plain), "NoneType, and nothing to await"),
    }
    for kind, (handler, why) in wrong.items():
        with serving(kind) as staged:
            staged.server.script("wrong")(handler)
            with Peer(staged.address, "wrong") as peer:
                assert peer.ends()
            staged.seen.wait("error")
        assert why in caplog.text


def test_an_asyncio_handler_may_be_anything_that_gives_something_to_await() -> None:
    ran: list[str] = []

    async def job(session: agi.aio.FastAGI, request: Request) -> None:
        ran.append(request.path)

    @functools.wraps(job)
    def wrapped(session: agi.aio.FastAGI, request: Request) -> Any:
        return job(session, request)

    handlers: dict[str, Any] = {
        "one": gives(job),
        "two": functools.partial(job),
        "three": wrapped,
    }
    with serving("asyncio") as staged:
        for path, handler in handlers.items():
            staged.server.script(path)(handler)
        for path in handlers:
            with Peer(staged.address, path) as peer:
                assert peer.ends()
        staged.seen.wait("completed", 3)
    assert ran == ["one", "two", "three"]


def test_no_thread_outlives_the_end() -> None:
    before = set(threading.enumerate())
    staged = Blocking()
    thread = threading.Thread(target=staged.run)
    thread.start()
    try:
        staged.seen.wait("serving")
        peers = [Peer(staged.address, "echo") for _ in range(20)]
        for peer in peers:
            with peer:
                assert peer.line() == b"NOOP\n"
                peer.send(b"200 result=0\n")
                assert peer.ends()
    finally:
        staged.shutdown(10.0)
        assert set(threading.enumerate()) <= {*before, thread}
        thread.join()
