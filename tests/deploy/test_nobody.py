"""What Asterisk makes of it when there is no server for a call: docs/guides/deployment.md says it.

AGISTATUS alone does not tell: a connection that just ends is a success.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

import pytest

from .fleet import Fleet
from .machines import Balancer, NameServer, Network, Server

if TYPE_CHECKING:
    from tests.asterisk.exchange import Exchange


#: An address that connecting to fails with at once: "network is unreachable".
NOWHERE = "224.0.0.1"


class Silent:
    """A port that answers nothing, as that of a machine that is off: its queue is full."""

    def __init__(self, address: str) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, 4573))
        self._listener.listen(0)
        self._fill: list[socket.socket] = []

    def __enter__(self) -> Self:
        # The system takes one or two, and from then on drops what asks to connect.
        for _ in range(4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(self._listener.getsockname())
            self._fill.append(caller)
        return self

    def __exit__(self, *_details: object) -> None:
        for each in (*self._fill, self._listener):
            each.close()


def status(exchange: Exchange, url: str) -> str:
    """Place a call, and give its AGISTATUS."""
    fleet = Fleet(exchange, url)
    fleet.place(1)
    fleet.wait()
    return fleet.lost()["0001"].removeprefix("no server: ")


def served(exchange: Exchange, url: str) -> None:
    """Place some calls, and see that the second server takes them."""
    fleet = Fleet(exchange, url)
    fleet.place(10)
    fleet.wait_for(10)
    fleet.release()
    fleet.wait()
    assert fleet.lost() == {}
    assert {each.server for each in fleet.served().values()} == {"two"}


def test_a_balancer_without_servers(network: Network, exchange: Exchange) -> None:
    with Balancer(network).start("DOWN") as balancer:
        assert status(exchange, f"agi://{balancer.address}/hold") == "SUCCESS"


def test_a_port_that_nobody_listens_at(network: Network, exchange: Exchange) -> None:
    assert status(exchange, f"agi://{network.address(11)}/hold") == "FAILURE"


def test_a_network_that_cannot_be_reached(exchange: Exchange) -> None:
    assert status(exchange, f"agi://{NOWHERE}/hold") == "FAILURE"


def test_a_name_whose_first_server_cannot_be_reached(network: Network, exchange: Exchange) -> None:
    records = (
        "srv-host=_agi._tcp.far.example,nowhere.example,4573,1,0",
        "srv-host=_agi._tcp.far.example,two.calls.example,4573,2,0",
        f"host-record=nowhere.example,{NOWHERE}",
    )
    two = Server(network, "two", 12, "asynchronous")
    with NameServer(network, *records).start(), two.start():
        served(exchange, "hagi://far.example/hold")


def test_a_machine_that_is_silent(network: Network, exchange: Exchange) -> None:
    """Two seconds later the next one is asked."""
    two = Server(network, "two", 12, "asynchronous")
    with Silent(network.address(11)), NameServer(network).start(), two.start():
        served(exchange, "hagi://calls.example/hold")


@pytest.mark.parametrize("name", ["calls.example", "other.example"])
def test_a_name_without_servers(network: Network, exchange: Exchange, name: str) -> None:
    """The servers are dead, or there are no records."""
    with NameServer(network).start():
        assert status(exchange, f"hagi://{name}/hold") == "FAILURE"


def test_a_name_without_a_name_server(exchange: Exchange) -> None:
    assert status(exchange, "hagi://calls.example/hold") == "FAILURE"


def test_a_server_that_accepts_and_closes(network: Network, exchange: Exchange) -> None:
    with socket.create_server((network.address(11), 4573)) as listener:
        fleet = Fleet(exchange, f"agi://{network.address(11)}/hold")
        fleet.place(1)
        listener.settimeout(10)
        listener.accept()[0].close()
        fleet.wait()
    assert fleet.lost() == {"0001": "no server: SUCCESS"}
