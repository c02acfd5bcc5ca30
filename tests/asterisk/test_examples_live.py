"""The examples with blocking servers, on real calls."""

from __future__ import annotations

import importlib.util
import json
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pystrix_typed import agi

from .calls import Caller, Far
from .isolation import INSIDE

if TYPE_CHECKING:
    from collections.abc import Generator

    from .exchange import Exchange

EXAMPLES = Path(__file__).parents[2] / "examples"
LIMIT = 40


def load(name: str) -> Any:
    path = EXAMPLES / name
    spec = importlib.util.spec_from_file_location(f"{path.stem}_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def serving(server: agi.FastAGIServer) -> Generator[str, None, None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host, port = server.server_address
    yield f"agi://{host}:{port}"
    server.shutdown(5.0)
    thread.join(LIMIT)


@pytest.mark.parametrize(
    ("keys", "status", "transfer"),
    [
        (Far().wait(0.5).press("1234").wait(1).press("3").wait(3), "SUCCESS", "PJSIP/desk"),
        (Far().wait(0.5).press("0000").wait(1).press("1234").wait(1).press("1"), "SUCCESS", ""),
        (Far().wait(0.5).press("1234").wait(1).hangup(), "HANGUP", ""),
    ],
    ids=["transfer", "balance", "hangup"],
)
def test_a_pin_and_a_menu(exchange: Exchange, keys: Far, status: str, transfer: str) -> None:
    example = load("pin_menu/flow.py")
    exchange.database_put("pins", "5550123", "1234")
    exchange.database_put("balances", "5550123", "42")
    server = agi.FastAGIServer(port=0)
    server.script("account")(example.account)
    caller, watch = Caller("5550123"), ["TRANSFER"]
    with (
        serving(server) as url,
        exchange.call(f"{url}/account", caller=caller, far=keys, watch=watch) as call,
    ):
        ending = call.wait(LIMIT)
    assert ending.agi_status == status
    assert ending.variables["TRANSFER"] == transfer


def leave_a_message(exchange: Exchange, far: Far) -> tuple[str, list[dict[str, Any]], list[str]]:
    """Give AGISTATUS, what is known about the messages, and their files."""
    example = load("voicemail/voicemail.py")
    folder = exchange.folder / "messages"
    folder.mkdir(mode=0o777, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    exchange.console("database deltree voicemail")
    example.FOLDER = Path(INSIDE) / "messages"
    server = agi.FastAGIServer(port=0)
    server.script("leave")(example.leave)
    with (
        serving(server) as url,
        exchange.call(f"{url}/leave?box=sales", caller=Caller("5550123", "Ann"), far=far) as call,
    ):
        status = call.wait(LIMIT).agi_status
    rows = exchange.console("database show voicemail").splitlines()
    known = [json.loads(row.partition(": ")[2]) for row in rows if row.startswith("/voicemail/")]
    return status, known, [file.name for file in folder.iterdir()]


def test_a_message_is_kept(exchange: Exchange) -> None:
    # The greeting takes 5.7 seconds, and the review 10.
    far = Far().wait(6.5).tone().wait(3).press("#").wait(1).press("1").wait(5)
    status, [message], [file] = leave_a_message(exchange, far)
    assert status == "SUCCESS"
    assert message["from"] == "5550123"
    assert message["file"].endswith(file)
    assert 2 < message["seconds"] < 6


def test_who_hangs_up_has_left_a_message(exchange: Exchange) -> None:
    status, [message], [_] = leave_a_message(exchange, Far().wait(6.5).tone().wait(3).hangup())
    assert status == "HANGUP"
    assert 2 < message["seconds"] < 6


def test_callers_join_the_queue(exchange: Exchange, tmp_path: Path) -> None:
    example = load("callback_queue/callbacks.py")
    queue = example.Queue(str(tmp_path / "callbacks.sqlite"))
    with serving(example.make_server(queue, port=0)) as url:
        for far, number in (
            (Far().wait(1).press("1").wait(5), "5550123"),
            (Far().wait(1).press("2").wait(1).press("777#").wait(1).press("1").wait(5), "5550124"),
        ):
            caller = Caller(number)
            place = ["CALLBACK_PLACE"]
            with exchange.call(f"{url}/callback", caller=caller, far=far, watch=place) as call:
                assert call.wait(LIMIT).agi_status == "SUCCESS"
    assert list(example.waiting(queue)) == ["5550123", "777"]
