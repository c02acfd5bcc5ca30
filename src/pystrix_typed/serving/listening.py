"""The port: bound by the master, or handed to it by systemd."""

from __future__ import annotations

import os
import socket

__all__ = ["bind", "inherited", "reason"]

_FIRST = 3


def bind(host: str, port: int, backlog: int) -> socket.socket:
    """Listen on an address.

    Raises:
        OSError: It is taken, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=backlog)
    listener.setblocking(False)
    return listener


def inherited() -> socket.socket | None:
    """Give the listening socket that systemd hands over (``sd_listen_fds``), if it does.

    Raises:
        OSError: What was handed over is not one listening stream socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = os.environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    if count in {"", "0"}:
        return None
    if count != "1":
        raise OSError(f"socket activation gave {count} sockets, and one is served")
    listener = socket.socket(fileno=_FIRST)
    os.set_inheritable(_FIRST, False)
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        listener.detach()
        raise OSError("socket activation gave a socket that does not listen for connections")
    listener.setblocking(False)
    return listener


def reason(error: OSError) -> str:
    """Give why one cannot listen, without the address, which Python names too."""
    return (error.strerror or str(error)).partition(" (while attempting")[0]
