"""The line of threads that wait for their turn."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi.session import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

# How many wait is told by nothing but the line itself.
# pyright: reportPrivateUsage=false

PATIENCE = 20.0


def in_line(turn: Turn, number: int) -> None:
    """Wait until so many threads have the turn or wait for it."""
    pause = threading.Event()
    for _ in range(20_000):
        if len(turn._line) >= number:
            return
        pause.wait(0.001)
    pytest.fail("nobody gets in line")


def begin(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_turns_come_in_order() -> None:
    turn = Turn()
    served: list[int] = []

    def work(number: int) -> None:
        assert turn.take(PATIENCE if number % 2 else None)
        served.append(number)
        turn.give()

    assert turn.take(None)
    threads: list[threading.Thread] = []
    for number in range(20):
        threads.append(begin(partial(work, number)))
        in_line(turn, number + 2)
    assert served == []
    turn.give()
    for thread in threads:
        thread.join(PATIENCE)
    assert served == list(range(20))
    assert not turn.taken


def test_who_gives_up_is_left_out() -> None:
    turn = Turn()
    outcome: list[object] = []
    assert turn.take(None)
    first = begin(lambda: outcome.append(turn.take(0.02)))
    in_line(turn, 2)

    def wait() -> None:
        outcome.append(turn.take(PATIENCE))
        turn.give()

    second = begin(wait)
    in_line(turn, 3)
    first.join(PATIENCE)
    assert outcome == [False]
    turn.give()
    second.join(PATIENCE)
    assert outcome == [False, True]
    assert not turn.taken


def test_taking_twice() -> None:
    turn = Turn()
    assert turn.take(None)
    with pytest.raises(RuntimeError, match="one at a time"):
        turn.take(None)
    assert not turn.take_if_free()
    turn.give()
    assert turn.take_if_free()
    turn.give()
    assert not turn.taken


def test_taking_while_waiting_in_the_same_thread() -> None:
    """What a signal handler does that comes while its thread waits: it would wait for itself."""
    turn = Turn()
    raised: list[str] = []

    class Gate:
        """Stands in for the lock that the thread sleeps at, where the handler would come."""

        def __init__(self) -> None:
            self.asleep = False

        def acquire(self, timeout: float = -1) -> bool:
            if self.asleep:
                with pytest.raises(RuntimeError) as caught:
                    turn.take(None)
                raised.append(str(caught.value))
                turn._line.pop(0)  # the other one is done
            self.asleep = True
            return True

        def release(self) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pystrix_typed.agi.session.allocate_lock", Gate)
        other = begin(lambda: turn.take(None))
        other.join(PATIENCE)
        assert turn.take(None)
    assert len(raised) == 1


def test_interrupt_while_waiting() -> None:
    turn = Turn()

    class Gate:
        def __init__(self) -> None:
            self.asleep = False

        def acquire(self, timeout: float = -1) -> bool:
            if self.asleep:
                raise KeyboardInterrupt
            self.asleep = True
            return True

        def release(self) -> None:
            pass

    assert turn.take(None)
    raised: list[BaseException] = []

    def wait() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pystrix_typed.agi.session.allocate_lock", Gate)
            with pytest.raises(KeyboardInterrupt) as caught:
                turn.take(None)
            raised.append(caught.value)

    begin(wait).join(PATIENCE)
    assert len(raised) == 1
    turn.give()
    assert not turn.taken


@pytest.mark.parametrize("timeout", [float("inf"), 1e300, 0, -1])
def test_odd_timeouts(timeout: float) -> None:
    turn = Turn()
    assert turn.take(timeout)
    outcome: list[bool] = []
    thread = begin(lambda: outcome.append(turn.take(timeout)))
    if timeout > 0:
        in_line(turn, 2)
        turn.give()
    thread.join(PATIENCE)
    assert outcome == [timeout > 0]


def test_nobody_is_forgotten() -> None:
    """Many threads, short patience: whoever gives up at the last moment passes the turn on."""
    turn = Turn()
    inside = 0
    served = 0

    def work() -> None:
        nonlocal inside, served
        for _ in range(300):
            if turn.take(0.000_05):
                inside += 1
                assert inside == 1
                served += 1
                inside -= 1
                turn.give()

    threads = [begin(work) for _ in range(8)]
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert served > 0
    assert not turn.taken
