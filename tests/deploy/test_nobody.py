"""What Asterisk makes of it when there is no server for a call: docs/guides/deployment.md says it.

AGISTATUS alone does not tell: a connection that just ends is a success, and so is a network that
cannot be reached.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from .fleet import Fleet
from .machines import Balancer, NameServer, Network

if TYPE_CHECKING:
    from tests.asterisk.exchange import Exchange


def status(exchange: Exchange, url: str) -> str:
    """Place a call, and give its AGISTATUS."""
    fleet = Fleet(exchange, url)
    fleet.place(1)
    fleet.wait()
    return fleet.lost()["0001"].removeprefix("no server: ")


def test_a_balancer_without_servers(network: Network, exchange: Exchange) -> None:
    with Balancer(network).start("DOWN") as balancer:
        assert status(exchange, f"agi://{balancer.address}/hold") == "SUCCESS"


def test_a_port_that_nobody_listens_at(network: Network, exchange: Exchange) -> None:
    assert status(exchange, f"agi://{network.address(11)}/hold") == "FAILURE"


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
