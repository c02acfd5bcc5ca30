"""The workers of a service: as many as it was told to have, replaced when they should be.

A worker that is to be replaced goes on until the one in its place is ready; one is replaced after
the other. A worker that dies is replaced too, after a pause that grows while they live briefly.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import time
from typing import TYPE_CHECKING

from pystrix_typed.serving import worker
from pystrix_typed.serving.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pystrix_typed.serving.channel import Message
    from pystrix_typed.serving.worker import Plan

__all__ = ["Crew", "Worker", "counted"]

_log = logging.getLogger("pystrix_typed.serving.master")

#: Seconds that a worker may take beyond its calls' time before it is killed.
_GRACE = 10.0
#: A worker that lived for less did not work: the next one waits.
_SHORT = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
#: Seconds after which the log says that a worker still imports the program.
_LATE = 10.0


class Worker:
    """What the master knows of one.

    Attributes:
        slot: Its number among those that live.
        pid: Its process.
        channel: The way to it.
        replaces: Whom it is to replace once it is ready.
        state: Its server's state; empty while it imports the program.
        has_port: Whether it holds a copy of the port.
        kill_at: When it is killed; None while it is not told to end.
    """

    def __init__(self, slot: int, pid: int, channel: Channel, replaces: Worker | None) -> None:
        self.slot = slot
        self.pid = pid
        self.channel = channel
        self.replaces = replaces
        self.born: float = time.monotonic()
        self.state = ""
        self.why = ""
        self.has_port = False
        self.kill_at: float | None = None
        #: When it takes long to begin; None once it has begun, or that has been said.
        self.late_at: float | None = self.born + _LATE

    @property
    def serves(self) -> bool:
        """Whether it takes calls, or would if it were not full."""
        return self.state in {"serving", "full"} and self.kill_at is None

    def __str__(self) -> str:
        return f"worker {self.slot} (process {self.pid})"


class Crew:
    """Keeps the workers.

    Args:
        plan: What they do.
        count: How many there are to be.
        selector: Waits for what they say; their events carry the `Worker`.
        on_ready: Called with each worker that can serve, before the one that it replaces is told
            to end.
        on_given_up: Called when the workers are not replaced after all.
        waits_for_change: Whether a program that cannot be served is waited for, instead of tried
            again.
        metrics: Where the workers count; None for nowhere.

    Attributes:
        members: The processes that live, by their ids.
        ending: Whether no further one is to be started.
        failure: Why the program could not be served to begin with; empty while it could.
    """

    def __init__(
        self,
        plan: Plan,
        count: int,
        selector: selectors.BaseSelector,
        *,
        on_ready: Callable[[Worker], object],
        on_given_up: Callable[[], object],
        waits_for_change: bool,
        metrics: Path | None,
    ) -> None:
        self._plan = plan
        self._count = count
        self._selector = selector
        self._on_ready = on_ready
        self._on_given_up = on_given_up
        self._waits_for_change = waits_for_change
        self._metrics = metrics
        self.members: dict[int, Worker] = {}
        self.ending: bool = False
        self.failure: str = ""
        self._worked = False
        #: Workers that are to be replaced, one after the other, and who replaces the first.
        self._queue: list[Worker] = []
        self._next: Worker | None = None
        #: When to start one in place of one that died.
        self._respawn_at: list[float] = []
        self._pause = _FIRST_PAUSE

    # ---- what there is ----

    @property
    def serving(self) -> list[Worker]:
        """Those that take calls, or would if they were not full."""
        return [each for each in self.members.values() if each.serves]

    @property
    def complete(self) -> bool:
        """Whether there are as many as there should be, and none is about to be replaced."""
        return (
            self._next is None
            and not self._queue
            and not self._respawn_at
            and len(self.serving) >= self._count
        )

    @property
    def is_full(self) -> bool:
        """Whether none of them takes one more call."""
        serving = self.serving
        return bool(serving) and all(each.state == "full" for each in serving)

    @property
    def is_gone(self) -> bool:
        """Whether there is none, and none will be started."""
        return not (self.members or self._respawn_at)

    def moments(self) -> list[float]:
        """Give when `review` has something to do."""
        late = [at for each in self.members.values() for at in (each.kill_at, each.late_at)]
        return self._respawn_at + [at for at in late if at is not None]

    # ---- beginnings ----

    def fill(self) -> None:
        """Start as many as are missing, those included that would be started later."""
        self._respawn_at.clear()
        there = [
            each for each in self.members.values() if each.kill_at is None and each.replaces is None
        ]
        for _ in range(self._count - len(there)):
            if self._spawn(None) is None:
                self._respawn_later(0.0)

    def resize(self, by: int) -> None:
        """Have more workers, or fewer; one at least."""
        self._count = max(1, self._count + by)
        _log.info("%s to serve from now on", counted(self._count))
        there = [
            each for each in self.members.values() if each.kill_at is None and each.replaces is None
        ]
        spare = len(there) + len(self._respawn_at) - self._count
        while spare > 0 and self._respawn_at:
            self._respawn_at.pop()
            spare -= 1
        busy = None if self._next is None else self._next.replaces
        there.sort(key=lambda each: each.born)
        for each in [each for each in there if each is not busy][::-1][: max(0, spare)]:
            self.drain(each, self._plan.drain)
        if spare < 0:
            self.fill()

    def _spawn(self, replaces: Worker | None) -> Worker | None:
        """Start one; None when the system does not let it."""
        taken = {each.slot for each in self.members.values()}
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        try:
            ours, theirs = Channel.pair()
        except OSError as error:
            _log.error("no worker can be started: %s", error)
            return None
        try:
            pid = os.fork()
        except OSError as error:
            _log.error("no worker can be started: %s", error)
            ours.close()
            theirs.close()
            return None
        if pid == 0:
            worker.start(self._plan, theirs, slot)
        theirs.close()
        made = Worker(slot, pid, ours, replaces)
        self.members[pid] = made
        self._selector.register(ours, selectors.EVENT_READ, made)
        _log.debug("%s begins", made)
        return made

    def _respawn_later(self, lived: float) -> None:
        if lived >= _SHORT:
            self._pause = _FIRST_PAUSE
        _log.info("another one begins in %.1f s", self._pause)
        self._respawn_at.append(time.monotonic() + self._pause)
        self._respawn_at.sort()
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    # ---- what they say ----

    def hear(self, each: Worker) -> None:
        """Read what a worker says."""
        messages = each.channel.receive(wait=False)
        if messages is None:
            self._selector.unregister(each.channel)
            each.channel.close()
            return
        for message, _ in messages:
            self._obey(each, message)

    def _obey(self, each: Worker, message: Message) -> None:
        say = message["say"]
        if say == "state":
            begins = not each.state
            each.late_at = None
            each.state = str(message["state"])
            _log.debug("%s is %s", each, each.state)
            if begins and each.serves:
                self._begin(each)
        elif say == "released":
            each.has_port = False
        elif say == "recycle":
            if each.serves and not self._is_replaced(each):
                _log.info("%s has served %s calls: replaced", each, message["served"])
                self._queue.append(each)
                self._roll_on()
        elif say == "unservable":
            each.why = str(message["why"])

    def _begin(self, each: Worker) -> None:
        self._worked = True
        self._on_ready(each)
        old, each.replaces = each.replaces, None
        if old is not None:
            self.drain(old, self._plan.drain)
        if each is self._next:
            self._next = None
            self._roll_on()

    # ---- replacing ----

    def replace_all(self) -> None:
        """Replace them one after the other; what goes on of that already begins anew."""
        begun, self._next = self._next, None
        if begun is not None and begun.kill_at is None:
            self._stop(begun)  # it may have imported older code
        self._queue = [each for each in self.members.values() if each.kill_at is None]
        self._roll_on()

    def _is_replaced(self, each: Worker) -> bool:
        return each in self._queue or (self._next is not None and self._next.replaces is each)

    def _roll_on(self) -> None:
        while self._queue and self._next is None and not self.ending:
            old = self._queue.pop(0)
            if old.pid in self.members and old.kill_at is None:
                self._next = self._spawn(old)
                if self._next is None:
                    self._give_up("")

    def _give_up(self, why: str) -> None:
        """Leave the workers as they are."""
        _log.error("the restart is given up, the old workers go on%s", why and f": {why}")
        self._queue.clear()
        self._on_given_up()

    # ---- ends ----

    def drain(self, each: Worker, seconds: float) -> None:
        """Have a worker end once its calls have."""
        until = time.monotonic() + seconds + _GRACE
        each.kill_at = until if each.kill_at is None else min(until, each.kill_at)
        each.channel.send("drain", seconds=seconds)

    def _stop(self, each: Worker) -> None:
        """End a worker that imports the program."""
        each.kill_at = time.monotonic() + _GRACE
        with contextlib.suppress(ProcessLookupError):
            os.kill(each.pid, signal.SIGTERM)

    def drain_all(self, seconds: float) -> None:
        """Have them all end, for good."""
        self.cease()
        for each in self.members.values():
            if each.state:
                self.drain(each, seconds)
            else:
                self._stop(each)

    def cease(self) -> None:
        """Start no further one."""
        self.ending = True
        self._respawn_at.clear()
        self._queue.clear()

    def review(self, now: float) -> None:
        """See to those that have ended, that should have, and that are to begin."""
        self._reap()
        for each in list(self.members.values()):
            if each.late_at is not None and now >= each.late_at:
                each.late_at = None
                _log.warning(
                    "%s still imports the program after %g s; a program that calls serve_forever() "
                    "by itself never ends that",
                    each,
                    _LATE,
                )
            if each.kill_at is not None and now >= each.kill_at:
                _log.error("%s has not ended in time: killed", each)
                each.kill_at = now + _GRACE
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGKILL)
        while self._respawn_at and self._respawn_at[0] <= now:
            self._respawn_at.pop(0)
            if self._spawn(None) is None:
                self._respawn_later(0.0)

    def _reap(self) -> None:
        for pid in list(self.members):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0
            if ended:
                self._bury(self.members.pop(pid), os.waitstatus_to_exitcode(status))

    def _bury(self, each: Worker, status: int) -> None:
        """See to what follows from a worker's end."""
        with contextlib.suppress(KeyError, ValueError):
            # Its last words. There may be no end: a process that it started may hold its channel.
            while messages := each.channel.receive(wait=False):
                for message, _ in messages:
                    self._obey(each, message)
            self._selector.unregister(each.channel)
            each.channel.close()
        if self._metrics is not None:
            from pystrix_typed.agi.metrics import forget

            forget(each.slot, self._metrics)
        was_next = each is self._next
        if was_next:
            self._next = None
        if each.kill_at is not None or self.ending:
            _log.debug("%s has ended with %d", each, status)
            return
        if status == worker.UNSERVABLE:
            why = each.why
        elif status < 0:
            why = f"{each} was killed by {_name(-status)}"
        else:
            why = f"{each} ended by itself, with status {status}"
        if each.replaces is not None:
            self._give_up(why)
        elif self._next is not None and self._next.replaces is each:
            _log.error("%s", why)
            self._next.replaces = None  # it takes the place as soon as it is ready
        else:
            self._miss(each, why, unservable=status == worker.UNSERVABLE)
        if was_next:
            self._roll_on()

    def _miss(self, each: Worker, why: str, *, unservable: bool) -> None:
        """See to it that another one takes the place, if that makes sense."""
        if unservable and self._waits_for_change:
            _log.error("%s; waiting for the program to change", why)
        elif unservable and not self._worked:
            self.failure = self.failure or why
        elif not self.failure:
            _log.error("a worker cannot begin: %s" if unservable else "%s", why)
            self._respawn_later(time.monotonic() - each.born if each.state else 0.0)


def counted(workers: int) -> str:
    """Give a number of workers in words for a log."""
    return f"{workers} worker{'' if workers == 1 else 's'}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the nameless ones
        return f"signal {number}"
