"""SRV records: what is asked, what is made of the answers, and what `doctor` says of them."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli import doctor_server, srv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def name(text: str) -> bytes:
    return b"".join([bytes([len(label)]) + label.encode() for label in text.split(".")]) + b"\0"


def record(priority: int, weight: int, port: int, host: bytes, kind: int = 33) -> bytes:
    data = struct.pack("!3H", priority, weight, port) + host
    # Its name is the question's, which stands at 12.
    return b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, len(data)) + data


def nameserver(answer: Callable[[bytes], bytes]) -> tuple[socket.socket, int]:
    """Make a name server for one question."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        question, peer = server.recvfrom(512)
        server.sendto(b"\0\0" if question[:2] != b"\0\0" else b"\1\1", peer)  # somebody else's
        server.sendto(answer(question), peer)

    threading.Thread(target=serve, daemon=True).start()
    return server, server.getsockname()[1]


def answering(*records: bytes, code: int = 0) -> Callable[[bytes], bytes]:
    def answer(question: bytes) -> bytes:
        assert question[12:] == name("_agi._tcp.calls.example") + b"\0\x21\0\1"
        header = question[:2] + struct.pack("!5H", 0x8180 | code, 1, len(records), 0, 0)
        return header + question[12:] + b"".join(records)

    return answer


def ask(answer: Callable[[bytes], bytes]) -> list[srv.Service]:
    server, port = nameserver(answer)
    with server:
        return srv.services("_agi._tcp.calls.example", "127.0.0.1", port)


def test_records_come_in_the_order_in_which_they_are_tried() -> None:
    # `two` goes on where `calls.example` stands in the question.
    far, near = record(20, 1, 4574, name("one.example")), record(10, 5, 4573, b"\3two\xc0\x16")
    alias = record(0, 0, 0, b"\0", kind=5)
    assert ask(answering(far, alias, near)) == [
        srv.Service(10, 5, 4573, "two.calls.example"),
        srv.Service(20, 1, 4574, "one.example"),
    ]


@pytest.mark.parametrize("code", [0, 3])
def test_there_are_none(code: int) -> None:
    assert ask(answering(code=code)) == []


def short(question: bytes) -> bytes:
    return question[:2] + b"\x81\x80"


def circular(question: bytes) -> bytes:
    return question[:2] + b"\x81\x80\0\1\0\0\0\0\0\0\xc0\x0c"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answering(code=5), "refuses, with code 5"),
        (short, "cannot be read"),
        (answering(record(1, 1, 1, b"\xc0\x0c"), b"\xc0"), "cannot be read"),
        (circular, "circle"),
    ],
)
def test_answers_that_are_none(answer: Callable[[bytes], bytes], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ask(answer)


@pytest.mark.parametrize("text", ["", "a..b", "x" * 64])
def test_a_name_that_cannot_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="no host name"):
        srv.services(text, "127.0.0.1", 9)


def test_the_name_servers_are_those_of_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# nameserver 9.9.9.9\nsearch example\nnameserver 192.0.2.1\nnameserver\n")
    assert srv.nameservers(str(file)) == ["192.0.2.1"]
    assert srv.nameservers(str(tmp_path / "none")) == []


def test_doctor_calls_where_the_records_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        asked: list[tuple[str, str]] = []

        def services(name: str, server: str) -> list[srv.Service]:
            asked.append((name, server))
            return [srv.Service(1, 1, port, "127.0.0.1")]

        monkeypatch.setattr(srv, "services", services)
        monkeypatch.setattr(srv, "nameservers", lambda: ["192.0.2.1"])
        found = doctor_server.examine("hagi://calls.example/ivr")
    assert asked == [("_agi._tcp.calls.example", "192.0.2.1")]
    assert [each.status for each in found] == ["ok", "problem"]
    assert f"127.0.0.1:{port}" in found[1].text


@pytest.mark.parametrize("records", [None, []])
def test_doctor_says_that_there_are_none(
    records: list[srv.Service] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(srv, "nameservers", lambda: [] if records is None else ["192.0.2.1"])

    def services(name: str, server: str) -> list[srv.Service] | None:
        return records

    monkeypatch.setattr(srv, "services", services)
    [found] = doctor_server.examine("hagi://calls.example/ivr")
    assert (found.about, found.status) == ("names", "problem")


def test_a_port_asks_for_no_records() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = doctor_server.examine(f"hagi://127.0.0.1:{taken.getsockname()[1]}/ivr")
    assert [each.status for each in found] == ["warning", "problem"]
