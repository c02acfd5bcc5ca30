"""Calls to a name: Asterisk finds the servers by their SRV records, and does the balancing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pystrix_typed.cli import doctor_server, srv

from .fleet import Fleet
from .machines import ASTERISK, NameServer, Network, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.asterisk.exchange import Exchange

CALLS = 200
PLACES = 30
URL = "hagi://calls.example/hold"


@pytest.fixture(autouse=True)
def names(network: Network) -> Iterator[NameServer]:
    """Give the name server."""
    with NameServer(network) as names:
        yield names.start()


def test_one_of_two_servers_is_dead_from_the_start(network: Network, exchange: Exchange) -> None:
    with Server(network, "two", 12, "asynchronous").start():
        fleet = Fleet(exchange, URL)
        fleet.place(CALLS)
        fleet.wait_for(CALLS)
        assert fleet.under_way == CALLS
        fleet.release()
        fleet.wait()
    assert fleet.lost() == {}
    assert {(each.server, each.host) for each in fleet.served().values()} == {("two", ASTERISK)}


def test_one_of_two_servers_is_full(network: Network, exchange: Exchange) -> None:
    """It has stopped listening, so that Asterisk goes on to the other one."""
    one = Server(network, "one", 11, "blocking", "--max-calls", str(PLACES))
    two = Server(network, "two", 12, "asynchronous")
    with one.start(), two.start():
        first = Fleet(exchange, f"agi://{one.address}/hold")
        first.place(PLACES)
        first.wait_for(PLACES)
        one.expect(lambda: one.readiness() == 503, 5, "its readiness to go down")
        fleet = Fleet(exchange, URL)
        fleet.place(CALLS - PLACES)
        fleet.wait_for(CALLS - PLACES)
        assert first.under_way + fleet.under_way == CALLS
        first.release()
        fleet.release()
        first.wait()
        fleet.wait()
    assert (first.lost(), fleet.lost()) == ({}, {})
    assert {each.server for each in first.served().values()} == {"one"}
    assert {each.server for each in fleet.served().values()} == {"two"}


def test_one_of_two_servers_is_drained(network: Network, exchange: Exchange) -> None:
    """A server that stops does not listen any more, which is all that Asterisk needs to know."""
    one = Server(network, "one", 11, "blocking", "--workers", "2")
    two = Server(network, "two", 12, "asynchronous", "--workers", "2")
    with one.start(), two.start():
        fleet = Fleet(exchange, URL)
        fleet.place(CALLS // 2)
        fleet.wait_for(CALLS // 2)
        one.drain()
        fleet.place(CALLS - CALLS // 2)
        fleet.wait_for(CALLS)
        assert fleet.under_way == CALLS
        fleet.release()
        assert one.wait(60) == 0
        fleet.wait()
    assert fleet.lost() == {}
    # The records have equal weights, and chance chooses.
    assert 0 < [each.server for each in fleet.served().values()].count("one") < CALLS // 2


def test_doctor_asks_for_the_records_that_asterisk_asks_for(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = srv.services("_agi._tcp.calls.example", names.address)
    assert found == [
        srv.Service(10, 50, 4573, "one.calls.example"),
        srv.Service(10, 50, 4573, "two.calls.example"),
    ]
    monkeypatch.setattr(srv, "nameservers", lambda: [names.address])
    # Only the name server knows these names, not this machine.
    first, *others = doctor_server.examine(URL)
    assert (first.about, first.status) == ("names", "ok")
    assert first.text.endswith("leads to one.calls.example:4573, two.calls.example:4573")
    assert ["has no address" in each.text for each in others] == [True, True]
