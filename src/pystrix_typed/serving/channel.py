"""What a master and its workers say to each other: JSON lines, with sockets beside them."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from typing import TypeAlias

__all__ = ["Channel", "Message"]

#: A word under ``say``, and what belongs to it. One that brings a socket has ``socket: true``.
Message: TypeAlias = dict[str, str | int | float | bool]

_CHUNK = 65_536
#: Sockets that one reading may bring.
_MOST = 64


class Channel:
    """One end of a Unix socket pair. Any thread may send; one reads."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._received = bytearray()
        self._sockets: deque[int] = deque()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Make both ends."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Give the descriptor, to wait for something to read."""
        return self._end.fileno()

    def send(
        self, say: str, given: socket.socket | None = None, **more: str | float | bool
    ) -> bool:
        """Say something; False when nobody listens any more.

        Args:
            say: The word.
            given: A socket to hand over; this process's copy stays open.
            more: What belongs to it.
        """
        message: Message = {"say": say, **more}
        if given is not None:
            message["socket"] = True
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._lock:
                if given is None:
                    self._end.sendall(line)
                else:
                    sent = socket.send_fds(self._end, [line], [given.fileno()])
                    self._end.sendall(line[sent:])
        except OSError:
            return False
        return True

    def receive(self, *, wait: bool = True) -> list[tuple[Message, socket.socket | None]] | None:
        """Give the messages that have come, or come next if `wait`; None at the end."""
        flags = 0 if wait else socket.MSG_DONTWAIT
        try:
            data, descriptors, _, _ = socket.recv_fds(self._end, _CHUNK, _MOST, flags)
        except BlockingIOError:
            return []
        except OSError:
            return None
        self._sockets.extend(descriptors)
        if not data:
            return None
        self._received += data
        *lines, rest = bytes(self._received).split(b"\n")
        self._received = bytearray(rest)
        found: list[tuple[Message, socket.socket | None]] = []
        for line in lines:
            message: Message = json.loads(line)
            given = None
            if message.get("socket"):
                given = socket.socket(fileno=self._sockets.popleft())
            found.append((message, given))
        return found

    def close(self) -> None:
        """Close this process's copy of the end; the other end notices when it was the last."""
        self._end.close()
