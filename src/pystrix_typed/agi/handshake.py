"""The beginning of a connection: who it is, and the variables, before anything is spent on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pystrix_typed.agi.exceptions import AGIProtocolError
from pystrix_typed.agi.observing import Peer

if TYPE_CHECKING:
    from pystrix_typed.agi.limits import Limits

__all__ = ["FRESH", "Handshake", "peer_of"]

#: Seconds for which a connection that has sent nothing yet is taken for a call to come. A server
#: that shares its port with others leaves them the calls that it would not serve at once.
FRESH = 0.2

_FIRST = b"agi_"


def peer_of(name: object) -> Peer:
    """Give who is at the other end of a connection, by what the system calls it.

    Of a Unix socket that is a text, and of a connection that is gone already nothing. A socket that
    listens for both kinds has IPv4 addresses within IPv6.
    """
    if not isinstance(name, tuple) or not name:
        return Peer("", 0)
    host, port, *_ = cast("tuple[str, int]", name)
    return Peer(host.removeprefix("::ffff:") if "." in host else host, port)


class Handshake:
    """Collects what a peer sends until its variables are there.

    Attributes:
        peer: The other end: once a PROXY header has come, the one that it names.
        received: The variables, the empty line that ends them, and whatever came with it.
        begun: Whether the peer has sent anything.
    """

    __slots__ = ("_limits", "_proxied", "_seen", "begun", "peer", "received")

    def __init__(self, peer: Peer, limits: Limits) -> None:
        self.peer: Peer = peer
        self.received: bytearray = bytearray()
        self.begun: bool = False
        self._limits = limits
        self._proxied = limits.is_proxy(peer.host)
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
        if self._proxied and not self._take_header():
            return False
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

    def _take_header(self) -> bool:
        """Take the PROXY header off; False while there is more of it to come."""
        from pystrix_typed.agi.proxy import read_header

        try:
            header = read_header(bytes(self.received))
        except ValueError as error:
            raise AGIProtocolError(f"the proxy {self.peer} sent no PROXY header: {error}") from None
        if header is None:
            return False
        del self.received[: header.size]
        self._proxied = False
        if header.source is not None:
            self.peer = header.source
        # Without a source the proxy speaks for itself: it may tell who calls, but not call.
        if not self._limits.allows(self.peer.host):
            raise PermissionError(f"{self.peer} is not among the allowed networks")
        return bool(self.received)
