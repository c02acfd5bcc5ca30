"""Both servers tell of their calls, and none of them tells what a caller keyed in."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from pystrix_typed import agi
from pystrix_typed.agi import aio, core
from pystrix_typed.agi.health import HealthServer, readiness
from pystrix_typed.agi.logs import CallFilter, CallLog, JSONFormatter, WireTrace
from pystrix_typed.agi.metrics import CallMetrics
from pystrix_typed.agi.observing import Call, CommandEvent, Observer
from pystrix_typed.agi.tracing import CallSpans

from .calls import Kept, greeting, kept, variables

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pystrix_typed.agi.routing import Request

SECRET = "864297531"
_app = logging.getLogger("pystrix_typed.tests")


def fail(*_: object) -> None:
    raise LookupError(f"of mine, about {SECRET}")


class Curious(Observer):
    """Fails, and quotes what it saw."""

    def command(self, call: Call, event: CommandEvent) -> None:
        raise LookupError(f"{event.result}")


class Place(Protocol):
    """Has a server with these options serve one call, and waits for its end."""

    def __call__(
        self, path: str, *observers: Observer, trouble: bool = False, debug: bool = False
    ) -> None: ...


def asterisk(address: tuple[str, int], path: str) -> None:
    """Call, and answer every GET DATA with the secret, until the server leaves."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(greeting(variables(path)))
        with connection.makefile("rb") as lines, suppress(ConnectionError):
            for line in lines:
                keyed = line.startswith(b"GET DATA")
                connection.sendall(b"200 result=%b\n" % (SECRET.encode() if keyed else b"1"))


def blocking(path: str, *observers: Observer, trouble: bool = False, debug: bool = False) -> None:
    hooks = {"on_error": fail, "on_command": fail} if trouble else {}
    server = agi.FastAGIServer(port=0, debug=debug, observers=observers, **hooks)  # type: ignore[arg-type]  # hooks

    @server.script("pay/(good|bad)")
    def pay(session: agi.FastAGI, request: Request) -> None:
        digits = session.execute(core.GetData("x")).digits
        _app.info("asked")
        session.execute(core.Verbose(f"got {digits}"))
        if request.path == "pay/bad":
            raise LookupError(f"no account {digits}")

    thread = threading.Thread(target=server.serve_forever)
    with server:
        thread.start()
        asterisk(server.server_address, path)
    thread.join(20)


def in_a_loop(path: str, *observers: Observer, trouble: bool = False, debug: bool = False) -> None:
    async def run() -> None:
        hooks = {"on_error": fail, "on_command": fail} if trouble else {}
        server = aio.FastAGIServer(port=0, debug=debug, observers=observers, **hooks)  # type: ignore[arg-type]  # hooks

        @server.script("pay/(good|bad)")
        async def pay(session: aio.FastAGI, request: Request) -> None:
            digits = (await session.execute(core.GetData("x"))).digits
            _app.info("asked")
            await session.execute(core.Verbose(f"got {digits}"))
            if request.path == "pay/bad":
                raise LookupError(f"no account {digits}")

        async with server:
            serving = asyncio.ensure_future(server.serve_forever())
            await asyncio.to_thread(asterisk, server.server_address, path)
            await server.shutdown(drain=20)
            await serving

    asyncio.run(run())


BOTH = pytest.mark.parametrize("place", [blocking, in_a_loop])


@contextmanager
def everything() -> Generator[Kept, None, None]:
    with kept(
        "pystrix_typed", logging.Formatter("%(call_id)s %(message)s"), JSONFormatter()
    ) as all_:
        all_.addFilter(CallFilter())
        yield all_


def of_calls(records: Iterable[logging.LogRecord]) -> list[logging.LogRecord]:
    return [record for record in records if hasattr(record, "outcome")]


@BOTH
def test_a_call_is_one_record(place: Place) -> None:
    with everything() as log:
        place("pay/good")
    (record,) = of_calls(log.records)
    assert vars(record)["outcome"] == "completed"
    assert vars(record)["pattern"] == "pay/(good|bad)"
    assert vars(record)["commands"] == 2
    (asked,) = [each for each in log.records if each.getMessage() == "asked"]
    assert vars(asked)["call_id"] == vars(record)["call_id"]
    assert vars(asked)["channel"] == "PJSIP/alice-00000001"


@BOTH
def test_a_path_without_a_handler(place: Place) -> None:
    with everything() as log:
        place("nowhere")
    (record,) = of_calls(log.records)
    assert record.levelno == logging.WARNING
    assert ", nowhere: unrouted" in record.getMessage()


@BOTH
def test_a_log_of_ones_own_takes_the_servers_place(place: Place) -> None:
    mine = logging.getLogger("pystrix_typed.mine")
    with everything() as log:
        place("pay/bad", CallLog(logger=mine, unredacted=True))
    (record,) = of_calls(log.records)
    assert record.name == mine.name
    assert record.exc_info


@BOTH
def test_a_trace_and_the_dialogue_on_stderr(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    with everything() as log:
        place("pay/good", WireTrace(), debug=True)
    assert "<< 200 result=***" in log.messages
    assert f"<< 200 result={SECRET}\n" in capfd.readouterr().err


@BOTH
def test_whatever_fails_nothing_tells_what_was_keyed_in(place: Place) -> None:
    with everything() as log:
        place("pay/bad", WireTrace(), Curious(), trouble=True)
    (record,) = of_calls(log.records)
    assert vars(record)["outcome"] == "error"
    messages = "\n".join(log.messages)
    assert "on_error failed, too" in messages
    assert "Curious" in messages
    assert "<< 200 result=***" in messages
    assert any(record.exc_text and "no account ***" in record.exc_text for record in log.records)
    for text in (*log.messages, *log.written, *map(repr, map(vars, log.records))):
        assert SECRET not in text


def readyz(health: HealthServer) -> tuple[int, bytes]:
    client = http.client.HTTPConnection(*health.address, timeout=20)
    with closing(client):
        client.request("GET", "/readyz")
        answer = client.getresponse()
        return answer.status, answer.read().strip()


def hold(address: tuple[str, int]) -> socket.socket:
    """Place a call that lasts until its NOOP is answered."""
    connection = socket.create_connection(address, timeout=20)
    connection.sendall(greeting(variables("hold")))
    assert connection.recv(100) == b"NOOP\n"
    return connection


class States(Observer):
    """Waits for the states of a server."""

    def __init__(self) -> None:
        self.reached = {name: threading.Event() for name in ("serving", "full", "draining")}
        self.ready_again = threading.Event()

    def state(self, state: str) -> None:
        if state == "serving" and self.reached["full"].is_set():
            self.ready_again.set()
        if state in self.reached:
            self.reached[state].set()


def walk(address: tuple[str, int], states: States, health: HealthServer) -> list[object]:
    """Fill the server, free it, fill it again; give what the readiness was each time."""
    assert states.reached["serving"].wait(20)
    seen: list[object] = [readyz(health)]
    with hold(address) as first:
        assert states.reached["full"].wait(20)
        seen.append(readyz(health))
        first.sendall(b"200 result=0\n")
        assert first.recv(1) == b""
    assert states.ready_again.wait(20)
    return [*seen, readyz(health)]


WALKED = [(200, b"serving"), (503, b"full"), (200, b"serving")]


def test_readiness_follows_the_blocking_server() -> None:
    states = States()
    server = agi.FastAGIServer(port=0, max_calls=1, observers=[states])
    thread = threading.Thread(target=server.serve_forever)

    @server.script("hold")
    def handle(session: agi.FastAGI, request: Request) -> None:
        session.execute(core.Noop(None))

    with HealthServer("127.0.0.1", 0, readiness(server)) as health:
        assert readyz(health) == (503, b"idle")
        address = server.server_address
        thread.start()
        assert walk(address, states, health) == WALKED
        with hold(address) as last:
            ending = threading.Thread(target=server.shutdown, args=(20.0,))
            ending.start()
            assert states.reached["draining"].wait(20)
            assert readyz(health) == (503, b"draining")
            last.sendall(b"200 result=0\n")
            ending.join(20)
        assert readyz(health) == (503, b"stopped")
    thread.join(20)


def test_readiness_follows_the_server_in_a_loop() -> None:
    async def run(health: HealthServer, server: aio.FastAGIServer, states: States) -> None:
        @server.script("hold")
        async def handle(session: aio.FastAGI, request: Request) -> None:
            await session.execute(core.Noop(None))

        async with server:
            serving = asyncio.ensure_future(server.serve_forever())
            address = server.server_address
            assert await asyncio.to_thread(walk, address, states, health) == WALKED
            with await asyncio.to_thread(hold, address) as last:
                ending = asyncio.ensure_future(server.shutdown(drain=20))
                await asyncio.to_thread(states.reached["draining"].wait, 20)
                assert await asyncio.to_thread(readyz, health) == (503, b"draining")
                last.sendall(b"200 result=0\n")
                await ending
            await serving
        assert await asyncio.to_thread(readyz, health) == (503, b"stopped")

    states = States()
    server = aio.FastAGIServer(port=0, max_calls=1, observers=[states])
    with HealthServer("127.0.0.1", 0, readiness(server)) as health:
        assert readyz(health) == (503, b"idle")
        asyncio.run(run(health, server, states))


def trouble(address: tuple[str, int], number: int) -> None:
    """Call in one of the ways in which calls go: well, badly, away in the middle, or not at all."""
    with socket.create_connection(address, timeout=20) as connection, suppress(ConnectionError):
        how = number % 6
        if how == 0:
            return  # a probe
        if how == 1:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            connection.recv(1)
            return
        paths = {2: "nowhere", 3: "pay/good", 4: "pay/bad", 5: "pay/good"}
        connection.sendall(greeting(variables(paths[how])))
        with connection.makefile("rb") as lines:
            for line in lines:
                if how == 5:
                    return  # in the middle of a command
                keyed = line.startswith(b"GET DATA")
                connection.sendall(b"200 result=%b\n" % (SECRET.encode() if keyed else b"1"))


CALLS = 60


def all_at_once(address: tuple[str, int]) -> None:
    with ThreadPoolExecutor(20) as callers:
        for done in [callers.submit(trouble, address, number) for number in range(CALLS)]:
            done.result()


def everyone() -> tuple[list[Observer], CallMetrics]:
    metrics = CallMetrics(CollectorRegistry())
    provider = TracerProvider(shutdown_on_exit=False)
    return [metrics, CallSpans(provider), WireTrace(), CallLog()], metrics


def nothing_is_left(observers: list[Observer], metrics: CallMetrics, log: Kept) -> None:
    assert not [message for message in log.messages if "failed:" in message]
    assert SECRET not in "".join(log.written)
    ends = of_calls(log.records)
    assert len(ends) == CALLS
    text = metrics.exposition().decode()
    assert f"fastagi_connections_total {CALLS}.0\n" in text
    assert "fastagi_calls_live 0.0\n" in text
    counted = sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(("fastagi_calls_total", "fastagi_connections_failed_total"))
    )
    assert counted == CALLS
    for observer in observers:
        for name in ("_calls", "_open", "_dialogues", "_held"):
            assert not vars(observer).get(name), (observer, name)


def test_nothing_is_left_of_calls_on_threads() -> None:
    observers, metrics = everyone()
    server = agi.FastAGIServer(port=0, observers=observers)

    @server.script("pay/(good|bad)")
    def pay(session: agi.FastAGI, request: Request) -> None:
        digits = session.execute(core.GetData("x")).digits
        if request.path == "pay/bad":
            raise LookupError(digits)

    thread = threading.Thread(target=server.serve_forever)
    with everything() as log:
        with server:
            thread.start()
            all_at_once(server.server_address)
            server.shutdown(drain=20)
        thread.join(20)
        nothing_is_left(observers, metrics, log)


def test_nothing_is_left_of_calls_in_a_loop() -> None:
    observers, metrics = everyone()

    async def run() -> None:
        server = aio.FastAGIServer(port=0, observers=observers)

        @server.script("pay/(good|bad)")
        async def pay(session: aio.FastAGI, request: Request) -> None:
            digits = (await session.execute(core.GetData("x"))).digits
            if request.path == "pay/bad":
                raise LookupError(digits)

        async with server:
            serving = asyncio.ensure_future(server.serve_forever())
            await asyncio.to_thread(all_at_once, server.server_address)
            await server.shutdown(drain=20)
            await serving

    with everything() as log:
        asyncio.run(run())
        nothing_is_left(observers, metrics, log)


def test_nothing_of_this_is_loaded_before_it_is_asked_for() -> None:
    code = """if True:
        import sys
        from pystrix_typed import agi
        agi.FastAGIServer, agi.aio.FastAGIServer, agi.Observer
        for name in ("core.catalogue", "health", "metrics", "tracing"):
            assert f"pystrix_typed.agi.{name}" not in sys.modules, name
        agi.FastAGIServer(port=0)
        assert "pystrix_typed.agi.metrics" not in sys.modules
        for name in ("prometheus_client", "opentelemetry", "http.server"):
            assert name not in sys.modules, name
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
