"""Calls for observers: made by hand, or of a real session with the peer of `tests.peer`."""

from __future__ import annotations

import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pystrix_typed import agi
from pystrix_typed.agi.core.environment import Environment
from pystrix_typed.agi.observing import Call, Observer, Observers, Peer, current_call
from pystrix_typed.agi.routing import request_of
from tests.peer import Asterisk, Doing, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

__all__ = [
    "PEER",
    "Kept",
    "a_call",
    "a_server",
    "finish",
    "greeting",
    "kept",
    "served",
    "variables",
]

PEER = Peer("127.0.0.1", 40_000)


def variables(script: str = "pay", **more: str) -> dict[str, str]:
    return {
        "agi_network": "yes",
        "agi_network_script": script,
        "agi_request": f"agi://127.0.0.1/{script}",
        "agi_channel": "PJSIP/alice-00000001",
        "agi_version": "22.10.1",
        "agi_callerid": "200",
        "agi_extension": "100",
        **more,
    }


def greeting(values: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in values.items()).encode() + b"\n"


def a_call(script: str = "pay", pattern: str = "pay", **more: str) -> Call:
    """A call whose handler is about to run."""
    call = Call(PEER)
    call.request = request_of(Environment(variables(script, **more)), PEER)
    call.pattern = pattern
    return call


def finish(call: Call, outcome: str, error: BaseException | None = None) -> None:
    call.ended, call.outcome, call.error = call.started + 12.5, outcome, error


def a_server(
    observers: Iterable[Observer],
    handler: Callable[[agi.FastAGI], object],
    connection: socket.socket,
    call: Call | None = None,
) -> Call:
    """Serve one call as the servers do."""
    all_of_them = Observers(observers)
    call = Call(PEER) if call is None else call
    all_of_them.connected(call)
    token = current_call.set(call)
    outcome: str = "completed"
    error: BaseException | None = None
    try:
        with agi.FastAGI(connection) as session:
            call.request = request_of(session.environment, PEER)
            call.pattern = "pay"
            session.on_command = all_of_them.commands_of(call)
            if all_of_them.see_wire:
                session.trace = lambda sent, data: all_of_them.wire(call, sent, data)
            all_of_them.started(call)
            handler(session)
    except agi.AGIHangup as hangup:
        outcome, error = "hangup", hangup
    except Exception as failure:  # noqa: BLE001 - as the servers do
        outcome, error = "error", failure
    finally:
        finish(call, outcome, error)
        all_of_them.ended(call)
        current_call.reset(token)
    return call


@contextmanager
def served(
    answer: Callable[[bytes], Doing],
    cut: Callable[[bytes], Iterable[bytes]],
    values: dict[str, str],
) -> Generator[socket.socket, None, None]:
    """Give the server's end of a connection to the peer."""
    here, there = socket.socketpair()
    number = there.detach()
    with here, serve(Asterisk(answer), number, number, greeting(values), cut):
        yield here


class Kept(logging.Handler):
    """Keeps every record, and what three kinds of handlers would have written."""

    def __init__(self, *formatters: logging.Formatter) -> None:
        super().__init__(logging.DEBUG)
        self.formatters = formatters
        self.records: list[logging.LogRecord] = []
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.written += [formatter.format(record) for formatter in self.formatters]

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@contextmanager
def kept(name: str, *formatters: logging.Formatter) -> Generator[Kept, None, None]:
    """Keep what a logger is told, at every level."""
    logger, handler = logging.getLogger(name), Kept(*formatters)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # not all of it is text that pytest could show
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True
