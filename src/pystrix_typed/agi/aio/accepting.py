"""Accepting connections in an event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["Acceptor"]

_log = logging.getLogger("pystrix_typed.agi.server")

#: Seconds to let go by when no connection can be accepted: no descriptors left, say.
_PAUSE = 0.1
#: Seconds between two looks whether there is room.
_MOMENT = 0.02
#: Connections to accept before others have their turn.
_AT_ONCE = 64


class Acceptor:
    """Accepts what connects to a listening socket, from its making until it is stopped.

    (What `asyncio.loop.create_server` does goes wrong when there are no descriptors left, and
    cancelling `asyncio.loop.sock_accept` loses a connection that it has just accepted.)

    Args:
        loop: The loop; it runs.
        listener: The socket. It stays the caller's.
        take: Called with each connection.
        has_room: Tells whether one more connection would be served at once; while it would not,
            others who accept on the same socket may take it. None if there are none.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        take: Callable[[socket.socket], object],
        has_room: Callable[[], bool] | None,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._take = take
        self._has_room = has_room
        self._at_once = 1 if has_room else _AT_ONCE
        self._pause: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._resume()

    def _resume(self) -> None:
        self._pause = None
        try:
            self._loop.add_reader(self._listener, self._accept, self._at_once)
        except NotImplementedError:  # Windows' usual loop
            self._task = self._loop.create_task(self._accept_one_by_one())

    def stop(self) -> None:
        """Accept no more. What the system has completed stays where it is."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        elif self._task is not None:
            self._task.cancel()
            self._task = None
        else:
            self._loop.remove_reader(self._listener)

    def accept_all(self) -> None:
        """Accept what the system has completed, before the listening socket is closed."""
        while not self._accept(_AT_ONCE):
            pass

    def _accept(self, most: int) -> bool:
        """Accept connections that are there; tell whether there were fewer than `most`."""
        for _ in range(most):
            if self._has_room is not None and not self._has_room():
                self._rest(_MOMENT)
                return True
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return True
            except ConnectionError:
                continue  # that peer is gone already
            except OSError as error:
                _log.error("cannot accept a call: %s", error)
                self._rest(_PAUSE)
                return True
            self._take(connection)
        return False

    def _rest(self, seconds: float) -> None:
        """Do not look for a while: the socket stays readable, and would burn the processor."""
        if self._pause is None and self._task is None:
            self._loop.remove_reader(self._listener)
            self._pause = self._loop.call_later(seconds, self._resume)

    async def _accept_one_by_one(self) -> None:
        while True:
            while self._has_room is not None and not self._has_room():
                await asyncio.sleep(_MOMENT)
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except ConnectionError:
                continue
            except OSError as error:
                _log.error("cannot accept a call: %s", error)
                await asyncio.sleep(_PAUSE)
                continue
            self._take(connection)
