"""The master: owns the port, has as many workers as it was told to, and ends them in order.

It is one thread that waits for signals, for its workers' words, and for time to pass. Workers are
forked from it, and import the program themselves; `crew` keeps them.

**The port.** Workers get copies of it once they can serve, and give them up as soon as they drain:
a copy that nobody accepts on keeps calls waiting.

**Full.** A worker that is full says so. When all are, the master has them give the port up, accepts
what the system has completed, deals that out, and closes the port: Asterisk's ``hagi://`` tries its
next server only when *connecting* fails. A port that belongs to systemd cannot be closed; then
further calls connect and wait.

**Restarting.** A new worker is ready before the old one is told to drain, and the port is open all
the while, so no call is refused or lost.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from typing import TYPE_CHECKING

from pystrix_typed.agi.listening import SETTLE, turn_deaf
from pystrix_typed.agi.observing import Peer
from pystrix_typed.agi.port import name_of
from pystrix_typed.agi.reception import LONGEST_WAIT
from pystrix_typed.serving import listening
from pystrix_typed.serving.crew import Crew, Worker, counted
from pystrix_typed.serving.target import Unservable

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from pystrix_typed.agi.health import HealthServer
    from pystrix_typed.serving.notify import Notifier
    from pystrix_typed.serving.reload import Watch
    from pystrix_typed.serving.worker import Plan

__all__ = ["Master"]

_log = logging.getLogger(__name__)

#: Seconds for workers to give the port up; they do so within a turn of their loops.
_RELEASE = 2.0
#: Seconds after which a port that could not be opened is tried again.
_AGAIN = 1.0
_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


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
        self._listener: socket.socket | None = listener
        self._address: tuple[str, int] = name_of(listener)
        self._owned = owned
        self._backlog = backlog
        self._notifier = notifier
        self._health = health
        self._watch = watch
        self._selector = selectors.DefaultSelector()
        self._crew = Crew(
            plan,
            workers,
            self._selector,
            on_ready=self._give_port,
            on_given_up=lambda: notifier.send(READY="1"),
            waits_for_change=watch is not None,
            metrics=metrics,
        )
        #: Whether it was told that all workers serve; anew after each restart.
        self._told_complete = False
        #: Seconds that calls have at the end; None before it.
        self._ending: float | None = None
        #: Until when workers may take to give the port up; None while none was asked to.
        self._closing: float | None = None
        #: When connections that have begun are complete.
        self._settled_at = 0.0
        #: When to try again to open the port.
        self._open_at = 0.0
        self._alive_at = 0.0

    # ---- the loop ----

    def run(self) -> None:
        """Serve until a signal ends it.

        Raises:
            Unservable: The program could not be served to begin with.
        """
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        self._signals = far
        before = [(number, signal.signal(number, _noticed)) for number in _SIGNALS]
        wakeup = signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=False)
        self._selector.register(far, selectors.EVENT_READ)
        if self._health is not None:
            self._health.bind()
            self._selector.register(self._health, selectors.EVENT_READ)
        try:
            self._crew.fill()
            while not self._crew.is_gone or self._waits_for_a_change:
                self._turn()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before:
                signal.signal(number, handler)
            self._close()
            near.close()
            far.close()
        if self._crew.failure:
            raise Unservable(self._crew.failure)

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
            elif isinstance(key.data, Worker):
                self._crew.hear(key.data)
        self._review(time.monotonic())

    def _patience(self) -> float | None:
        """Give for how long nothing has to be done."""
        now = time.monotonic()
        moments = self._crew.moments()
        if self._closing is not None:
            moments.append(self._closing)
            if self._settled_at > now:
                moments.append(self._settled_at)
        if self._open_at > now:
            moments.append(self._open_at)
        if self._watch is not None:
            moments.append(now + self._watch.interval)
        if self._notifier.interval is not None:
            moments.append(self._alive_at + self._notifier.interval)
        return min(max(0.0, min(moments) - now), LONGEST_WAIT) if moments else None

    def _take_signal(self, number: int) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._end(self._plan.drain if self._ending is None else 0.0)
        elif self._ending is not None:
            return
        elif number == signal.SIGHUP:
            _log.info("SIGHUP: the workers are restarted one by one")
            self._restart()
        elif number in {signal.SIGTTIN, signal.SIGTTOU}:
            self._told_complete = False
            self._crew.resize(1 if number == signal.SIGTTIN else -1)

    def _restart(self) -> None:
        self._notifier.reloading()
        self._told_complete = False
        self._crew.replace_all()

    def _review(self, now: float) -> None:
        """See to what time and the workers' states ask for."""
        if self._notifier.interval is not None and now >= self._alive_at + self._notifier.interval:
            self._alive_at = now
            self._notifier.send(WATCHDOG="1")
        self._crew.review(now)
        if self._crew.failure and self._ending is None:
            self._end(0.0)
        if self._watch is not None and self._ending is None and self._watch.changed():
            _log.info("the program has changed: the workers are restarted")
            self._restart()
            self._crew.fill()
        if not self._crew.complete:
            self._told_complete = False
        elif not self._told_complete and self._ending is None:
            self._told_complete = True
            count = len(self._crew.serving)
            where, target = Peer(*self._address), self._plan.target
            _log.info("serving %s on %s with %s", target, where, counted(count))
            self._notifier.send(READY="1", STATUS=counted(count), MAINPID=str(os.getpid()))
        self._review_port(now)

    # ---- the port ----

    def ready(self) -> tuple[bool, str]:
        """Tell whether calls are welcome, and a word for why not: what ``/readyz`` says."""
        if self._ending is not None:
            return False, "draining"
        if not self._crew.serving:
            return False, "starting"
        if self._crew.is_full or self._listener is None:
            return False, "full"
        return True, "serving"

    def _give_port(self, each: Worker) -> None:
        """Have a worker accept calls; it learns of the port later if that is closed for now."""
        if self._listener is not None and self._closing is None and each.kill_at is None:
            each.has_port = each.channel.send("listen", self._listener)

    def _review_port(self, now: float) -> None:
        if self._closing is not None:
            holding = [each for each in self._crew.members.values() if each.has_port]
            if (not holding and now >= self._settled_at) or now >= self._closing:
                self._close_port()
        if self._closing is not None or self._ending is not None:
            return
        if self._crew.is_full and self._listener is not None:
            if self._owned:
                _log.warning("full: not listening until there is room")
                self._notifier.send(STATUS="full")
                self._give_up_port()
        elif self._listener is None and not self._crew.is_full:
            # There may have been room before the port was closed: no worker says so again.
            self._open_port(now)

    def _give_up_port(self) -> None:
        """Have every worker let go of the port, as the first half of closing it."""
        assert self._listener is not None
        now = time.monotonic()
        self._settled_at = now + SETTLE if turn_deaf(self._listener) else now
        self._closing = now + _RELEASE
        for each in self._crew.members.values():
            if each.has_port:
                each.has_port = each.channel.send("release")

    def _close_port(self) -> None:
        """Deal out what the system has completed, and close the port."""
        self._closing = None
        listener, self._listener = self._listener, None
        if listener is None:
            return
        takers = self._crew.serving
        given = 0
        with contextlib.suppress(OSError):  # BlockingIOError: that was all
            while takers:
                connection, _ = listener.accept()
                with connection:
                    while takers and not takers[given % len(takers)].channel.send(
                        "take", connection
                    ):
                        del takers[given % len(takers)]  # it has just died
                given += 1
        with contextlib.suppress(OSError):
            # Even if a worker that is stuck still holds a copy.
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        if self._ending is not None:
            self._crew.drain_all(self._ending)

    def _open_port(self, now: float) -> None:
        if now < self._open_at:
            return
        try:
            self._listener = listening.bind(*self._address, self._backlog)
        except OSError as error:
            why = listening.reason(error)
            _log.error("there is room, but the port cannot be opened again: %s", why)
            self._open_at = now + _AGAIN
            return
        _log.info("not full any more")
        self._notifier.send(STATUS=counted(len(self._crew.serving)))
        for each in self._crew.serving:
            self._give_port(each)

    # ---- the end ----

    def _end(self, seconds: float) -> None:
        """Let the calls under way end, and then everything."""
        first = self._ending is None
        self._ending = seconds
        self._crew.cease()
        if first:
            if not self._crew.failure:  # which is all that there is to say
                _log.info("ending: calls have %g seconds", seconds)
            self._notifier.send(STOPPING="1", STATUS="draining")
        if first and self._owned and self._listener is not None and self._closing is None:
            self._give_up_port()
        elif self._closing is None or not first:
            self._crew.drain_all(seconds)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._health is not None:
            self._health.close()
        self._selector.close()
        self._notifier.close()


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the descriptor that the interpreter writes to wakes the loop."""
