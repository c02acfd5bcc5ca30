"""The console of a running Asterisk, over its control socket: what ``asterisk -rx`` does.

It says more than the program can: which directories are in use, what is loaded, and, by the
credentials of the socket's other end, which user and which process it is.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SOCKET", "Answer", "ask"]

SOCKET = "asterisk.ctl"
_PATIENCE = 5.0
#: pid, uid, gid: Linux's struct ucred.
_CREDENTIALS = struct.Struct("3i")


class Answer(NamedTuple):
    """What a console said, and who it is; 0 and -1 where the system does not tell."""

    text: str
    pid: int
    uid: int


def ask(folder: Path, command: str) -> Answer:
    """Give one command to the Asterisk whose control socket is in a folder.

    Raises:
        OSError: There is none, it does not listen, it may not be asked, or it says nothing.
    """
    # A socket's path must fit into 108 bytes, which that of a descriptor always does.
    place = os.open(folder, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            short = f"/proc/self/fd/{place}/{SOCKET}"
            connection.connect(short if os.path.lexists(short) else str(folder / SOCKET))
            connection.sendall(f"cli quit after {command}\0".encode())
            pieces: list[bytes] = []
            while piece := connection.recv(65536):
                pieces.append(piece)
            pid, uid = _peer(connection)
    finally:
        os.close(place)
    _greeting, _newline, text = b"".join(pieces).decode("utf-8", "replace").partition("\n")
    return Answer(text, pid, uid)


def _peer(connection: socket.socket) -> tuple[int, int]:
    option: int | None = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, -1
    told = connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(told)
    return pid, uid
