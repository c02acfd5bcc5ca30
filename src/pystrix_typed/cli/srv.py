"""Asking a name server for SRV records, which Asterisk does for ``hagi://`` and Python cannot."""

from __future__ import annotations

import secrets
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Service", "nameservers", "services"]

_SRV, _IN = 33, 1
_RECURSE = 0x0100
_TRUNCATED = 0x0200
_NO_SUCH_NAME = 3
_HEADER = struct.Struct("!6H")
_PATIENCE = 3.0
_POINTER = 0xC0


class Service(NamedTuple):
    """One SRV record; the lowest priority comes first."""

    priority: int
    weight: int
    port: int
    host: str


def nameservers(file: str = "/etc/resolv.conf") -> list[str]:
    """Give the name servers of this machine."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [each[1] for each in words if len(each) > 1 and each[0] == "nameserver"]


def services(name: str, server: str, port: int = 53) -> list[Service]:
    """Ask a name server for the SRV records of a name, in the order in which they are tried.

    Raises:
        OSError: It does not answer.
        ValueError: The name cannot be one, or the answer is none.
    """
    number = secrets.randbelow(0x10000)
    question = _written(name) + struct.pack("!2H", _SRV, _IN)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect((server, port))
        connection.send(_HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + question)
        while True:
            answer = connection.recv(65535)
            if answer[:2] == number.to_bytes(2, "big"):
                return sorted(_records(answer))


def _written(name: str) -> bytes:
    try:
        labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    except UnicodeError:
        labels = [b""]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is no host name")
    return b"".join([bytes([len(label)]) + label for label in labels]) + b"\0"


def _records(answer: bytes) -> Iterator[Service]:
    try:
        _, flags, questions, answers, _, _ = _HEADER.unpack_from(answer)
        if flags & 15 not in {0, _NO_SUCH_NAME}:
            raise ValueError(f"the name server refuses, with code {flags & 15}")
        if flags & _TRUNCATED and not answers:
            raise ValueError("the name server's answer does not fit into one packet")
        at = _HEADER.size
        for _ in range(questions):
            at = _name(answer, at)[1] + 4
        for _ in range(answers):
            at = _name(answer, at)[1]
            kind, _, _, length = struct.unpack_from("!2HIH", answer, at)
            at += 10
            if kind == _SRV:
                priority, weight, port = struct.unpack_from("!3H", answer, at)
                yield Service(priority, weight, port, _name(answer, at + 6)[0])
            at += length
    except (IndexError, struct.error):
        raise ValueError("the name server's answer cannot be read") from None


def _name(answer: bytes, at: int) -> tuple[str, int]:
    """Give a name, and where it ends; it may go on elsewhere, and elsewhere again."""
    labels: list[str] = []
    end = 0
    for _ in range(128):
        size = answer[at]
        if size >= _POINTER:
            end = end or at + 2
            at = (size - _POINTER) * 256 + answer[at + 1]
        elif size:
            labels.append(answer[at + 1 : at + 1 + size].decode("ascii", "replace"))
            at += 1 + size
        else:
            return ".".join(labels), end or at + 1
    raise ValueError("the name server's answer goes in a circle")
