"""The PROXY protocol: both versions, whole and in pieces, and what is none."""

from __future__ import annotations

import ipaddress
import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystrix_typed.agi.observing import Peer
from pystrix_typed.agi.proxy import Header, read_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def binary(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def addresses(source: str, destination: str, ports: tuple[int, int]) -> bytes:
    packed = [ipaddress.ip_address(each).packed for each in (source, destination)]
    return b"".join(packed) + struct.pack("!HH", *ports)


HEADERS = [
    (
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 4573\r\n",
        Peer("192.0.2.7", 40000),
        Peer("198.51.100.1", 4573),
    ),
    (
        b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 4573\r\n",
        Peer("2001:db8::7", 40000),
        Peer("2001:db8::1", 4573),
    ),
    # A balancer that listens for both kinds tells an IPv4 address within IPv6.
    (
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 40000 4573\r\n",
        Peer("192.0.2.7", 40000),
        Peer("198.51.100.1", 4573),
    ),
    (
        binary(0x21, 0x21, addresses("::ffff:192.0.2.7", "2001:db8::1", (40000, 4573))),
        Peer("192.0.2.7", 40000),
        Peer("2001:db8::1", 4573),
    ),
    (b"PROXY UNKNOWN\r\n", None, None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None, None),
    (
        binary(0x21, 0x11, addresses("192.0.2.7", "198.51.100.1", (40000, 4573))),
        Peer("192.0.2.7", 40000),
        Peer("198.51.100.1", 4573),
    ),
    (
        binary(0x21, 0x21, addresses("2001:db8::7", "2001:db8::1", (40000, 4573))),
        Peer("2001:db8::7", 40000),
        Peer("2001:db8::1", 4573),
    ),
    # Extensions behind the addresses.
    (
        binary(0x21, 0x11, addresses("192.0.2.7", "198.51.100.1", (1, 2)) + b"\x04\x00\x01x"),
        Peer("192.0.2.7", 1),
        Peer("198.51.100.1", 2),
    ),
    (binary(0x20, 0x00, b""), None, None),  # the balancer itself
    (binary(0x20, 0x11, addresses("192.0.2.7", "198.51.100.1", (1, 2))), None, None),
    (binary(0x21, 0x31, bytes(216)), None, None),  # Unix sockets
    (binary(0x21, 0x00, b""), None, None),
]


@pytest.mark.parametrize(("header", "source", "destination"), HEADERS)
def test_a_header_is_read_with_whatever_follows(
    header: bytes, source: Peer | None, destination: Peer | None
) -> None:
    expected = Header(source, destination, len(header))
    assert read_header(header) == expected
    assert read_header(header + b"agi_network: yes\n") == expected
    for end in range(len(header)):
        assert read_header(header[:end]) is None


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"agi_network: yes\n", "does not begin"),
        (b"PROXX ", "does not begin"),
        (b"proxy TCP4", "does not begin"),
        (b"\r\n\r\n\x00\r\nQUIZ\n", "does not begin"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n", "malformed"),
        (b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n", "malformed"),
        (b"PROXY \r\n", "malformed"),
        (b"PROXY TCP4 2001:db8::7 198.51.100.1 1 2\r\n", "2001:db8::7"),
        (b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "zone"),
        (b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n", "192.0.2.07"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n", "no port"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", "no port"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n", "no port"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1  2\r\n", "no port"),
        (b"PROXY TCP4 \xff 198.51.100.1 1 2\r\n", "not ASCII"),
        (b"PROXY UNKNOWN " + b"x" * 107, "no end"),
        (binary(0x11, 0x11, bytes(12)), "0x11"),
        (binary(0x22, 0x11, bytes(12)), "0x22"),
        (binary(0x21, 0x11, bytes(11)), "too short"),
        (binary(0x21, 0x21, bytes(35)), "too short"),
        (SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 65_535), "longer"),
    ],
)
def test_what_is_no_header_is_refused(header: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_header(header)


@given(st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE]))
def test_nothing_else_comes_of_garbage(tail: bytes, start: bytes) -> None:
    buffer = start + tail
    try:
        header = read_header(buffer)
    except ValueError:
        return
    assert header is None or 0 < header.size <= len(buffer)


PORTS = st.integers(0, 65_535)


class Told(NamedTuple):
    """A header, and what it says."""

    data: bytes
    source: Peer | None
    destination: Peer | None


@st.composite
def headers(draw: st.DrawFn) -> Told:
    """Make any header that a balancer may send."""
    version = draw(st.sampled_from([4, 6]))
    kind = st.ip_addresses(v=4) if version == 4 else st.ip_addresses(v=6)
    first, second = (Peer(str(draw(kind)), draw(PORTS)) for _ in range(2))
    ends = addresses(first.host, second.host, (first.port, second.port))
    extensions = draw(st.binary(max_size=200))
    match draw(st.sampled_from(["text", "binary", "local", "unknown", "other"])):
        case "text":
            words = ("PROXY", f"TCP{version}", first.host, second.host, first.port, second.port)
            return Told(" ".join(map(str, words)).encode() + b"\r\n", first, second)
        case "binary":
            family = 0x11 if version == 4 else 0x21
            return Told(binary(0x21, family, ends + extensions), first, second)
        case "local":  # whatever it names is to be ignored
            return Told(binary(0x20, draw(st.integers(0, 255)), extensions), None, None)
        case "unknown":
            rest = draw(st.binary(max_size=80)).hex()[:80].encode()
            return Told(b"PROXY UNKNOWN " + rest + b"\r\n", None, None)
        case _:
            family = draw(st.integers(0, 255).filter(lambda each: each not in {0x11, 0x21}))
            return Told(binary(0x21, family, extensions), None, None)


@given(headers(), st.binary(max_size=50))
def test_any_header_is_read_at_its_last_byte_and_not_before(told: Told, after: bytes) -> None:
    data = told.data
    for end in range(len(data)):
        assert read_header(data[:end]) is None
    expected = Header(told.source, told.destination, len(data))
    assert read_header(data + after) == expected


@given(headers(), st.data())
def test_a_broken_header_is_refused_or_another_one(told: Told, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(told.data) - 1))
    broken = bytearray(told.data)
    broken[place] ^= data.draw(st.integers(1, 255))
    try:
        header = read_header(bytes(broken))
    except ValueError:
        return
    # Nothing outside of it counts, and it says where it ends.
    if header is not None:
        assert read_header(bytes(broken[: header.size])) == header
        assert header.size <= len(broken)


@given(st.integers(0, 4096), st.binary(max_size=20))
def test_the_longest_header_is_bounded(length: int, start: bytes) -> None:
    """A server waits for 4,112 bytes at most, and for 107 of version 1."""
    head = SIGNATURE + struct.pack("!BBH", 0x20, 0, length)
    assert read_header(head + bytes(length)) == Header(None, None, 16 + length)
    with pytest.raises(ValueError, match="longer"):
        read_header(SIGNATURE + struct.pack("!BBH", 0x20, 0, 4097 + length))
    text = b"PROXY " + start.replace(b"\n", b"") + b"x" * 107
    with pytest.raises(ValueError, match="no end"):
        read_header(text)
