"""A speech engine of our own: Asterisk 22 talks to one over a websocket (res_speech_aeap).

It understands nothing. What it is to have understood is told to it by a setting: after
``SPEECH SET "hear" "text"`` it has heard that text, twice, once some sound has come.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .exchange import Exchange
    from .scene import Place

__all__ = ["join", "speech_engine"]

_MODULES = (
    "res_sorcery_config.so",
    "res_http_websocket.so",
    "res_aeap.so",
    "res_speech_aeap.so",
)
_CONTEXT = "engine-"
_TEXT, _BINARY, _CLOSE = 1, 2, 8
#: Frames of 20 ms after which it has heard enough.
_ENOUGH = 15


@contextlib.contextmanager
def speech_engine(exchange: Exchange) -> Generator[None, None, None]:
    """Give Asterisk an engine, named ``hearing``."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        (exchange.folder / "etc" / "aeap.conf").write_text(
            f"[hearing]\ntype = client\nurl = {url}\ncodecs = !all,slin\n"
            "protocol = speech_to_text\n"
        )
        threading.Thread(target=_listen, args=(server,), daemon=True).start()
        for module in _MODULES:
            exchange.console(f"module load {module}")
        try:
            yield
        finally:
            for channel in _calls(exchange):
                exchange.console(f"channel request hangup {channel}")
            exchange.wait_until(lambda: not _calls(exchange), 5, "the engine's calls to end")
            for module in reversed(_MODULES):
                exchange.console(f"module unload {module}")


def _calls(exchange: Exchange) -> list[str]:
    """Give the channels that `join` brought; the modules cannot go while they are there."""
    return [name for name in exchange.channels() if name.startswith(f"Local/s@{_CONTEXT}")]


def join(context: str, *steps: str) -> Callable[[Place], None]:
    """Give what places a call whose far end does these steps.

    The usual call will not do: once a thread of Asterisk's has made a speech object with such an
    engine, it may not write files any more, which is how the usual call tells that it has ended.
    """
    context = _CONTEXT + context
    lines = [f"[{context}]", "exten => s,1,Answer()"]
    lines += [f" same => n,{step}" for step in ("Playtones(0)", *steps)]

    def bring(place: Place) -> None:
        place.exchange.dialplan("\n".join(lines))
        place.exchange.console(f"channel originate Local/s@{context} application AGI {place.url}")

    return bring


def _listen(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # closed: the scene is over
            return
        threading.Thread(target=_Engine(connection).run, daemon=True).start()


class _Engine:
    """One line of the engine."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._hear = ""
        self._frames = 0

    def run(self) -> None:
        """Serve Asterisk until it leaves."""
        with self._connection, self._stream, contextlib.suppress(OSError, EOFError):
            self._open()
            while True:
                code, data = self._receive()
                if code == _CLOSE:
                    return
                if code == _TEXT:
                    self._answer(json.loads(data))
                elif code == _BINARY:
                    self._listen()

    def _open(self) -> None:
        headers: dict[str, str] = {}
        while line := self._stream.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        key = f"{headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self._connection.sendall(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n"
            f"Sec-WebSocket-Protocol: {headers['sec-websocket-protocol']}\r\n\r\n".encode()
        )

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _receive(self) -> tuple[int, bytes]:
        first, size = self._read(2)
        masked, size = size & 0x80, size & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._read(8))
        mask = self._read(4) if masked else b"\0\0\0\0"
        data = self._read(size)
        return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        size = bytes([len(data)]) if len(data) < 126 else struct.pack(">BH", 126, len(data))
        self._connection.sendall(bytes([0x80 | _TEXT]) + size + data)

    def _answer(self, message: dict[str, Any]) -> None:
        request = message.get("request")
        if request is None:
            return
        answer: dict[str, Any] = {"response": request, "id": message["id"]}
        if request == "setup":
            answer["codecs"] = message["codecs"][:1]
        elif request == "set":
            self._hear = message["params"].get("hear", self._hear)
            self._frames = 0
        self._send(answer)

    def _listen(self) -> None:
        self._frames += 1
        if self._frames == _ENOUGH and self._hear:
            results = [
                {"text": self._hear, "score": 88, "grammar": "menu", "best": 1},
                {"text": self._hear.upper(), "score": 31, "grammar": "menu", "best": 0},
            ]
            self._send({"request": "set", "id": "heard", "params": {"results": results}})
