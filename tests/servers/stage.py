"""A server of either kind in a thread, and a peer that plays Asterisk by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from pystrix_typed import agi
from pystrix_typed.agi import aio, core

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pystrix_typed.agi import Call, Request

__all__ = ["KINDS", "Blocking", "Looping", "Peer", "Seen", "serving"]

PATIENCE = 30.0


class Peer:
    """One connection, as Asterisk makes it."""

    def __init__(
        self, address: tuple[str, int], script: str = "hold", *, block: bool = True
    ) -> None:
        self.connection = socket.create_connection(address, timeout=PATIENCE)
        self.address: tuple[str, int] = self.connection.getsockname()[:2]
        if block:
            self.send(environment(script))

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def line(self) -> bytes:
        """Give the next line, or what there is of it at the end."""
        got = b""
        while not got.endswith(b"\n"):
            byte = self.connection.recv(1)
            if not byte:
                break
            got += byte
        return got

    def ends(self) -> bool:
        """Wait for the end of the connection; tell whether it was in order (no reset)."""
        try:
            while self.connection.recv(4096):
                pass
        except ConnectionError:
            return False
        return True

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def environment(script: str = "hold", **more: str) -> bytes:
    lines = {
        "network": "yes",
        "network_script": script,
        "channel": "PJSIP/alice-00000001",
        "callerid": "5550123",
        "version": "22.10.1",
        "accountcode": "",
        **more,
    }
    return "".join([f"agi_{name}: {value}\n" for name, value in lines.items()]).encode() + b"\n"


class Seen(agi.Observer):
    """Keeps what a server tells, and lets a test wait for it."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.events: list[tuple[str, Any]] = []

    def _note(self, what: str, about: object) -> None:
        with self._news:
            self.events.append((what, about))
            self._news.notify_all()

    def connected(self, call: Call) -> None:
        self._note("connected", call)

    def started(self, call: Call) -> None:
        self._note("started", call)

    def ended(self, call: Call) -> None:
        self._note(call.outcome, call)

    def refused(self, peer: object, why: str) -> None:
        self._note("refused", (peer, why))

    def state(self, state: str) -> None:
        self._note(state, None)

    def wait(self, what: str, count: int = 1) -> list[Any]:
        """Wait until something was told some times; give what about."""
        with self._news:
            told = self._news.wait_for(lambda: len(self.all(what)) >= count, PATIENCE)
            assert told, f"{what} was not told {count} times: {self.events}"
            return self.all(what)

    def all(self, what: str) -> list[Any]:
        return [about for name, about in self.events if name == what]


class Blocking:
    """`agi.FastAGIServer` with the handlers of the tests."""

    def __init__(self, **options: Any) -> None:
        self.seen: Seen = options.setdefault("observers", [Seen()])[0]
        self.gate = threading.Event()
        self.errors: list[BaseException] = []
        self.server = agi.FastAGIServer(port=0, **options)
        self.address = self.server.server_address
        self.server.script("echo")(self.echo)
        self.server.script("hold")(self.hold)
        self.server.script("gate")(self.wait_at_gate)
        self.server.script("fail")(self.fail)
        self.server.script("stop")(self.stop)

    def echo(self, session: agi.FastAGI, request: Request) -> None:
        """One command for each ``n`` of the query."""
        for _ in range(int(request.query.get("n", "1"))):
            session.execute(core.Noop())

    def hold(self, session: agi.FastAGI, request: Request) -> None:
        """Commands for as long as there is a call."""
        while True:
            session.execute(core.WaitForDigit(1000))

    def wait_at_gate(self, session: agi.FastAGI, request: Request) -> None:
        """No command until the test lets it."""
        session.execute(core.Answer())
        self.gate.wait(PATIENCE)
        try:
            session.execute(core.Noop())
        except agi.AGIException as error:
            self.errors.append(error)
            raise

    def fail(self, session: agi.FastAGI, request: Request) -> None:
        raise ZeroDivisionError("on purpose")

    def stop(self, session: agi.FastAGI, request: Request) -> None:
        self.server.shutdown(drain=PATIENCE)
        session.execute(core.Noop())

    def run(self, drain: float = PATIENCE) -> None:
        self.server.serve_forever(drain=drain)

    def shutdown(self, drain: float | None = None) -> None:
        self.server.shutdown(drain)

    def take(self, connection: socket.socket) -> None:
        self.server.take(connection)

    def open_gate(self) -> None:
        self.gate.set()


class Looping:
    """`agi.aio.FastAGIServer` with the same handlers, in a loop of its own."""

    def __init__(self, **options: Any) -> None:
        self.seen: Seen = options.setdefault("observers", [Seen()])[0]
        self.errors: list[BaseException] = []
        self.server = aio.FastAGIServer(port=0, **options)
        self.address = self.server.server_address
        self.loop = asyncio.new_event_loop()
        self.gate = asyncio.Event()
        self.server.script("echo")(self.echo)
        self.server.script("hold")(self.hold)
        self.server.script("gate")(self.wait_at_gate)
        self.server.script("fail")(self.fail)
        self.server.script("stop")(self.stop)

    async def echo(self, session: aio.FastAGI, request: Request) -> None:
        for _ in range(int(request.query.get("n", "1"))):
            await session.execute(core.Noop())

    async def hold(self, session: aio.FastAGI, request: Request) -> None:
        while True:
            await session.execute(core.WaitForDigit(1000))

    async def wait_at_gate(self, session: aio.FastAGI, request: Request) -> None:
        await session.execute(core.Answer())
        async with asyncio.timeout(PATIENCE):
            await self.gate.wait()
        try:
            await session.execute(core.Noop())
        except agi.AGIException as error:
            self.errors.append(error)
            raise

    async def fail(self, session: aio.FastAGI, request: Request) -> None:
        raise ZeroDivisionError("on purpose")

    async def stop(self, session: aio.FastAGI, request: Request) -> None:
        await self.server.shutdown(drain=PATIENCE)
        await session.execute(core.Noop())

    def run(self, drain: float = PATIENCE) -> None:
        if self.loop.is_running():  # to be refused
            asyncio.run(self.server.serve_forever(drain=drain))

        async def serve() -> None:
            await self.server.serve_forever(drain=drain)
            # Calls that were left alone go on for as long as the loop does.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=PATIENCE)

        try:
            self.loop.run_until_complete(serve())
        finally:
            self.loop.close()

    def shutdown(self, drain: float | None = None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is over
            asyncio.run_coroutine_threadsafe(self.server.shutdown(drain), self.loop).result(
                PATIENCE
            )

    def take(self, connection: socket.socket) -> None:
        self.loop.call_soon_threadsafe(self.server.take, connection)

    def open_gate(self) -> None:
        self.loop.call_soon_threadsafe(self.gate.set)


KINDS: dict[str, Callable[..., Blocking | Looping]] = {"blocking": Blocking, "asyncio": Looping}


@contextlib.contextmanager
def serving(kind: str, **options: Any) -> Generator[Blocking | Looping, None, None]:
    """Have a server serve; nothing of it is left afterwards."""
    before = set(threading.enumerate())
    staged = KINDS[kind](**options)
    thread = threading.Thread(target=staged.run)
    thread.start()
    try:
        staged.seen.wait("serving")
        yield staged
    finally:
        if staged.server.state != "stopped":
            staged.shutdown(0.0)
        thread.join(PATIENCE)
        assert not thread.is_alive()
        for each in set(threading.enumerate()) - before:
            each.join(PATIENCE)
            assert not each.is_alive(), f"{each} outlives the server"
    assert staged.server.calls == ()
    assert staged.server.state == "stopped"
