"""The master: owns the port, keeps as many workers as it was told to, and ends them in order.

It is one thread that waits for signals, for its workers' words, and for time to pass. Workers are
forked from it, and import the program themselves.

**Full.** A worker that is full says so. When all are, the master has them give the port up, accepts
what the system has completed, deals that out, and closes the port: Asterisk's ``hagi://`` tries its
next server only when *connecting* fails. A port that belongs to systemd cannot be closed; then
further calls connect and wait.

**Restarting.** A new worker is ready before the old one is told to drain, and the port is open all
the while, so no call is refused or lost.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from pystrix_typed.agi.listening import SETTLE, turn_deaf
from pystrix_typed.serving import listening, worker
from pystrix_typed.serving.channel import Channel

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from pystrix_typed.agi.health import HealthServer
    from pystrix_typed.serving.channel import Message
    from pystrix_typed.serving.notify import Notifier
    from pystrix_typed.serving.reload import Watch
    from pystrix_typed.serving.worker import Plan

__all__ = ["Master"]

_log = logging.getLogger(__name__)

#: Seconds that a worker may take beyond its calls' time before it is killed.
_GRACE = 10.0
#: Seconds for workers to give the port up; they do so within a turn of their loops.
_RELEASE = 2.0
#: A worker that lived for less did not work: the next one waits.
_SHORT = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0


class _Worker:
    """What the master knows of one."""

    def __init__(self, slot: int, pid: int, channel: Channel, replaces: _Worker | None) -> None:
        self.slot = slot
        self.pid = pid
        self.channel = channel
        self.replaces = replaces
        self.born = time.monotonic()
        self.state = ""
        self.why = ""
        self.has_port = True
        self.replaced = False
        #: When it is killed; None while it is not told to end.
        self.kill_at: float | None = None

    @property
    def serves(self) -> bool:
        """Whether it takes calls, or would if it were not full."""
        return self.state in {"serving", "full"} and self.kill_at is None

    def __str__(self) -> str:
        return f"worker {self.slot} (process {self.pid})"


class Master:
    """Runs a service.

    Args:
        plan: What the workers do.
        workers: How many there are.
        listener: The port.
        owned: Whether it is the master's, and not systemd's.
        backlog: Connections that wait to be accepted.
        notifier: Tells systemd.
        health: Answers ``/readyz`` and the like; None for none.
        metrics: Where the workers count; None for nowhere.
        watch: Tells when the program's files change; None to leave that alone.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        workers: int,
        listener: socket.socket,
        owned: bool,
        backlog: int,
        notifier: Notifier,
        health: HealthServer | None = None,
        metrics: Path | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._plan = plan
        self._count = workers
        self._listener: socket.socket | None = listener
        self._address: tuple[str, int] = listener.getsockname()[:2]
        self._owned = owned
        self._backlog = backlog
        self._notifier = notifier
        self._health = health
        self._metrics = metrics
        self._watch = watch
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()
        #: Workers that are to be replaced, one after the other.
        self._rolling: list[_Worker] = []
        #: When to start the next worker in place of one that died.
        self._respawn_at: list[float] = []
        self._pause = _FIRST_PAUSE
        self._started = False
        self._told_ready = False
        self._failed = False
        #: Seconds that calls have at the end; None before it.
        self._ending: float | None = None
        #: Until when workers may take to give the port up; None while none was asked to.
        self._closing: float | None = None
        #: When connections that have begun are complete.
        self._settled_at = 0.0
        #: When to try to open the port again.
        self._reopen_at = 0.0
        self._alive_at = 0.0

    # ---- the loop ----

    def run(self) -> int:
        """Serve until a signal ends it; give the exit status."""
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        self._signals = far
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = [(number, signal.signal(number, _noticed)) for number in signals]
        wakeup = signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=False)
        self._selector.register(far, selectors.EVENT_READ)
        if self._health is not None:
            self._health.bind()
            self._selector.register(self._health, selectors.EVENT_READ)
        self._near = near
        try:
            for _ in range(self._count):
                self._spawn(None)
            while self._workers or self._respawn_at or self._waits_for_a_change:
                self._turn()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before:
                signal.signal(number, handler)
            self._close()
            near.close()
            far.close()
        return 1 if self._failed else 0

    @property
    def _waits_for_a_change(self) -> bool:
        return self._watch is not None and self._ending is None

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._patience()):
            if key.fileobj is self._signals:
                for number in self._signals.recv(4096):
                    self._take_signal(number)
            elif self._health is not None and key.fileobj is self._health:
                self._health.handle()
            elif isinstance(key.data, _Worker):
                self._hear(key.data)
        self._reap()
        self._review(time.monotonic())

    def _patience(self) -> float | None:
        """Give for how long nothing has to be done."""
        now = time.monotonic()
        moments = list(self._respawn_at)
        moments += [each.kill_at for each in self._workers.values() if each.kill_at is not None]
        if self._closing is not None:
            moments.append(self._closing)
            if self._settled_at > now:
                moments.append(self._settled_at)
        if self._reopen_at > now:
            moments.append(self._reopen_at)
        if self._watch is not None:
            moments.append(now + self._watch.interval)
        if self._notifier.interval is not None:
            moments.append(self._alive_at + self._notifier.interval)
        return max(0.0, min(moments) - now) if moments else None

    def _take_signal(self, number: int) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._end(self._plan.drain if self._ending is None else 0.0)
        elif number == signal.SIGHUP and self._ending is None:
            _log.info("SIGHUP: the workers are restarted one by one")
            self._notifier.reloading()
            self._roll()

    def _review(self, now: float) -> None:
        """See to what time and the workers' states ask for."""
        if self._notifier.interval is not None and now >= self._alive_at + self._notifier.interval:
            self._alive_at = now
            self._notifier.send(WATCHDOG="1")
        for each in list(self._workers.values()):
            if each.kill_at is not None and now >= each.kill_at:
                _log.error("%s has not ended in time: killed", each)
                each.kill_at = now + _GRACE
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGKILL)
        while self._respawn_at and self._respawn_at[0] <= now:
            self._respawn_at.pop(0)
            if self._ending is None:
                self._spawn(None)
        if self._watch is not None and self._ending is None and self._watch.changed():
            _log.info("the program has changed: the workers are restarted")
            self._respawn_at.clear()
            self._roll()
            for _ in range(self._count - len(self._workers)):
                self._spawn(None)
        self._review_port(now)

    # ---- workers ----

    def _spawn(self, replaces: _Worker | None) -> None:
        slot = next(n for n in range(len(self._workers) + 1) if n not in self._slots)
        ours, theirs = Channel.pair()
        pid = os.fork()
        if pid == 0:
            self._become_worker(theirs, slot)
        theirs.close()
        made = _Worker(slot, pid, ours, replaces)
        made.has_port = self._listener is not None and self._closing is None
        self._workers[pid] = made
        self._selector.register(ours, selectors.EVENT_READ, made)
        _log.debug("%s begins", made)

    @property
    def _slots(self) -> set[int]:
        return {each.slot for each in self._workers.values()}

    def _become_worker(self, theirs: Channel, slot: int) -> None:
        """Let go of what is the master's, in the new process, and work."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # A copy of another's channel here would keep it from noticing the master's end, and the
        # objects that hold descriptors must not see to them: what they wait with is shared.
        listener = None if self._closing is not None else self._listener
        kept = [0, 1, 2, theirs.fileno(), *([] if listener is None else [listener.fileno()])]
        for first, last in itertools.pairwise([*sorted(kept), os.sysconf("SC_OPEN_MAX")]):
            os.closerange(first + 1, last)
        worker.start(self._plan, theirs, listener, slot)
        sys.exit(worker.CRASHED)  # never comes: a worker ends its process

    def _hear(self, each: _Worker) -> None:
        messages = each.channel.receive(wait=False)
        if messages is None:
            self._selector.unregister(each.channel)
            each.channel.close()
            return
        for message, _ in messages:
            self._obey(each, message)

    def _obey(self, each: _Worker, message: Message) -> None:
        say = message["say"]
        if say == "state":
            each.state = str(message["state"])
            if each.state == "serving":
                self._is_ready(each)
        elif say == "released":
            each.has_port = False
        elif say == "recycle":
            _log.info("%s has served %s calls: replaced", each, message["served"])
            self._roll(each)
        elif say == "unservable":
            each.why = str(message["why"])

    def _is_ready(self, each: _Worker) -> None:
        self._started = True
        old, each.replaces = each.replaces, None
        if old is not None:
            self._drain(old, self._plan.drain)
            self._roll_on()
        ready = [one for one in self._workers.values() if one.serves]
        if len(ready) >= self._count and not self._told_ready and self._ending is None:
            self._told_ready = True
            (host, port), target = self._address, self._plan.target
            _log.info("serving %s on %s:%d with %d workers", target, host, port, len(ready))
            self._notifier.send(READY="1", STATUS=f"{len(ready)} workers", MAINPID=str(os.getpid()))

    def _drain(self, each: _Worker, seconds: float) -> None:
        """Have a worker end once its calls have."""
        until = time.monotonic() + seconds + _GRACE
        each.kill_at = until if each.kill_at is None else min(until, each.kill_at)
        each.channel.send("drain", seconds=seconds)

    def _roll(self, *which: _Worker) -> None:
        """Replace workers, all of them if none is named, one after the other."""
        wanted = which or tuple(self._workers.values())
        idle = not self._rolling
        self._rolling += [each for each in wanted if each.kill_at is None and not each.replaced]
        for each in self._rolling:
            each.replaced = True
        if idle:
            self._roll_on()

    def _roll_on(self) -> None:
        while self._rolling and self._ending is None:
            each = self._rolling.pop(0)
            if each.pid in self._workers:
                self._spawn(each)
                return
        if self._started and self._ending is None:
            self._told_ready = False

    def _reap(self) -> None:
        for pid in list(self._workers):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0
            if ended:
                self._bury(self._workers.pop(pid), os.waitstatus_to_exitcode(status))

    def _bury(self, each: _Worker, status: int) -> None:
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
        if each.kill_at is not None or self._ending is not None:
            _log.debug("%s has ended with %d", each, status)
            return
        if status == worker.UNSERVABLE:
            self._cannot_serve(each)
        elif status < 0:
            _log.error("%s was killed by %s", each, signal.Signals(-status).name)
        else:
            _log.error("%s ended by itself, with status %d", each, status)
        if each.replaces is not None:
            # The old one goes on, and so do those that were to be replaced after it.
            each.replaces.replaced = False
            for one in self._rolling:
                one.replaced = False
            self._rolling.clear()
            self._notifier.send(READY="1")
            return
        waits = status == worker.UNSERVABLE and self._watch is not None
        if not (waits or self._failed):
            self._respawn_later(each)

    def _cannot_serve(self, each: _Worker) -> None:
        if each.replaces is not None:
            _log.error("the restart is given up, the old workers go on: %s", each.why)
        elif self._watch is not None:
            _log.error("%s; waiting for the program to change", each.why)
        elif self._started:
            _log.error("a worker cannot begin: %s", each.why)
        elif not self._failed:
            _log.error("%s", each.why)
            self._failed = True
            self._end(0.0)

    def _respawn_later(self, each: _Worker) -> None:
        now = time.monotonic()
        if now - each.born >= _SHORT and each.state:
            self._pause = _FIRST_PAUSE
        _log.info("another one begins in %.1f s", self._pause)
        self._respawn_at.append(now + self._pause)
        self._respawn_at.sort()
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    # ---- the port ----

    def ready(self) -> tuple[bool, str]:
        """Tell whether calls are welcome, and a word for why not: what ``/readyz`` says."""
        if self._ending is not None:
            return False, "draining"
        states = {each.state for each in self._workers.values() if each.serves}
        if "serving" in states and self._listener is not None:
            return True, "serving"
        return False, "full" if states else "starting"

    @property
    def _is_full(self) -> bool:
        states = [each.state for each in self._workers.values() if each.serves]
        return bool(states) and all(state == "full" for state in states)

    def _review_port(self, now: float) -> None:
        if self._closing is not None:
            holding = [each for each in self._workers.values() if each.has_port and each.state]
            if (not holding and now >= self._settled_at) or now >= self._closing:
                self._close_port()
        if self._closing is not None or self._ending is not None:
            return
        if self._is_full and self._listener is not None:
            if self._owned:
                _log.warning("full: not listening until there is room")
                self._give_up_port()
        elif self._listener is None and not self._is_full and now >= self._reopen_at:
            # There may have been room before the port was closed: no worker says so again.
            self._open_port()

    def _give_up_port(self) -> None:
        """Have every worker let go of the port, as the first half of closing it."""
        assert self._listener is not None
        now = time.monotonic()
        self._settled_at = now + SETTLE if turn_deaf(self._listener) else now
        self._closing = now + _RELEASE
        for each in self._workers.values():
            each.channel.send("release")

    def _close_port(self) -> None:
        """Deal out what the system has completed, and close the port."""
        self._closing = None
        listener, self._listener = self._listener, None
        if listener is None:
            return
        takers = [each for each in self._workers.values() if each.serves]
        given = 0
        with contextlib.suppress(OSError):  # BlockingIOError: that was all
            while takers:
                connection, _ = listener.accept()
                with connection:
                    takers[given % len(takers)].channel.send("take", connection)
                given += 1
        listener.close()
        if self._ending is not None:
            self._drain_all()

    def _open_port(self) -> None:
        try:
            self._listener = listening.bind(*self._address, self._backlog)
        except OSError as error:
            _log.error("there is room, but the port cannot be opened again: %s", error)
            self._reopen_at = time.monotonic() + _FIRST_PAUSE * 10
            return
        self._reopen_at = 0.0
        _log.info("not full any more")
        for each in self._workers.values():
            if each.kill_at is None:
                each.channel.send("listen", self._listener)
                each.has_port = True

    # ---- the end ----

    def _end(self, seconds: float) -> None:
        """Let the calls under way end, and then everything."""
        first = self._ending is None
        self._ending = seconds
        self._respawn_at.clear()
        self._rolling.clear()
        if first:
            _log.info("ending: calls have %g seconds", seconds)
            self._notifier.send(STOPPING="1", STATUS="draining")
        if first and self._owned and self._listener is not None and self._closing is None:
            self._give_up_port()
        elif self._closing is None or not first:
            self._drain_all()

    def _drain_all(self) -> None:
        assert self._ending is not None
        for each in self._workers.values():
            if each.state:
                self._drain(each, self._ending)
            else:  # it is still importing the program
                each.kill_at = time.monotonic() + _GRACE
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGTERM)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._health is not None:
            self._health.close()
        self._selector.close()
        self._notifier.close()


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the descriptor that the interpreter writes to wakes the loop."""
