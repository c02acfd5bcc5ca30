"""Threads that are used again: starting one costs more than a command does."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from pystrix_typed.agi import pace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pool"]

#: Seconds after which a thread that has nothing to do ends.
_IDLE = 5.0
#: Seconds to wait for threads that have nothing to do any more.
_PATIENCE = 5.0


class Pool:
    """Runs jobs in up to `most` threads; a job beyond them waits.

    Args:
        most: How many threads there may be.
        name: What the threads are called, before their number.
        daemon: Whether the interpreter may end without waiting for them.
    """

    def __init__(self, most: int, name: str, daemon: bool) -> None:
        self._most = most
        self._name = name
        self._daemon = daemon
        self._lock = threading.Lock()
        self._gone = threading.Condition(self._lock)
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        # Those that wait for a job which is not promised to them yet.
        self._idle = 0
        self._waiting = 0
        self._started = 0
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return self._waiting

    def run(self, job: Callable[[], object]) -> bool:
        """Have a job run; tell whether there is a thread for it at once.

        Args:
            job: What to run. It must not raise.

        Raises:
            RuntimeError: The system has no thread left, and there is none whose turn to wait for.
        """
        with self._lock:
            if self._idle:
                self._idle -= 1
                self._jobs.put(job)
                return True
            if len(self._threads) < self._most and self._start(job):
                return True
            self._waiting += 1
            self._jobs.put(job)
            return False

    def _start(self, job: Callable[[], object]) -> bool:
        self._started += 1
        name = f"{self._name} {self._started}"
        thread = threading.Thread(
            target=self._work,
            args=(job,),
            name=name,
            daemon=self._daemon,
        )
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            if not self._threads:
                raise
            return False
        pace.count(1)
        return True

    def _work(self, job: Callable[[], object]) -> None:
        me = threading.current_thread()
        try:
            while True:
                job()
                # What is kept alive while waiting would be the last call's.
                del job
                found = self._next()
                if found is None:
                    return
                job = found
        finally:
            with self._lock:
                self._threads.discard(me)
                pace.count(-1)
                self._gone.notify_all()

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if self._waiting:
                self._waiting -= 1
                return self._jobs.get()
            if self._stopped:
                return None
            self._idle += 1
        try:
            return self._jobs.get(timeout=_IDLE)
        except Empty:
            with self._lock:
                if self._idle:
                    self._idle -= 1
                    return None
            # A job was promised in this very moment.
            return self._jobs.get()

    def stop(self, busy: int = 0) -> None:
        """Have every thread end once it has nothing to do, and wait for those to be gone.

        Args:
            busy: How many have something to do for as long as it takes.
        """
        with self._lock:
            self._stopped = True
            for _ in range(self._idle):
                self._jobs.put(None)
            self._idle = 0
            threads = tuple(self._threads)
            self._gone.wait_for(lambda: len(self._threads) <= busy, _PATIENCE)
            ended = [each for each in threads if each not in self._threads]
        for each in ended:
            each.join()
