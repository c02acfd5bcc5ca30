"""A worker: one process that imports the program and serves calls for its master."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import os
import secrets
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from pystrix_typed.agi import logs
from pystrix_typed.agi.observing import Call, Observer
from pystrix_typed.agi.server import FastAGIServer
from pystrix_typed.serving.target import AnyServer, Unservable, load

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path
    from types import FrameType

    from pystrix_typed.serving.channel import Channel

__all__ = ["CRASHED", "UNSERVABLE", "Plan", "start", "work"]

_log = logging.getLogger(__name__)

#: Exit statuses of a worker.
UNSERVABLE = 3
CRASHED = 4


class Plan(NamedTuple):
    """What a worker is to do.

    Attributes:
        target: The server to import.
        folder: Where its module is looked for first.
        limits: Limits that replace those of the program, by name.
        drain: Seconds that calls have when the worker is to end.
        recycle_after: Calls after which it asks to be replaced; 0 for never.
        log_format: ``text`` or ``json``.
        log_level: The lowest level that is shown.
        trace: Whether it logs what is said in each call.
        record: The folder in which each call is recorded, if there is one.
        metrics: Whether it counts for Prometheus.
        uvloop: Whether an asyncio server runs on uvloop.
    """

    target: str
    folder: Path
    limits: Mapping[str, Any]
    drain: float
    recycle_after: int
    log_format: str
    log_level: str
    trace: bool
    record: Path | None
    metrics: bool
    uvloop: bool


class _Count(Observer):
    """Tells the master when the worker has served its share."""

    def __init__(self, channel: Channel, most: int) -> None:
        self._channel = channel
        self._most = most
        self._lock = threading.Lock()
        # Or workers that began together would all be replaced at the same time.
        self._next = most + secrets.randbelow(most // 10 + 1)
        self._served = 0

    def ended(self, call: Call) -> None:
        """Count a call."""
        if call.request is None:
            return
        with self._lock:
            self._served += 1
            enough = self._served >= self._next
            if enough:
                self._next += self._most  # to ask again, if nobody could take its place
        if enough:
            self._channel.send("recycle", served=self._served)


def work(plan: Plan, channel: Channel, slot: int) -> int:
    """Serve until the master says otherwise, or is gone; give the exit status.

    The master hands the port over once it is told that the server serves.

    Args:
        plan: What to do.
        channel: The way to the master.
        slot: The worker's number among those that live.
    """
    logs.configure("json" if plan.log_format == "json" else "text", plan.log_level)
    try:
        server = _prepared(plan, channel, slot)
        _adopt_nothing(server, plan.target)
    except Unservable as error:
        channel.send("unservable", why=str(error))
        return UNSERVABLE
    except Exception as error:  # noqa: BLE001 - whatever the program does, the master is told
        _log.exception("the worker cannot begin")
        channel.send("unservable", why=f"{type(error).__name__}: {error}")
        return UNSERVABLE
    server.on_state(lambda state: channel.send("state", state=state))
    try:
        if isinstance(server, FastAGIServer):
            _serve_blocking(server, channel, plan)
        else:
            _serve_in_loop(server, channel, plan)
    except Exception:  # noqa: BLE001 - it is logged, and the master starts another worker
        _log.exception("the worker failed")
        return CRASHED
    return 0


def _prepared(plan: Plan, channel: Channel, slot: int) -> AnyServer:
    if plan.metrics:
        from pystrix_typed.agi import metrics

        metrics.use_slot(slot)
    server = load(plan.target, plan.folder)
    if plan.limits:
        try:
            server.configure(dataclasses.replace(server.limits, **plan.limits))
        except (TypeError, ValueError) as error:
            raise Unservable(str(error)) from None
    more: list[Observer] = []
    if plan.metrics:
        from pystrix_typed.agi.metrics import CallMetrics

        # Two would count everything twice: processes are added up whatever the registry.
        if not any(isinstance(each, CallMetrics) for each in server.observers):
            more.append(CallMetrics())
    if plan.trace:
        more.append(logs.WireTrace(level=logging.INFO))
    if plan.record is not None:
        from pystrix_typed.agi.recording import CallRecorder

        try:
            more.append(CallRecorder(plan.record))
        except OSError as error:
            raise Unservable(f"cannot record in {plan.record}: {error.strerror}") from None
    if plan.recycle_after:
        more.append(_Count(channel, plan.recycle_after))
    if more:
        server.observe(*more)
    return server


def _adopt_nothing(server: AnyServer, target: str) -> None:
    try:
        server.adopt(None)
    except RuntimeError:
        raise Unservable(
            f"{target} listens already: leave bind() and server_address to the service"
        ) from None


def _give(server: AnyServer, say: str, given: socket.socket) -> None:
    try:
        if say == "take":
            server.take(given)
        else:
            server.adopt(given)
    except RuntimeError:  # it is ending
        given.close()


def _serve_blocking(server: FastAGIServer, channel: Channel, plan: Plan) -> None:
    def obey() -> None:
        while (messages := channel.receive()) is not None:
            for message, given in messages:
                say = message["say"]
                if given is not None:
                    _give(server, str(say), given)
                elif say == "release":
                    server.release()
                    channel.send("released")
                elif say == "drain":
                    # A copy of the port that nobody accepts on would keep calls waiting.
                    server.release()
                    seconds = float(message["seconds"])
                    # It waits for the calls, and a second order may come meanwhile.
                    threading.Thread(target=server.shutdown, args=(seconds,), daemon=True).start()
        # The master is gone: the port goes at once, and the calls under way go on.
        server.release()
        server.shutdown(plan.drain)

    def end(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, args=(plan.drain,), daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=obey, name="master", daemon=True).start()
    server.serve_forever()


def _serve_in_loop(server: AnyServer, channel: Channel, plan: Plan) -> None:
    assert not isinstance(server, FastAGIServer)

    async def serve() -> None:
        loop = asyncio.get_running_loop()

        def obey() -> None:
            messages = channel.receive()
            if messages is None:
                loop.remove_reader(channel.fileno())
                server.release()  # the master is gone, and so is the port
                server.stop(plan.drain)
                return
            for message, given in messages:
                say = message["say"]
                if given is not None:
                    _give(server, str(say), given)
                elif say == "release":
                    server.release()
                    channel.send("released")
                elif say == "drain":
                    server.release()  # a copy that nobody accepts on would keep calls waiting
                    server.stop(float(message["seconds"]))

        loop.add_reader(channel.fileno(), obey)
        loop.add_signal_handler(signal.SIGTERM, server.stop, plan.drain)
        await server.serve_forever()

    if plan.uvloop:
        import uvloop

        uvloop.run(serve())
    else:
        asyncio.run(serve())


def start(plan: Plan, channel: Channel, slot: int) -> NoReturn:
    """Work in a process that was forked for it, and end the process.

    Args:
        plan: What to do.
        channel: The way to the master.
        slot: The worker's number among those that live.
    """
    status = CRASHED
    try:
        _let_go(channel)
        status = work(plan, channel, slot)
    except BaseException:  # noqa: BLE001 - nothing of the master's may go on in this process
        _log.exception("the worker failed")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: what the master has registered to be done at its exit is not for workers.
        os._exit(status)


def _let_go(channel: Channel) -> None:
    """Leave to the master what is the master's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)
    # Ctrl-C and a closed terminal are for the master, which then speaks to its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A copy of another's channel here would keep it from noticing the master's end, and the
    # objects that hold descriptors must not see to them: what they wait with is shared.
    kept = sorted([0, 1, 2, channel.fileno()])
    for first, last in itertools.pairwise([*kept, os.sysconf("SC_OPEN_MAX")]):
        os.closerange(first + 1, last)
