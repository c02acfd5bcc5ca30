"""A small HTTP endpoint beside a server: ``/metrics``, ``/healthz`` and ``/readyz``.

Load balancers and Prometheus ask it many times a minute, and anybody who reaches its port may. So
it is bounded: one thread, so many connections at a time, so many bytes of a request, so many
seconds of anybody's time. It answers ``GET`` and ``HEAD`` and closes; there is nothing to configure
over it, and nothing of a caller's in what it says.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import struct
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, Protocol

from pystrix_typed.agi.observing import Peer
from pystrix_typed.agi.options import check_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

__all__ = ["HealthServer", "readiness"]

_log = logging.getLogger(__name__)

_TEXT: Final = "text/plain; charset=utf-8"
#: The Prometheus text format that every version of Prometheus reads.
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
#: For SO_LINGER: close by a reset.
_AT_ONCE: Final = struct.pack("ii", 1, 0)
#: Seconds to let go by when no connection can be accepted, or trying would burn the processor.
_PAUSE: Final = 0.1


class _HasState(Protocol):
    @property
    def state(self) -> str: ...


def readiness(server: _HasState) -> Callable[[], tuple[bool, str]]:
    """Make the readiness of a server: ready while it serves, not when full, draining or stopped."""

    def ready() -> tuple[bool, str]:
        state = server.state
        return state == "serving", state

    return ready


class HealthServer:
    """Answers over HTTP whether a server lives, whether it is ready, and what it counted.

    - ``/healthz``: 200 as long as this process answers;
    - ``/readyz``: 200 or 503, as `ready` says, with its word as the text;
    - ``/metrics``: what `metrics` gives; 404 without it.

    ::

        with HealthServer("127.0.0.1", 9573, readiness(server), metrics.exposition):
            server.serve_forever()

    `start` runs it in a thread of its own. A program with a loop of its own, or one that forks
    and so should have no threads, calls `bind`, waits for `fileno` to become readable, calls
    `handle`, and `close` at the end. (Called only then, it drops late connections when the next one
    comes.)

    Args:
        host: The address to listen on.
        port: The TCP port; 0 for any free one, which `address` then tells.
        ready: Gives whether calls are welcome, and a word that says why; called for each request,
            so it must not wait.
        metrics: Gives the metrics in Prometheus' text format.
        timeout: Seconds that a connection may take, from its acceptance to its end.
        max_connections: Connections served at a time; the oldest gives way to the next.
        max_request: Bytes of a request's head.

    Raises:
        TypeError: The address is none.
        ValueError: There is no such port.
    """

    def __init__(
        self,
        host: str,
        port: int,
        ready: Callable[[], tuple[bool, str]],
        metrics: Callable[[], bytes] | None = None,
        *,
        timeout: float = 5.0,
        max_connections: int = 32,
        max_request: int = 8192,
    ) -> None:
        check_address(host, port)
        self._host = host
        self._port = port
        self._ready = ready
        self._metrics = metrics
        self._timeout = timeout
        self._max_connections = max_connections
        self._max_request = max_request
        self._listener: socket.socket | None = None
        self._selector: selectors.BaseSelector | None = None
        self._waker: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Given up for a moment when no other descriptor is left, to turn a connection away with.
        self._spare = -1
        self._clients: dict[socket.socket, _Client] = {}

    @property
    def address(self) -> tuple[str, int]:
        """The address and the port that it listens on.

        Raises:
            RuntimeError: It does not listen.
        """
        if self._listener is None:
            raise RuntimeError("the health endpoint does not listen: call bind() or start()")
        address: tuple[str, int] = self._listener.getsockname()[:2]
        return address

    # ---- in a thread of its own ----

    def start(self) -> None:
        """Listen, and answer in a thread of its own until `stop`.

        Raises:
            OSError: The port is taken.
            RuntimeError: It was started already.
        """
        if self._thread is not None:
            raise RuntimeError("the health endpoint was started already")
        self.bind()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="health endpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; when this returns its thread and its sockets are gone."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping = True
            if self._waker is not None:
                self._waker[1].send(b".")
            thread.join()
        self.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping:
            self.handle(None)

    # ---- in a loop of somebody's ----

    def bind(self) -> None:
        """Listen; what comes is answered by `handle`. Doing it twice does no harm.

        Raises:
            OSError: The port is taken.
        """
        if self._listener is not None:
            return
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._listener = socket.create_server(
                (self._host, self._port), family=family, backlog=64
            )
            self._listener.setblocking(False)
            self._waker = socket.socketpair()
            self._spare = os.open(os.devnull, os.O_RDONLY)
            self._selector = selectors.DefaultSelector()
            self._selector.register(self._waker[0], selectors.EVENT_READ)
            self._selector.register(self._listener, selectors.EVENT_READ)
        except BaseException:
            self.close()
            raise
        _log.info("health on http://%s", Peer(*self.address))

    def fileno(self) -> int:
        """Give a descriptor that is readable when `handle` has something to do.

        Raises:
            RuntimeError: It does not listen, or this system's selectors have no descriptor.
        """
        number = getattr(self._selector, "fileno", None)
        if number is None:
            raise RuntimeError("the health endpoint has no descriptor to wait for")
        found: int = number()
        return found

    def handle(self, timeout: float | None = 0.0) -> None:
        """Do what can be done within `timeout` seconds, and drop the connections that are late."""
        selector = self._selector
        if selector is None:
            return
        for key, _ in selector.select(self._patience(timeout)):
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.data, _Client):
                if key.data.socket in self._clients:  # not if it gave way just now
                    self._serve(key.data)
            elif self._waker is not None:
                self._waker[0].recv(64)
        now = monotonic()
        for client in [client for client in self._clients.values() if client.deadline <= now]:
            self._cut(client)

    def close(self) -> None:
        """Close every socket. A process that was forked while this listened calls it too."""
        selector, self._selector = self._selector, None
        if selector is not None:
            selector.close()
        for client in list(self._clients.values()):
            client.socket.close()
        self._clients.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._waker is not None:
            for end in self._waker:
                end.close()
            self._waker = None
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1

    def _patience(self, timeout: float | None) -> float | None:
        """Give how long to wait: no longer than until the next connection is late."""
        if not self._clients:
            return timeout
        first = min(client.deadline for client in self._clients.values())
        until = max(first - monotonic(), 0.0)
        return until if timeout is None else min(timeout, until)

    def _accept(self) -> None:
        if self._listener is None or self._selector is None:
            return
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the peer is gone already
        except OSError as error:
            _log.error("the health endpoint cannot accept a connection: %s", error)
            self._turn_away(self._listener)
            return
        connection.setblocking(False)
        if len(self._clients) >= self._max_connections:
            self._cut(next(iter(self._clients.values())))
        client = _Client(connection, monotonic() + self._timeout)
        self._clients[connection] = client
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _turn_away(self, listener: socket.socket) -> None:
        """Take a connection off the queue when no descriptor is left, or it would burn the CPU."""
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        try:
            listener.accept()[0].close()
        except OSError:
            sleep(_PAUSE)
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _cut(self, client: _Client) -> None:
        """Drop a connection that is not done, and what it did not read yet."""
        # Or the system would go on offering the answer to one who never reads it.
        with contextlib.suppress(OSError):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.socket, None) is None:
            return
        if self._selector is not None:
            self._selector.unregister(client.socket)
        client.socket.close()

    def _serve(self, client: _Client) -> None:
        """Go on with a connection that can be read, or written."""
        try:
            if not client.answered and not self._read(client):
                return
            if client.answer:
                del client.answer[: client.socket.send(client.answer)]
            if not client.answer:
                if not client.finished:
                    client.finished = True
                    client.socket.shutdown(socket.SHUT_WR)
                    self._watch(client, selectors.EVENT_READ)
                # Closing with unread bytes would reset the connection, and the answer with it.
                elif client.socket.recv(4096):
                    return
                else:
                    self._drop(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _watch(self, client: _Client, events: int) -> None:
        if self._selector is not None:
            self._selector.modify(client.socket, events, client)

    def _read(self, client: _Client) -> bool:
        """Read more of a request; True once there is an answer to it."""
        data = client.socket.recv(4096)
        client.head += data
        if b"\r\n\r\n" in client.head or b"\n\n" in client.head:
            answer = self._answer(bytes(client.head))
        elif len(client.head) > self._max_request:
            answer = _response(431, _TEXT, b"too long\n")
        elif data:
            return False
        else:
            self._drop(client)
            return False
        client.answered = True
        client.answer += answer
        self._watch(client, selectors.EVENT_WRITE)
        return True

    # ---- what it says ----

    def _answer(self, head: bytes) -> bytes:
        if len(head) > self._max_request + 4096:
            return _response(431, _TEXT, b"too long\n")
        words = head.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _response(400, _TEXT, b"this is no HTTP request\n")
        method, target, _ = words
        if method not in (b"GET", b"HEAD"):
            return _response(405, _TEXT, b"only GET and HEAD\n", "Allow: GET, HEAD\r\n")
        status, kind, body = self._page(target.split(b"?", 1)[0])
        answer = _response(status, kind, body)
        return answer[: len(answer) - len(body)] if method == b"HEAD" else answer

    def _page(self, path: bytes) -> tuple[int, str, bytes]:
        if path == b"/healthz":
            return 200, _TEXT, b"alive\n"
        if path == b"/readyz":
            try:
                ready, why = self._ready()
            except Exception:  # noqa: BLE001 - it is somebody's, and a probe must get an answer
                _log.exception("the readiness cannot be told")
                return 503, _TEXT, b"the readiness cannot be told\n"
            return 200 if ready else 503, _TEXT, f"{why}\n".encode("utf-8", "replace")
        if path == b"/metrics" and self._metrics is not None:
            try:
                return 200, _METRICS, self._metrics()
            except Exception:  # noqa: BLE001 - the same
                _log.exception("the metrics cannot be told")
                return 500, _TEXT, b"the metrics cannot be told\n"
        return 404, _TEXT, b"try /healthz, /readyz or /metrics\n"


class _Client:
    """A connection to the endpoint."""

    __slots__ = ("answer", "answered", "deadline", "finished", "head", "socket")

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.socket = connection
        self.deadline = deadline
        self.head = bytearray()
        self.answer = bytearray()
        self.answered = False
        self.finished = False


def _response(status: int, kind: str, body: bytes, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode("ascii") + body
