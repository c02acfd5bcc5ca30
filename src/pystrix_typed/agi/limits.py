"""What a server lets its peers take: calls, time and bytes."""

from __future__ import annotations

import ipaddress
import math
import socket
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    #: An address or a network: ``"192.0.2.7"``, ``"10.0.0.0/8"``, or what `ipaddress` makes of it.
    NetworkLike: TypeAlias = str | ipaddress.IPv4Network | ipaddress.IPv6Network

__all__ = ["Limits", "Network", "networks"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Limits:
    """What peers may take. Each is an option of the servers, too.

    Attributes:
        max_calls: Calls that are served at a time.
        queue: Calls beyond them that are accepted and wait for their turn. Beyond these the server
            is full: it stops listening, so that the peer's connect fails, which is what makes
            Asterisk's ``hagi://`` try the next server.
        max_handshakes: Connections at a time that have not sent their variables yet; the oldest
            gives way to the next.
        handshake_timeout: Seconds for sending them; None for as long as it takes.
        max_environment: Bytes that they may take.
        max_reply: Bytes that one reply may take.
        idle_timeout: Seconds between two commands after which the server ends the call: its
            handler has forgotten it. None: never. A command under way is not idle.
        command_timeout: Seconds until a command is abandoned, unless `execute` says otherwise.
            None, because EXEC Dial lasts as long as people talk.
        keepalive: Seconds of silence, 32,767 at most, after which TCP asks whether the peer is
            still there; three unanswered questions later the connection is lost. 0 or None: never.
            What was sent and is not taken in that time, by a peer that is gone or never reads, ends
            it as well (Linux).
        backlog: Connections that the system completes before the server accepts them.
        allowed_networks: Who may connect; empty for everyone. Anyone else is turned away before
            anything is read.
        proxies: Balancers whose connections begin with a PROXY protocol header (version 1 or 2)
            that tells the real peer, whom `allowed_networks` is then about. To others such a header
            is not AGI.
    """

    max_calls: int = 1000
    queue: int = 0
    max_handshakes: int = 1000
    handshake_timeout: float | None = 10.0
    max_environment: int = 65_536
    max_reply: int = 1_048_576
    idle_timeout: float | None = 3600.0
    command_timeout: float | None = None
    keepalive: float | None = 60.0
    backlog: int = 1024
    allowed_networks: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _NETWORKS:
                if not isinstance(value, tuple):
                    raise TypeError(f"{field.name} must be a tuple of networks, not {value!r}")
            elif field.name in _COUNTS:
                least = _COUNTS[field.name]
                if isinstance(value, bool) or not isinstance(value, int):
                    raise TypeError(f"{field.name} must be an int, not {value!r}")
                if value < least:
                    raise ValueError(f"{field.name} must be at least {least}, not {value}")
                if field.name == "backlog" and value > _LONGEST_BACKLOG:
                    raise ValueError(f"backlog must be at most {_LONGEST_BACKLOG}, not {value}")
            elif value is not None:
                if isinstance(value, bool) or not isinstance(value, (int, float)):
                    raise TypeError(f"{field.name} must be seconds or None, not {value!r}")
                enough = value >= 0 if field.name == "keepalive" else value > 0
                if not enough or math.isinf(value):
                    raise ValueError(
                        f"{field.name} must be a positive number of seconds, not {value!r}; None "
                        f"is for none"
                    )
                if field.name == "keepalive" and value > _LONGEST_SILENCE:
                    raise ValueError(
                        f"keepalive must be at most {_LONGEST_SILENCE} seconds, not {value!r}"
                    )

    @property
    def accepted(self) -> int:
        """How many calls are accepted before the server is full."""
        return self.max_calls + self.queue

    def allows(self, host: str) -> bool:
        """Tell whether a peer may call."""
        return not self.allowed_networks or _among(host, self.allowed_networks)

    def admits(self, host: str) -> bool:
        """Tell whether a peer may connect: to call, or to tell who does."""
        return self.allows(host) or self.is_proxy(host)

    def is_proxy(self, host: str) -> bool:
        """Tell whether a peer's connections begin with a PROXY header."""
        return bool(self.proxies) and _among(host, self.proxies)

    def prepare(self, connection: socket.socket) -> None:
        """Set the options of a connection: no waiting for more to send, and keepalive.

        Raises:
            OSError: The peer is gone already.
        """
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return  # a Unix socket: its other end is this machine's, and gone when it is
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.keepalive:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        seconds = max(1, math.ceil(self.keepalive))
        interval = max(1, seconds // 4)
        # Systems name the first one differently, and some have none of them.
        for name, value in (
            ("TCP_KEEPIDLE", seconds),
            ("TCP_KEEPALIVE", seconds),
            ("TCP_KEEPINTVL", interval),
            ("TCP_KEEPCNT", 3),
            # While something is on its way TCP asks nothing: it repeats for a quarter of an hour,
            # and waits for ever for a peer that has no room.
            ("TCP_USER_TIMEOUT", 1000 * (seconds + 3 * interval)),
        ):
            option = getattr(socket, name, None)
            if option is not None:
                connection.setsockopt(socket.IPPROTO_TCP, option, value)


#: Seconds that TCP lets one choose (Linux's MAX_TCP_KEEPIDLE): it refuses more.
_LONGEST_SILENCE = 32_767
_LONGEST_BACKLOG = 2**31 - 1
#: Bits in front of an IPv4 address within IPv6.
_MAPPED = 96
_OBJECTS = (
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
)
_NETWORKS = ("allowed_networks", "proxies")
_COUNTS = {
    "max_calls": 1,
    "queue": 0,
    "max_handshakes": 1,
    "max_environment": 1024,
    "max_reply": 1024,
    "backlog": 1,
}


def networks(values: Iterable[NetworkLike] | str) -> tuple[Network, ...]:
    """Give networks for what names them: texts such as ``"10.0.0.0/8"``, ``"::1"``.

    Raises:
        TypeError: It is nothing that could name one.
        ValueError: One is no network.
    """
    if isinstance(values, (str, *_OBJECTS)):
        values = [values]  # going through a network would give each of its addresses
    try:
        given = list(values)
    except TypeError:
        raise TypeError(f"networks must be a list of texts, not {values!r}") from None
    return tuple(_network(value) for value in given)


def _network(value: object) -> Network:
    # To `ipaddress` numbers and bytes are addresses, too: a misunderstanding, here.
    if not isinstance(value, (str, *_OBJECTS)):
        raise TypeError(f"a network must be a text such as '10.0.0.0/8', not {value!r}")
    try:
        found = ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no address and no network: {error}") from None
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is None or found.prefixlen < _MAPPED:
        return found
    # ::ffff:10.0.0.0/104 is 10.0.0.0/8, and peers are compared with that.
    return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED))


def _among(host: str, known: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # of a socket that listens for both kinds
    return any(address in network for network in known)
