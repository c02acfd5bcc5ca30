"""Waiting threads ask for the interpreter less often the more calls there are."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from pystrix_typed.agi import pace
from pystrix_typed.agi.pool import Pool

USUAL = sys.getswitchinterval()
LIMIT = 30


class Jobs:
    """Threads of a pool that are all busy until they are let go."""

    def __init__(self, count: int) -> None:
        self.go = threading.Event()
        self.pool = Pool(count, "test", daemon=True)
        for _ in range(count):
            self.pool.run(self.go.wait)
        self.threads = [each for each in threading.enumerate() if each.name.startswith("test ")]

    def end(self) -> None:
        self.go.set()
        self.pool.stop()
        for thread in self.threads:
            thread.join(LIMIT)


def test_few_threads_change_nothing() -> None:
    jobs = Jobs(10)
    assert sys.getswitchinterval() == USUAL
    jobs.end()
    assert sys.getswitchinterval() == USUAL


def test_many_threads_ask_seldom_until_they_are_gone() -> None:
    jobs = Jobs(200)
    assert sys.getswitchinterval() == pytest.approx(0.02)
    jobs.end()
    assert sys.getswitchinterval() == USUAL


def test_a_thousand_wait_no_longer_than_a_tenth_of_a_second() -> None:
    pace.count(20_000)
    assert sys.getswitchinterval() == pytest.approx(0.1)
    pace.count(-20_000)
    assert sys.getswitchinterval() == USUAL


def test_what_the_program_chooses_is_kept() -> None:
    try:
        sys.setswitchinterval(0.05)
        pace.count(200)
        assert sys.getswitchinterval() == pytest.approx(0.05)
        pace.count(600)
        assert sys.getswitchinterval() == pytest.approx(0.08)
        sys.setswitchinterval(0.001)
        pace.count(-600)
        assert sys.getswitchinterval() == pytest.approx(0.02)
        pace.count(-200)
        assert sys.getswitchinterval() == pytest.approx(0.001)
    finally:
        sys.setswitchinterval(USUAL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_process_begins_anew() -> None:
    pace.count(500)
    try:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, f"{sys.getswitchinterval():g}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 20) == f"{USUAL:g}".encode()
        os.close(reading)
        os.close(writing)
    finally:
        pace.count(-500)
    assert sys.getswitchinterval() == USUAL
