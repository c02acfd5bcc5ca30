"""Closing a port without losing a call.

A listening socket that is closed takes along the connections that the system has completed and
nobody has accepted: their callers were connected, and are reset. So before it closes, the system is
told to drop what asks for a connection from now on; what has begun is completed and accepted
meanwhile. A peer whose request was dropped repeats it after a second (TCP does), and then it is
refused, or the port is open again.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from array import array

__all__ = ["SETTLE", "hear_again", "turn_deaf"]

#: Seconds that a connection may take to be complete once it was begun: a round trip.
SETTLE = 0.05
# Linux's, which the module socket does not name.
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
# A packet filter's instructions (code, jump if true, jump if false, operand): drop a segment with
# SYN, let all others pass. The flags are the 14th byte of TCP's header.
_NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF_FFFF))


def turn_deaf(listener: socket.socket) -> bool:
    """Have no connection begin on a listening socket; tell whether this system can do that.

    Where it cannot, as few as possible are completed from now on.
    """
    if sys.platform == "linux":
        code = array("B", b"".join([struct.pack("HBBI", *each) for each in _NO_SYN]))
        address, _ = code.buffer_info()
        program = struct.pack("HP", len(_NO_SYN), address)
        try:
            listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
        except OSError:
            pass  # forbidden here, or no such system after all
        else:
            return True
    with contextlib.suppress(OSError):
        listener.listen(0)
    return False


def hear_again(listener: socket.socket) -> None:
    """Have connections begin again on a socket that was turned deaf."""
    if sys.platform == "linux":
        listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
