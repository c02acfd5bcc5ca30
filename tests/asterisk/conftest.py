"""Fixtures for calls through a real Asterisk.

`exchange` comes once per release and lives for the whole run, `latest` is the newest one, whose
Python can run AGI scripts. Without a provisioned Asterisk the tests skip and say how to get it;
with ``PYSTRIX_TYPED_REQUIRE_ASTERISK=1`` the required release must be there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from . import matrices
from .exchange import Exchange
from .fastagi import Listener
from .isolation import why_not_possible
from .near import Near, Transport
from .provision import RELEASES, Release, installed_version
from .recorder import OPTION, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ..transcript import Take

HERE = Path(__file__).parent
REQUIRE_VARIABLE = "PYSTRIX_TYPED_REQUIRE_ASTERISK"


class WorkerNode(Protocol):
    """What pytest-xdist tells about a worker that has ended."""

    config: pytest.Config


_used = pytest.StashKey[dict[Release, str]]()
_offsets = pytest.StashKey[dict[Exchange, int]]()
_recorder = pytest.StashKey[Recorder]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that refreshes the transcripts."""
    about = "write what the scenes show on real calls to tests/transcripts"
    parser.addoption(OPTION, action="store_true", help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and what collects the scenes' takes."""
    config.addinivalue_line("markers", "asterisk: puts calls through a real Asterisk (needs root)")
    config.stash[_used] = {}
    config.stash[_recorder] = Recorder(config)
    config.pluginmanager.register(config.stash[_recorder], "transcript-recorder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asterisk)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker of pytest-xdist used to the process that reports."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        used = session.config.stash[_used]
        output["asterisk"] = [(release.major, account) for release, account in used.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerNode) -> None:
    """Take over what a worker used."""
    output: dict[str, list[tuple[int, str]]] = getattr(node, "workeroutput", {})  # not if it died
    by_major = {release.major: release for release in RELEASES}
    for major, account in output.get("asterisk", []):
        node.config.stash[_used][by_major[major]] = account


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was crossed with what; name the versions that were used, and those missing."""
    matrices.write(terminalreporter)
    used = terminalreporter.config.stash[_used]
    if used:
        terminalreporter.section("Asterisk")
    for release, account in used.items():
        missing = not account[:1].isdigit()
        terminalreporter.line(f"Asterisk {release.major}: {account}", yellow=missing, bold=missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the exchange logged during a test to the report of its failure."""
    report = yield
    if report.failed and _offsets in item.stash:
        for exchange, offset in item.stash[_offsets].items():
            report.sections.append((f"Log of {exchange!r}", exchange.log(offset)))
    return report


def obstacle(release: Release) -> str | None:
    """Return one sentence on why a release cannot be used here, or None if it can."""
    reason = why_not_possible()
    if reason is not None:
        return f"A real Asterisk {reason}; see `python tests/asterisk/provision.py --help`."
    version = installed_version(release.root)
    if version is None:
        command = f"python tests/asterisk/provision.py {release.major}"
        return f"Asterisk {release.major} is not provisioned: run `{command}` as root."
    if not release.accepts(version):
        return f"{release.root} has Asterisk {version}, which is not {release.major}."
    return None


@pytest.fixture(scope="session")
def exchange_of(pytestconfig: pytest.Config) -> Iterator[Callable[[Release], Exchange]]:
    """Give the running exchange of a release, started when it is first asked for."""
    running: dict[Release, Exchange] = {}
    used = pytestconfig.stash[_used]

    def get(release: Release) -> Exchange:
        if release not in running:
            reason = obstacle(release)
            if reason is not None:
                used[release] = f"NOT TESTED. {reason}"
                if release.required and os.environ.get(REQUIRE_VARIABLE) == "1":
                    pytest.fail(f"{reason} ({REQUIRE_VARIABLE}=1)", pytrace=False)
                pytest.skip(reason)
            exchange = Exchange(release)
            exchange.start()
            running[release] = exchange
            used[release] = f"{exchange.version}, started in {exchange.start_seconds:.2f} s"
        return running[release]

    yield get
    for exchange in running.values():
        exchange.stop()


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: f"asterisk-{release.major}")
def exchange_of_session(
    request: pytest.FixtureRequest, exchange_of: Callable[[Release], Exchange]
) -> Exchange:
    """Give each release's exchange; tests take `exchange` instead."""
    release: Release = request.param
    return exchange_of(release)


@pytest.fixture
def exchange(request: pytest.FixtureRequest, exchange_of_session: Exchange) -> Exchange:
    """Give each release's exchange to the test, which runs once for each."""
    return _lent(exchange_of_session, request)


@pytest.fixture
def latest(request: pytest.FixtureRequest, exchange_of: Callable[[Release], Exchange]) -> Exchange:
    """Give the exchange whose Python is new enough to run AGI scripts."""
    release = next(release for release in RELEASES if release.has_python)
    return _lent(exchange_of(release), request)


@pytest.fixture
def seen_live(pytestconfig: pytest.Config) -> Callable[[Exchange, list[Take]], None]:
    """Give what keeps the takes of a scene that went well."""
    return pytestconfig.stash[_recorder].add


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Give a socket that awaits the exchange's connections; accepting and reading time out."""
    with Listener() as listening:
        yield listening


@pytest.fixture(
    params=[
        (release, transport)
        for release in RELEASES
        for transport in Transport
        if release.has_python or not transport.is_script
    ],
    ids=lambda pair: f"{pair[0].major}-{pair[1].value}",
)
def near(request: pytest.FixtureRequest, exchange_of: Callable[[Release], Exchange]) -> Near:
    """Give the near end of calls: FastAGI on each release, an AGI script on the newest."""
    release, transport = request.param
    return Near(_lent(exchange_of(release), request), transport)


def _lent(exchange: Exchange, request: pytest.FixtureRequest) -> Exchange:
    node: pytest.Item = request.node
    node.stash.setdefault(_offsets, {})[exchange] = exchange.log_size()
    return exchange
