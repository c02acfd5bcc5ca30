"""The blocking FastAGI server: one thread per call."""

from __future__ import annotations

import logging
import re
import selectors
import socket
import threading
from urllib.parse import parse_qs

from pystrix_typed.agi.exceptions import AGIException, AGIHangup
from pystrix_typed.agi.fastagi import FastAGI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self, TypeAlias

    #: What handles a call: ``handler(agi, args, kwargs, match, path)``. What it returns is ignored.
    Handler: TypeAlias = Callable[
        [FastAGI, tuple[str, ...], dict[str, list[str]], re.Match[str] | None, str], object
    ]
else:
    from collections.abc import Callable as Handler

__all__ = ["FastAGIServer", "Handler"]

_log = logging.getLogger(__name__)

#: Seconds to let go by when no connection can be accepted (no descriptors left, say): the
#: listener stays readable meanwhile, and trying at once again would burn the processor.
_PAUSE = 0.1


class FastAGIServer:
    """Serves calls that Asterisk sends with ``AGI(agi://host/path?query)``.

    ::

        def greet(agi, args, kwargs, match, path):
            agi.execute(core.Answer())

        server = FastAGIServer()
        server.register_script_handler("greet", greet)
        server.serve_forever()

    FastAGI has no authentication: whoever reaches the port can pretend to be an exchange, so the
    server listens on loopback unless it is told otherwise.

    Args:
        interface: The address to listen on; ``"0.0.0.0"`` or ``"::"`` for all.
        port: The TCP port; 0 for any free one, which `server_address` then tells.
        daemon_threads: Do not wait for calls under way when the program ends.
        debug: Write every dialogue to stderr.
        handshake_timeout: Seconds that a peer has for sending its variables.
        command_timeout: The deadline of each command in seconds, unless `execute` names another.
        verify_values: See `FastAGI`.

    Attributes:
        timeout: Seconds that `handle_request` waits for a call; None for as long as it takes.
    """

    def __init__(
        self,
        interface: str = "127.0.0.1",
        port: int = 4573,
        daemon_threads: bool = True,
        debug: bool = False,
        *,
        handshake_timeout: float | None = 10.0,
        command_timeout: float | None = None,
        verify_values: bool = False,
    ) -> None:
        self.timeout: float | None = None
        self.daemon_threads = daemon_threads
        self.debug = debug
        self._handshake_timeout = handshake_timeout
        self._command_timeout = command_timeout
        self._verify_values = verify_values
        # A signal handler may shut the server down in the middle of anything.
        self._lock = threading.RLock()
        self._handlers: list[tuple[re.Pattern[str], Handler]] = []
        self._default: Handler | None = None
        self._stopping = threading.Event()
        #: The thread that serves; 0 while none does.
        self._serving = 0
        self._idle = threading.Event()
        self._idle.set()
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        self._listener = socket.create_server((interface, port), family=family, backlog=1024)
        self._listener.setblocking(False)
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._server_address: tuple[str, int] = self._listener.getsockname()[:2]

    @property
    def server_address(self) -> tuple[str, int]:
        """The address and the port that the server listens on."""
        return self._server_address

    # ---- routing ----

    def register_script_handler(
        self, regex: str | re.Pattern[str] | None, handler: Handler | None
    ) -> None:
        """Have `handler` called for the calls whose path matches.

        Handlers are tried in the order of their registration, matching at the start of the path,
        so the more specific ones go first. A pattern that is registered already keeps its handler.

        Args:
            regex: A pattern for the path, without its leading slash and query; None registers the
                handler for paths that nothing matches.
            handler: Called with the session, the positional arguments of ``AGI()``, the query's
                values by key (a list each), the match (None for the default handler) and the
                path. None, for the default handler, means that there is none.

        Raises:
            re.error: The pattern is no regular expression.
            TypeError: The handler cannot be called.
        """
        if handler is None:
            if regex is not None:
                raise TypeError(f"the handler for {regex!r} must be callable, not None")
        elif not callable(handler):
            raise TypeError(f"the handler for {regex!r} must be callable, not {handler!r}")
        with self._lock:
            if regex is None:
                self._default = handler
                return
            pattern = re.compile(regex)
            if any(known == pattern for known, _ in self._handlers):
                _log.warning("the pattern %r is registered already; it keeps its handler", regex)
            elif handler is not None:
                self._handlers.append((pattern, handler))

    def unregister_script_handler(self, regex: str | re.Pattern[str] | None) -> None:
        """Forget the handler of a pattern (None: the default one); unknown ones do no harm."""
        with self._lock:
            if regex is None:
                self._default = None
                return
            pattern = re.compile(regex)
            self._handlers = [pair for pair in self._handlers if pair[0] != pattern]

    def clear_script_handlers(self) -> None:
        """Forget every handler but the default one."""
        with self._lock:
            self._handlers = []

    def get_script_handler(self, script_path: str) -> tuple[Handler | None, re.Match[str] | None]:
        """Give the handler for a path and the match; the default one (or None) has no match."""
        with self._lock:
            handlers, default = self._handlers, self._default
        for pattern, handler in handlers:
            match = pattern.match(script_path)
            if match:
                return handler, match
        return default, None

    # ---- serving ----

    def serve_forever(self) -> None:
        """Accept calls until `shutdown`, each in a thread of its own.

        Raises:
            RuntimeError: Another thread serves already.
        """
        with self._lock:
            if self._stopping.is_set():
                return
            if self._serving:
                raise RuntimeError("the server is serving already")
            self._serving = threading.get_ident()
            self._idle.clear()
        try:
            while not self._stopping.is_set():
                self._accept_within(None)
        finally:
            self._serving = 0
            self._idle.set()
            if self._stopping.is_set():
                self._close()

    def handle_request(self) -> None:
        """Accept one call and start its thread; return without one after `timeout` seconds.

        Raises:
            RuntimeError: The server was shut down.
        """
        if self._stopping.is_set():
            raise RuntimeError("the server was shut down")
        self._accept_within(self.timeout)

    def shutdown(self) -> None:
        """Stop accepting, wait for `serve_forever` to return, and close the listening socket.

        Calls under way go on. A server that was shut down is not started again. It may be called
        from anywhere, a handler included; in a signal handler of the thread that serves it does
        not wait.
        """
        self._stopping.set()
        with self._lock:
            if self._waker.fileno() >= 0:
                self._waker.send(b".")
        if self._serving == threading.get_ident():
            return  # it closes when it returns
        self._idle.wait()
        self._close()

    def _close(self) -> None:
        with self._lock:
            self._selector.close()
            for end in (self._listener, self._waker, self._woken):
                end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _accept_within(self, seconds: float | None) -> None:
        ready = self._selector.select(seconds)
        if not any(key.fileobj is self._listener for key, _ in ready):
            return
        try:
            connection, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the peer is gone already
        except OSError as error:
            _log.error("cannot accept a call: %s", error)
            self._stopping.wait(_PAUSE)
            return
        peer = f"{address[0]}:{address[1]}"
        thread = threading.Thread(
            target=self._serve, args=(connection, peer), name=f"FastAGI {peer}"
        )
        thread.daemon = self.daemon_threads
        try:
            thread.start()
        except RuntimeError as error:
            _log.error("cannot serve the call from %s: %s", peer, error)
            connection.close()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        """Serve one call; whatever goes wrong ends this call alone."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = FastAGI(
                connection,
                self.debug,
                timeout=self._command_timeout,
                handshake_timeout=self._handshake_timeout,
                verify_values=self._verify_values,
            )
        except (AGIException, OSError) as error:
            _log.debug("%s did not become a call: %s", peer, error)
            connection.close()
            return
        with session:
            channel = session.get_environment().get("agi_channel", "?")
            try:
                self._handle(session, peer, channel)
            except AGIHangup as hangup:
                _log.info("call of %s from %s ended: %s", channel, peer, hangup)
            except Exception:  # noqa: BLE001 - a handler may raise anything, and others' calls go on
                _log.exception("the handler of %s from %s failed", channel, peer)

    def _handle(self, session: FastAGI, peer: str, channel: str) -> None:
        variables = session.get_environment()
        path, _, query = (variables.get("agi_network_script") or "/").partition("?")
        handler, match = self.get_script_handler(path)
        if handler is None:
            _log.warning("no handler for the path %r that %s from %s asks for", path, channel, peer)
            return
        kwargs = parse_qs(query, keep_blank_values=True, errors="surrogateescape")
        handler(session, session.environment.arguments, kwargs, match, path)
