"""Calls through HAProxy to two servers, one of which is stopped under way."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from .fleet import Fleet
from .machines import ASTERISK, Balancer, Network, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.asterisk.exchange import Exchange

CALLS = 200


@pytest.fixture
def servers(network: Network) -> Iterator[tuple[Server, Server]]:
    """Give two servers, a blocking one and one of asyncio, with two workers each."""
    options = ("--workers", "2", "--proxy", f"{network.address(1)}/32")
    one = Server(network, "one", 11, "blocking", *options)
    two = Server(network, "two", 12, "asynchronous", *options)
    with one.start(), two.start():
        yield one, two


@pytest.fixture
def balancer(network: Network, servers: tuple[Server, Server]) -> Iterator[Balancer]:
    """Give HAProxy in front of them."""
    with Balancer(network) as balancer:
        yield balancer.start()


@pytest.mark.parametrize("told", [True, False], ids=["told", "not-told"])
def test_one_of_two_servers_is_drained_under_200_calls(
    exchange: Exchange, servers: tuple[Server, Server], balancer: Balancer, told: bool
) -> None:
    """With the balancer told first, and with it finding out by itself."""
    one, _ = servers
    fleet = Fleet(exchange, f"agi://{balancer.address}/hold")
    fleet.place(CALLS * 3 // 5)
    fleet.wait_for(CALLS * 3 // 5)
    before = {call for call, served in fleet.served().items() if served.server == "one"}
    if told:
        balancer.ask("set server servers/one state drain")
    one.drain()
    fleet.place(CALLS - CALLS * 3 // 5)
    fleet.wait_for(CALLS)
    assert fleet.under_way == CALLS
    one.expect(lambda: one.readiness() == 503, 5, "its readiness to go down")
    fleet.release()
    assert one.wait(60) == 0
    fleet.wait()
    assert fleet.lost() == {}
    served = fleet.served()
    # The balancer had shared the calls out, and what came later went to the other server.
    assert len(before) == CALLS * 3 // 10
    assert {call for call, each in served.items() if each.server == "one"} == before
    # The servers have seen Asterisk, and not the balancer, with a port of its own for each call.
    assert {each.host for each in served.values()} == {ASTERISK}
    assert len({each.port for each in served.values()}) == CALLS
    if not told:
        balancer.expect(lambda: balancer.servers()["one"].status == "DOWN", 10, "it to notice")


@pytest.mark.parametrize("which", ["balancer", "servers"])
def test_a_reload_under_200_calls(
    exchange: Exchange, servers: tuple[Server, Server], balancer: Balancer, which: str
) -> None:
    """HAProxy keeps its old process, and the servers their old workers, until the calls end."""
    fleet = Fleet(exchange, f"agi://{balancer.address}/hold")
    fleet.place(CALLS // 2)
    fleet.wait_for(CALLS // 2)
    if which == "balancer":
        balancer.signal(signal.SIGUSR2)
    else:
        for server in servers:
            server.signal(signal.SIGHUP)
    # While it happens.
    fleet.place(CALLS - CALLS // 2)
    fleet.wait_for(CALLS)
    assert fleet.under_way == CALLS
    if which == "balancer":
        balancer.expect(lambda: balancer.log().count("Loading success") == 2, 10, "it to reload")
    else:
        for server in servers:
            server.expect(server.restarted, 20, "new workers")
    fleet.release()
    fleet.wait()
    assert fleet.lost() == {}
