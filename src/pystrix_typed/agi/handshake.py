"""The beginning of a connection: who it is, and the variables, before anything is spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi.exceptions import AGIProtocolError

if TYPE_CHECKING:
    from pystrix_typed.agi.limits import Limits
    from pystrix_typed.agi.observing import Peer

__all__ = ["Handshake"]

_FIRST = b"agi_"


class Handshake:
    """Collects what a peer sends until its variables are there.

    Attributes:
        peer: The other end: once a PROXY header has come, the one that it names.
        received: The variables, the empty line that ends them, and whatever came with it.
        begun: Whether the peer has sent anything.
    """

    __slots__ = ("_limits", "_seen", "begun", "peer", "received")

    def __init__(self, peer: Peer, limits: Limits) -> None:
        self.peer = peer
        self.received = bytearray()
        self.begun = False
        self._limits = limits
        self._seen = 0

    def feed(self, data: bytes) -> bool:
        """Take some bytes; tell whether the variables are there.

        Raises:
            AGIProtocolError: The peer does not speak AGI, or sends too much.
            PermissionError: The peer that a PROXY header names is not an allowed one.
        """
        self.begun = True
        received = self.received
        received += data
        if received.startswith(b"\n"):
            return True
        if not _FIRST.startswith(received[:4]):
            raise AGIProtocolError("the peer does not speak AGI")
        end = received.find(b"\n\n", max(self._seen - 1, 0))
        self._seen = len(received)
        if (self._seen if end < 0 else end) > self._limits.max_environment:
            raise AGIProtocolError(
                f"the variables at the start exceed {self._limits.max_environment} bytes"
            )
        return end >= 0
