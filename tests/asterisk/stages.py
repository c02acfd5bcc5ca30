"""What a scene needs to be different at an exchange, for as long as it plays.

An exchange is shared by the tests of a process, one after the other, so each of these puts
everything back.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from .exchange import Exchange
    from .scene import Place

__all__ = [
    "Steering",
    "broken_sounds",
    "busy_database",
    "join_multicast",
    "join_without_dialplan",
    "manager",
    "no_gosub",
    "no_sounds",
    "relay",
    "rtp",
]


@contextlib.contextmanager
def no_sounds(exchange: Exchange) -> Generator[None, None, None]:
    """Take all sounds away, in every language."""
    link = exchange.sounds / "en"
    target = link.readlink()
    link.unlink()
    try:
        yield
    finally:
        link.symlink_to(target)


@contextlib.contextmanager
def broken_sounds(exchange: Exchange) -> Generator[None, None, None]:
    """Leave nothing of what is spoken sign by sign but files that hold no sound."""
    folder = exchange.sounds / "en"
    with no_sounds(exchange):
        for name in ("digits/1", "letters/a", "phonetic/a_p"):
            path = folder / f"{name}.wav"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"no sound at all")
        try:
            yield
        finally:
            shutil.rmtree(folder)


@contextlib.contextmanager
def busy_database(exchange: Exchange) -> Generator[None, None, None]:
    """Hold the lock of Asterisk's own database, so that nothing can be read or written."""
    [path] = (exchange.folder / "db").glob("*.sqlite3")
    # Asterisk commits what it has written within a second.
    with contextlib.closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


@contextlib.contextmanager
def no_gosub(exchange: Exchange) -> Generator[None, None, None]:
    """Unload the module that brings GOSUB."""
    # By force, because each GOSUB to nowhere leaves a use behind; so nobody may really be using it.
    exchange.wait_until(lambda: not exchange.channels(), 5, "the call before to end")
    exchange.console("module unload -f app_stack.so")
    try:
        yield
    finally:
        exchange.console("module load app_stack.so")


@contextlib.contextmanager
def rtp(exchange: Exchange) -> Generator[None, None, None]:
    """Load a channel driver that carries no text."""
    modules = ("res_rtp_multicast.so", "chan_rtp.so")
    for module in modules:
        exchange.console(f"module load {module}")
    try:
        yield
    finally:

        def unloaded() -> bool:
            answers = [exchange.console(f"module unload {module}") for module in modules[::-1]]
            return "Unloaded" in answers[0]

        exchange.wait_until(unloaded, 5, "the channel to end")


def join_multicast(place: Place) -> None:
    """Place a call on a channel that carries no text (its sound goes to a closed local port)."""
    end = "MulticastRTP/basic/127.0.0.1:9"
    place.exchange.console(f"channel originate {end} application AGI {place.url}")


def join_without_dialplan(place: Place) -> None:
    """Place a call that uses no module but AGI's own at the near end."""
    place.exchange.dialplan("[stay]\nexten => s,1,Answer()\n same => n,Wait(30)")
    place.exchange.console(f"channel originate Local/s@stay application AGI {place.url}")


RELAY = """\
#!/bin/bash
trap '' HUP
exec 4<>/dev/tcp/127.0.0.1/{port} 5<&0
cat <&5 >&4 &
cat <&4
kill $!
"""


def relay(place: Place) -> str:
    """Give a script, which alone gets a caller's sound, that passes all on to the place's URL."""
    port = place.url.rpartition(":")[2]
    return place.exchange.script(RELAY.format(port=port), "relay")


# ---- the manager interface ----


@contextlib.contextmanager
def manager(exchange: Exchange) -> Generator[None, None, None]:
    """Open the manager interface on a port of the loopback interface."""
    path = _settings(exchange)
    closed = path.read_text()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path.write_text(
        f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {port}\n"
        "[tests]\nsecret = tests\nread = \nwrite = all\n"
    )
    exchange.console("manager reload")
    try:
        yield
    finally:
        path.write_text(closed)
        exchange.console("manager reload")


@dataclass(frozen=True)
class Steering:
    """Steers the near end's playback from outside.

    Attributes:
        control: ``stop``, ``pause``, ``restart``, ``forward``...
    """

    control: str

    def __call__(self, place: Place) -> None:
        """Do it."""
        port = int(_settings(place.exchange).read_text().partition("port = ")[2].split()[0])
        login = "Action: Login\r\nUsername: tests\r\nSecret: tests\r\n\r\n"
        channel = place.the_call.channel
        order = f"Action: ControlPlayback\r\nChannel: {channel}\r\nControl: {self.control}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(f"{login}{order}Action: Logoff\r\n\r\n".encode())
            answers = b""
            deadline = time.monotonic() + 5
            while (piece := connection.recv(4096)) and time.monotonic() < deadline:
                answers += piece
        assert answers.count(b"Response: Success") == 2, answers


def _settings(exchange: Exchange) -> Path:
    return exchange.folder / "etc" / "manager.conf"
