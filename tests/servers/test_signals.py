"""Signals reach a server that waits, whenever they come."""

from __future__ import annotations

import signal
import socket

import pytest

from pystrix_typed.agi.signals import Signals, Turns

linux = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")


@linux
def test_a_signal_wakes_who_is_about_to_wait() -> None:
    seen: list[str] = []
    turns = Turns(
        lambda: seen.append("drain"), lambda: seen.append("stop"), lambda: seen.append("reload")
    )
    before = signal.getsignal(signal.SIGHUP)
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        with Signals(turns, near.fileno()):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            assert far.recv(100) == bytes([signal.SIGHUP, signal.SIGTERM, signal.SIGTERM])
        assert signal.set_wakeup_fd(-1) == -1
    assert seen == ["reload", "drain", "stop"]
    assert signal.getsignal(signal.SIGHUP) is before
