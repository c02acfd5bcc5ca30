"""Telling systemd how the service is: ``sd_notify`` and the watchdog."""

from __future__ import annotations

import contextlib
import os
import socket
import time

__all__ = ["Notifier"]


class Notifier:
    """Sends to the socket that ``NOTIFY_SOCKET`` names; does nothing without one.

    Attributes:
        interval: Seconds between two signs of life; None when systemd wants none.
    """

    def __init__(self) -> None:
        name = os.environ.pop("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract address.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if name else None
        self.interval: float | None = None
        wanted = os.environ.pop("WATCHDOG_USEC", "")
        if (
            name
            and wanted.isdecimal()
            and os.environ.pop("WATCHDOG_PID", "")
            in {
                "",
                str(os.getpid()),
            }
        ):
            self.interval = int(wanted) / 2_000_000

    def send(self, **fields: str) -> None:
        """Send fields: ``send(READY="1", STATUS="3 workers")``."""
        if self._socket is None:
            return
        lines = "\n".join([f"{name}={value}" for name, value in fields.items()])
        with contextlib.suppress(OSError):  # systemd is not there to be told
            self._socket.sendto(lines.encode(), self._address)

    def reloading(self) -> None:
        """Tell that a reload has begun; READY ends it."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send(RELOADING="1", MONOTONIC_USEC=str(moment))

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
