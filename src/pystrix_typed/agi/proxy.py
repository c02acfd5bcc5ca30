"""The PROXY protocol, versions 1 and 2: a balancer's word on who really connects.

A balancer (HAProxy's ``send-proxy`` or ``send-proxy-v2``) puts a header in front of the connection
that it passes on. The text of version 1 is ``PROXY TCP4 <source> <destination> <ports>``; version 2
is binary. Specification: ``doc/proxy-protocol.txt`` of HAProxy.

Whoever may send such a header may claim to be anybody, so a server reads it from known proxies
only, and from those always: guessing would let a peer choose.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

from pystrix_typed.agi.observing import Peer

__all__ = ["Header", "read_header"]

_V1 = b"PROXY "
#: The longest line of version 1, line end included.
_V1_LIMIT = 107
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
#: What stands before the addresses of version 2.
_V2_FIXED = 16
#: Bytes that version 2 may take behind that: addresses and extensions. The format allows 65,535.
_V2_LIMIT = 4096
_LOCAL, _PROXY = 0x20, 0x21
#: By family and transport: the type of an address and its size.
_FAMILIES = {
    0x11: (ipaddress.IPv4Address, 4),
    0x21: (ipaddress.IPv6Address, 16),
}


class Header(NamedTuple):
    """What a balancer tells.

    Attributes:
        source: Who connected to it; None when it speaks for itself (a health check), or of a
            connection that is not TCP.
        destination: Where that one connected to.
        size: Bytes of the header.
    """

    source: Peer | None
    destination: Peer | None
    size: int


def read_header(buffer: bytes) -> Header | None:
    """Read the header that begins a connection; None while there is more of it to come.

    Raises:
        ValueError: It is none.
    """
    start = buffer[: len(_V2)]
    if _V2.startswith(start):
        return _binary(buffer) if len(start) == len(_V2) else None
    if _V1.startswith(buffer[: len(_V1)]):
        return _text(buffer)
    raise ValueError("the connection does not begin with a PROXY header")


def _text(buffer: bytes) -> Header | None:
    end = buffer.find(b"\r\n", 0, _V1_LIMIT)
    if end < 0:
        if len(buffer) >= _V1_LIMIT:
            raise ValueError(f"a PROXY line has no end within {_V1_LIMIT} bytes")
        return None
    size = end + 2
    try:
        words = buffer[:end].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise ValueError("a PROXY line is not ASCII") from None
    if words[1] == "UNKNOWN":
        return Header(None, None, size)
    kinds = {"TCP4": ipaddress.IPv4Address, "TCP6": ipaddress.IPv6Address}
    if len(words) != 6 or words[1] not in kinds:
        raise ValueError(f"a PROXY line is malformed: {buffer[:end]!r}")
    kind = kinds[words[1]]
    if b"%" in buffer[:end]:  # ipaddress takes any text behind it as the name of an interface
        raise ValueError(f"a PROXY line has an address with a zone: {buffer[:end]!r}")
    hosts = [_host(kind(word)) for word in words[2:4]]  # what is none raises a ValueError
    ports = [_port(word) for word in words[4:6]]
    return Header(Peer(hosts[0], ports[0]), Peer(hosts[1], ports[1]), size)


def _host(address: object) -> str:
    """Give an address as text; one of IPv4 as such, however the balancer listens."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _port(word: str) -> int:
    if not word.isdecimal() or len(word) > 5 or int(word) > 65_535 or (word[0] == "0" != word):
        raise ValueError(f"{word!r} is no port")
    return int(word)


def _binary(buffer: bytes) -> Header | None:
    if len(buffer) < _V2_FIXED:
        return None
    command, family, length = struct.unpack_from("!BBH", buffer, len(_V2))
    if command not in (_LOCAL, _PROXY):
        raise ValueError(f"a PROXY header has the unknown version and command 0x{command:02x}")
    if length > _V2_LIMIT:
        raise ValueError(f"a PROXY header of {length} bytes is longer than {_V2_LIMIT}")
    size = _V2_FIXED + length
    if len(buffer) < size:
        return None
    if command == _LOCAL or family not in _FAMILIES:
        return Header(None, None, size)
    kind, width = _FAMILIES[family]
    if length < 2 * width + 4:
        raise ValueError(f"a PROXY header of {length} bytes is too short for its addresses")
    first = _V2_FIXED + width
    source = kind(buffer[_V2_FIXED:first])
    destination = kind(buffer[first : first + width])
    source_port, destination_port = struct.unpack_from("!HH", buffer, first + width)
    peers = Peer(_host(source), source_port), Peer(_host(destination), destination_port)
    return Header(*peers, size)
