"""The example that asks a directory over HTTP, on real calls."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from .calls import Caller, Far

if TYPE_CHECKING:
    from collections.abc import Generator

    from .exchange import Exchange

EXAMPLE = Path(__file__).parents[2] / "examples" / "http_lookup" / "customer.py"
LIMIT = 20


class Directory(BaseHTTPRequestHandler):
    """Knows one customer, and thinks for as long as an event is not set."""

    may_answer = threading.Event()

    def do_GET(self) -> None:
        self.may_answer.wait(LIMIT)
        known = self.path == "/customers/5550123"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"class": "gold"} if known else {}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own word
        """Say nothing."""


@contextmanager
def directory(*, answers: bool) -> Generator[str, None, None]:
    Directory.may_answer.clear()
    if answers:
        Directory.may_answer.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Directory) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Directory.may_answer.set()
        server.shutdown()
        thread.join(LIMIT)


@contextmanager
def example(url: str) -> Generator[str, None, None]:
    """Serve the example; give its address."""
    spec = importlib.util.spec_from_file_location("customer_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ready = threading.Event()
    running: list[Any] = []

    async def main() -> None:
        async with (
            httpx.AsyncClient(base_url=url, timeout=None) as client,
            module.make_server(client, port=0) as server,
        ):
            running.extend([server, asyncio.get_running_loop()])
            ready.set()
            await server.serve_forever()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(LIMIT)
    server, loop = running
    yield f"agi://127.0.0.1:{server.server_address[1]}/customer"
    asyncio.run_coroutine_threadsafe(server.shutdown(0.0), loop)
    thread.join(LIMIT)


@pytest.mark.parametrize(("number", "kind"), [("5550123", "gold"), ("5559999", "stranger")])
def test_callers_are_looked_up(exchange: Exchange, number: str, kind: str) -> None:
    with (
        directory(answers=True) as url,
        example(url) as address,
        exchange.call(address, caller=Caller(number), watch=["CUSTOMER"]) as call,
    ):
        ending = call.wait(LIMIT)
    assert ending.variables["CUSTOMER"] == kind
    assert ending.agi_status == "SUCCESS"


def test_a_directory_that_is_down_stops_no_call(exchange: Exchange) -> None:
    with (
        example("http://127.0.0.1:9") as address,
        exchange.call(address, caller=Caller("5550123"), watch=["CUSTOMER"]) as call,
    ):
        assert call.wait(LIMIT).variables["CUSTOMER"] == "stranger"


def test_a_caller_who_leaves_waits_for_nobody(exchange: Exchange) -> None:
    with (
        directory(answers=False) as url,
        example(url) as address,
        exchange.call(address, caller=Caller("5550123"), far=Far().wait(0.5).hangup()) as call,
    ):
        assert call.wait(LIMIT).agi_status in {"SUCCESS", "HANGUP"}
