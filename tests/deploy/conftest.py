"""Fixtures: a network on loopback, and an Asterisk in it.

Without HAProxy, dnsmasq or a provisioned Asterisk the tests skip, and say what is missing; with
``PYSTRIX_TYPED_REQUIRE_DEPLOY=1`` they fail.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.asterisk.conftest import obstacle
from tests.asterisk.exchange import Exchange
from tests.asterisk.provision import RELEASES

from .machines import Network
from .provision import absent

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIRE_VARIABLE = "PYSTRIX_TYPED_REQUIRE_DEPLOY"


def missing() -> str | None:
    """Tell in one sentence what keeps these tests from running, or None."""
    if sys.platform != "linux":
        return "These tests need Linux."
    for program in absent():
        return f"There is no {program}: run `python tests/deploy/provision.py` as root."
    return obstacle(RELEASES[0])


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """Give the network; its name server has the same address in every test."""
    reason = missing()
    if reason is not None:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"NOT TESTED. {reason} ({REQUIRE_VARIABLE}=1)", pytrace=False)
        pytest.skip(f"NOT TESTED. {reason}")
    # HAProxy's socket is there, and its path may have only 107 bytes wherever the checkout is.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Network(Path(folder))


@pytest.fixture(scope="session")
def exchange(network: Network) -> Iterator[Exchange]:
    """Give an Asterisk that asks the network's name server."""
    with Exchange(RELEASES[0], nameserver=network.address(53)) as exchange:
        yield exchange
