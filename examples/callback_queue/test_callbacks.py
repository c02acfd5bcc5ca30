"""Callers join the queue once, whichever way they give their number; each is taken once."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from callbacks import Queue, QueueError, make_server, waiting
from hypothesis import HealthCheck, given, settings

from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk, SimulatedCall
from pystrix_typed.testing.strategies import callers, hangups

HERE = Path(__file__).parent
SOUNDS = {
    "vm-enter-num-to-call": 2.0,
    "queue-thereare": 1.0,
    "vm-press": 1.0,
    "vm-goodbye": 1.0,
    "sorry-youre-having-problems": 1.0,
}
ARABIC = "\u0663\u0664\u0665"


@pytest.fixture(params=["sqlite", "postgresql"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Queue:
    if request.param == "sqlite":
        return Queue(str(tmp_path / "callbacks.sqlite"))
    address: str = request.getfixturevalue("postgresql")
    queue = Queue(address)
    list(waiting(queue))  # those of the test before
    return queue


def place(queue: Queue, caller: Caller, *faults: HungUp) -> SimulatedCall:
    asterisk = SimulatedAsterisk(sounds=SOUNDS)
    return asterisk.call(make_server(queue, port=0), "callback", caller=caller, faults=faults)


def test_their_own_number(queue: Queue) -> None:
    call = place(queue, Caller("5550123").hears("5550123").presses("1"))
    assert call.said == ["5550123", "1"]
    assert list(waiting(queue)) == ["5550123"]


def test_another_number(queue: Queue) -> None:
    caller = Caller("5550123").hears("5550123").presses("2").hears("vm-enter-num-to-call")
    call = place(queue, caller.presses("5559999#").hears("5559999").presses("1"))
    assert call.variables["CALLBACK_PLACE"] == "1"
    assert list(waiting(queue)) == ["5559999"]


def test_a_withheld_number(queue: Queue) -> None:
    caller = Caller("").hears("vm-enter-num-to-call").presses("5559999#")
    place(queue, caller.hears("5559999").presses("1"))
    assert list(waiting(queue)) == ["5559999"]


@pytest.mark.parametrize("number", ["+4930123456", "anonymous", ARABIC, "1" * 40, "12"])
def test_what_stands_there_as_a_number(queue: Queue, number: str) -> None:
    if number[0] == "+":
        caller = Caller(number).hears("4930123456").presses("1")
    else:
        caller = Caller(number).hears("vm-enter-num-to-call")
    place(queue, caller)
    assert list(waiting(queue)) == ([number] if number[0] == "+" else [])


def test_a_database_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "callbacks.sqlite"
    queue = Queue(str(file))
    file.write_bytes(b"no database at all" * 100)
    call = place(queue, Caller("5550123").hears("5550123").presses("1"))
    assert call.played[-1] == "sorry-youre-having-problems"
    assert "CALLBACK_PLACE" not in call.variables


def test_a_database_that_is_not_there() -> None:
    with pytest.raises(QueueError):
        Queue("/nowhere/callbacks.sqlite")
    pytest.importorskip("psycopg")
    with pytest.raises(QueueError):
        Queue("postgresql://127.0.0.1:9/nothing?connect_timeout=2")


def test_a_key_while_it_is_said(queue: Queue) -> None:
    place(queue, Caller("5550123").hears("5550123", only=0.2).presses("1"))
    assert queue.take() == "5550123"


def test_nobody_answers(queue: Queue) -> None:
    call = place(queue, Caller(""))
    assert call.played == ["vm-enter-num-to-call"] * 3 + ["vm-goodbye"]
    assert queue.take() is None


def test_who_waits_keeps_their_place(queue: Queue) -> None:
    ann, bob = (Caller(number).hears(number).presses("1") for number in ("5550001", "5550002"))
    places = [place(queue, each).variables["CALLBACK_PLACE"] for each in (ann, bob, ann)]
    assert places == ["1", "2", "1"]
    assert list(waiting(queue)) == ["5550001", "5550002"]


def test_many_at_a_time(queue: Queue) -> None:
    taken: list[str] = []

    def come_and_go(first: int) -> None:
        for number in range(first, first + 20):
            queue.join(f"555{number:04}")
        taken.extend(waiting(queue))

    threads = [threading.Thread(target=come_and_go, args=(1000 * part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 80


@given(callers(), hangups())
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_the_caller_does(queue: Queue, caller: Caller, hangup: HungUp) -> None:
    assert not place(queue, caller, hangup).mistaken


def test_who_calls_back(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    Queue(str(file)).join("5550123")
    said = [
        subprocess.run(
            [sys.executable, HERE / "callbacks.py", "next"],
            env={"CALLBACKS": str(file), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["5550123", "nobody waits"]


def test_postgresql_needs_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SystemExit, match="pip install 'psycopg"):
        Queue("postgresql://127.0.0.1/calls")
