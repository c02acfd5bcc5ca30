"""What both servers promise: limits, states, ends, and what they tell of it."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import resource
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pystrix_typed import agi

from .stage import Peer, environment, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pystrix_typed.agi import Call, CommandEvent

pytestmark = pytest.mark.parametrize("kind", ["blocking", "asyncio"])


def refused(address: tuple[str, int]) -> bool:
    try:
        Peer(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_call_is_routed_and_told_of(kind: str) -> None:
    commands: list[tuple[str, str, str]] = []

    def note(call: Call, event: CommandEvent) -> None:
        commands.append((call.channel, event.action.command, event.outcome))

    with serving(kind, on_command=note) as staged, Peer(staged.address, "echo?n=2") as peer:
        for _ in range(2):
            assert peer.line() == b"NOOP\n"
            peer.send(b"200 result=0\n")
        assert peer.ends()
        [call] = staged.seen.wait("completed")
        assert (call.path, call.pattern, call.caller) == ("echo", "echo", "5550123")
        assert call.peer == peer.address
        assert 0 < call.duration < 10
        assert commands == [("PJSIP/alice-00000001", "NOOP", "done")] * 2
        names = [name for name, _ in staged.seen.events]
        assert names == ["serving", "connected", "started", "completed"]


def test_what_no_script_matches_ends(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(kind) as staged, Peer(staged.address, "echoes") as peer:
        assert peer.ends()
        staged.seen.wait("unrouted")
    assert "echoes: unrouted" in caplog.text


def test_a_failing_handler_ends_its_call_alone(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(kind) as staged, Peer(staged.address) as other:
        assert other.line() == b"WAIT FOR DIGIT 1000\n"
        with Peer(staged.address, "fail") as peer:
            assert peer.ends()
        [call] = staged.seen.wait("error")
        assert isinstance(call.error, ZeroDivisionError)
        other.send(b"200 result=0\n")
        assert other.line() == b"WAIT FOR DIGIT 1000\n"
    assert "on purpose" in caplog.text
    assert [record.call_id for record in caplog.records if record.exc_info] == [call.id]  # type: ignore[attr-defined]  # extra


def test_a_failure_can_become_a_place_in_the_dialplan(kind: str) -> None:
    told: list[str] = []

    def blocking(session: agi.FastAGI, request: agi.Request, error: Exception) -> None:
        told.append(f"{request.path}: {error}")
        session.execute(agi.core.SetContext("sorry"))

    async def looping(session: agi.aio.FastAGI, request: agi.Request, error: Exception) -> None:
        told.append(f"{request.path}: {error}")
        await session.execute(agi.core.SetContext("sorry"))

    hook: Any = blocking if kind == "blocking" else looping
    with serving(kind, on_error=hook) as staged, Peer(staged.address, "fail") as peer:
        assert peer.line() == b'SET CONTEXT "sorry"\n'
        peer.send(b"200 result=0\n")
        assert peer.ends()
        staged.seen.wait("error")
    assert told == ["fail: on purpose"]


def test_a_full_server_refuses_and_then_does_not(kind: str) -> None:
    with serving(kind, max_calls=2) as staged:
        with Peer(staged.address) as one, Peer(staged.address) as two:
            assert one.line() == two.line() == b"WAIT FOR DIGIT 1000\n"
            staged.seen.wait("full")
            assert not staged.server.ready
            assert refused(staged.address)
            assert staged.server.server_address == staged.address
            assert refused(staged.address)
        staged.seen.wait("serving", 2)
        with Peer(staged.address, "echo") as peer:
            assert peer.line() == b"NOOP\n"


def test_what_the_system_has_completed_is_served_by_a_full_server(kind: str) -> None:
    with serving(kind, max_calls=1) as staged:
        # Connected, but with nothing to tell yet: no call, so the server is not full.
        late = [Peer(staged.address, block=False) for _ in range(3)]
        staged.seen.wait("connected", 3)
        with Peer(staged.address) as first:
            assert first.line() == b"WAIT FOR DIGIT 1000\n"
            staged.seen.wait("full")
            for peer in late:
                peer.send(environment("echo"))
        # One after the other, because there may be one at a time.
        served: list[int] = []
        for number, peer in enumerate(late):
            with peer:
                assert peer.line() == b"NOOP\n"
                peer.send(b"200 result=0\n")
                assert peer.ends()
                served.append(number)
        assert served == [0, 1, 2]


def test_a_queue_lets_calls_wait(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(kind, max_calls=1, queue=1) as staged:
        with Peer(staged.address) as first:
            assert first.line() == b"WAIT FOR DIGIT 1000\n"
            second = Peer(staged.address, "echo")
            staged.seen.wait("full")
            assert refused(staged.address)
            assert len(staged.server.calls) == 2
        with second:
            assert second.line() == b"NOOP\n"
    assert "waits for its turn" in caplog.text


def test_a_waiting_call_is_ended_with_the_server(kind: str) -> None:
    with serving(kind, max_calls=1, queue=1) as staged:
        with Peer(staged.address) as first, Peer(staged.address) as second:
            first.line()
            staged.seen.wait("full")
            staged.shutdown(0.0)
            first.ends()
            second.ends()
        assert len(staged.seen.wait("aborted", 2)) == 2


def test_an_adopted_socket_goes_on_listening(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with serving(kind, max_calls=1, listener=listener.dup()) as staged:
            assert staged.address == listener.getsockname()
            with Peer(staged.address) as first:
                first.line()
                staged.seen.wait("full")
                second = Peer(staged.address, "echo")
            with second:
                assert second.line() == b"NOOP\n"
        Peer(listener.getsockname()).close()
    assert "further ones connect, and wait" in caplog.text


def test_a_probe_is_no_call(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(kind) as staged:
        Peer(staged.address, block=False).close()
        [call] = staged.seen.wait("handshake")
        assert call.request is None
        assert staged.seen.all("started") == []
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", {}),
        (b"agi_x: " + b"y" * 5000, {"max_environment": 4096}),
        (b"agi_x: y\n" * 500 + b"\n", {"max_environment": 4096}),
        (b"agi_", {"handshake_timeout": 0.05}),
    ],
    ids=["another language", "a long line", "many lines", "nothing more"],
)
def test_what_is_no_handshake_is_closed(kind: str, sent: bytes, limits: dict[str, Any]) -> None:
    with serving(kind, **limits) as staged, Peer(staged.address, block=False) as peer:
        peer.send(sent)
        peer.ends()
        [call] = staged.seen.wait("handshake")
        assert call.error is not None


def test_a_handshake_may_come_byte_by_byte(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address, block=False) as peer:
        peer.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in environment("echo"):
            peer.send(bytes([byte]))
        assert peer.line() == b"NOOP\n"


def test_the_oldest_silent_connection_gives_way(kind: str) -> None:
    with serving(kind, max_handshakes=2) as staged:
        silent = [Peer(staged.address, block=False) for _ in range(4)]
        staged.seen.wait("handshake", 2)
        silent[0].ends()
        silent[1].ends()
        silent[3].send(environment("echo"))
        assert silent[3].line() == b"NOOP\n"
        for peer in silent:
            peer.close()


def test_only_allowed_networks_may_connect(kind: str) -> None:
    with serving(kind, allowed_networks=["192.0.2.0/24", "2001:db8::/32"]) as staged:
        with Peer(staged.address) as peer:
            peer.ends()
        [(peer_seen, why)] = staged.seen.wait("refused")
        assert (peer_seen.host, why) == ("127.0.0.1", "network")
        assert staged.seen.all("connected") == []
    with serving(kind, allowed_networks="127.0.0.0/8") as staged, Peer(staged.address) as peer:
        assert peer.line() == b"WAIT FOR DIGIT 1000\n"


def test_a_proxy_tells_who_calls(kind: str) -> None:
    header = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 4573\r\n"
    options: dict[str, Any] = {
        "proxies": "127.0.0.1",
        "allowed_networks": ["127.0.0.1", "192.0.2.0/24"],
    }
    with serving(kind, **options) as staged:
        with Peer(staged.address, block=False) as peer:
            peer.send(header)
            peer.send(environment("echo"))
            assert peer.line() == b"NOOP\n"
            [call] = staged.seen.wait("started")
            assert call.peer == call.request.peer == ("192.0.2.7", 40000)
        # One that may not connect, one that only looks, and one that forgets the header.
        with Peer(staged.address, block=False) as peer:
            peer.send(header.replace(b"192.0.2.7", b"203.0.113.7") + environment("echo"))
            assert peer.line() == b""
            [(refused_peer, _)] = staged.seen.wait("refused")
            assert refused_peer == ("203.0.113.7", 40000)
        Peer(staged.address, block=False).close()
        with Peer(staged.address) as peer:
            assert peer.ends() in {True, False}
        staged.seen.wait("handshake", 3)
        [call] = [call for call in staged.seen.all("handshake") if call.error]
        assert "no PROXY header" in str(call.error)


def test_a_proxy_need_not_be_allowed_to_call(kind: str) -> None:
    options: dict[str, Any] = {"proxies": "127.0.0.1", "allowed_networks": "192.0.2.0/24"}
    with serving(kind, **options) as staged:
        with Peer(staged.address, block=False) as peer:
            peer.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 4573\r\n" + environment("echo"))
            assert peer.line() == b"NOOP\n"
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 4573\r\n"):
            with Peer(staged.address, block=False) as peer:
                peer.send(header + environment("echo"))
                assert peer.ends() in {True, False}
        refusals = staged.seen.wait("refused", 2)
        assert [refused_peer.host for refused_peer, _ in refusals] == ["127.0.0.1"] * 2


def test_from_others_a_proxy_header_is_no_agi(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address, block=False) as peer:
        peer.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 4573\r\n" + environment("echo"))
        peer.ends()
        [call] = staged.seen.wait("handshake")
        assert "does not speak AGI" in str(call.error)


def test_an_idle_call_is_ended(kind: str) -> None:
    with serving(kind, idle_timeout=0.2) as staged, Peer(staged.address, "gate") as peer:
        peer.line()
        peer.send(b"200 result=0\n")
        assert peer.ends()
        staged.open_gate()
        staged.seen.wait("aborted")
        assert "no command came for 0.2 seconds" in str(staged.errors[0])


def test_a_command_under_way_is_not_idle(kind: str) -> None:
    with serving(kind, idle_timeout=0.1) as staged, Peer(staged.address) as peer:
        peer.line()
        peer.connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            peer.connection.recv(1)
        assert staged.seen.all("aborted") == []


def test_a_command_has_the_servers_deadline(kind: str) -> None:
    with serving(kind, command_timeout=0.1) as staged, Peer(staged.address) as peer:
        assert peer.line() == b"WAIT FOR DIGIT 1000\n"
        assert peer.line().startswith(b"GET FULL VARIABLE")
        [call] = staged.seen.wait("error")
        assert isinstance(call.error, agi.AGITimeoutError)


def test_a_reply_without_end_is_given_up(kind: str) -> None:
    with serving(kind, max_reply=4096) as staged, Peer(staged.address) as peer:
        peer.line()
        with contextlib.suppress(ConnectionError):  # it may be over before all is sent
            peer.send(b"200 result=" + b"1" * 10_000)
        peer.ends()
        [call] = staged.seen.wait("error")
        assert isinstance(call.error, agi.AGIProtocolError)


def test_draining_lets_calls_end(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address, "gate") as peer:
        peer.line()
        peer.send(b"200 result=0\n")
        stopper = _in_thread(lambda: staged.shutdown(5.0))
        staged.seen.wait("draining")
        assert refused(staged.address)
        assert stopper.is_alive()
        staged.open_gate()
        assert peer.line() == b"NOOP\n"
        peer.send(b"200 result=0\n")
        assert peer.ends()
        stopper.join(5)
        assert not stopper.is_alive()
        staged.seen.wait("completed")


def test_what_does_not_end_in_time_is_ended(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address) as peer:
        peer.line()
        staged.shutdown(0.05)
        peer.ends()
        [call] = staged.seen.wait("aborted")
        assert isinstance(call.error, agi.AGIException)


def test_a_second_order_is_at_once(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address) as peer:
        peer.line()
        stopper = _in_thread(lambda: staged.shutdown(60.0))
        staged.seen.wait("draining")
        staged.shutdown(0.0)
        stopper.join(5)
        assert not stopper.is_alive()


def test_a_handler_may_shut_its_server_down(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address, "stop") as peer:
        assert peer.line() == b"NOOP\n"
        peer.send(b"200 result=0\n")
        assert peer.ends()
        staged.seen.wait("stopped")


def test_what_others_accepted_is_served(kind: str) -> None:
    with (
        serving(kind) as staged,
        socket.create_server(("127.0.0.1", 0)) as listener,
        Peer(listener.getsockname(), "echo") as peer,
    ):
        connection, _ = listener.accept()
        staged.take(connection)
        assert peer.line() == b"NOOP\n"


def test_hangups_are_told_of(kind: str) -> None:
    with serving(kind) as staged, Peer(staged.address) as peer:
        peer.line()
        peer.close()
        [call] = staged.seen.wait("hangup")
        assert isinstance(call.error, agi.AGISIGPIPEHangup)


def test_no_descriptor_left(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(kind) as staged, Peer(staged.address) as before:
        before.line()
        peers = [socket.socket() for _ in range(3)]
        used = max(peer.fileno() for peer in peers) + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
        try:
            for peer in peers:
                peer.settimeout(5)
                peer.connect(staged.address)
            # The call that is there is served all the same.
            before.send(b"200 result=0\n")
            assert before.line() == b"WAIT FOR DIGIT 1000\n"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for peer in peers:
            peer.sendall(environment("echo"))
            assert peer.recv(100) == b"NOOP\n"
            peer.close()


@pytest.mark.parametrize(
    ("option", "value", "kind_of_error"),
    [
        ("max_calls", 0, ValueError),
        ("max_calls", "5", TypeError),
        ("max_calls", True, TypeError),
        ("queue", -1, ValueError),
        ("max_handshakes", 0, ValueError),
        ("handshake_timeout", 0, ValueError),
        ("handshake_timeout", float("inf"), ValueError),
        ("handshake_timeout", "1", TypeError),
        ("max_environment", 10, ValueError),
        ("max_reply", 10, ValueError),
        ("idle_timeout", -1, ValueError),
        ("command_timeout", float("nan"), ValueError),
        ("keepalive", -1, ValueError),
        ("backlog", 0, ValueError),
        ("allowed_networks", ["10.0.0.1/8"], ValueError),
        ("proxies", "everyone", ValueError),
        # Linux refuses to set it, and every connection would be dropped.
        ("keepalive", 32_768, ValueError),
        ("backlog", 2**31, ValueError),
        ("allowed_networks", [10], TypeError),
        ("allowed_networks", [b"\x7f\0\0\1"], TypeError),
        ("proxies", None, TypeError),
        ("interface", None, TypeError),
        ("interface", "", ValueError),
        ("port", "4573", TypeError),
        ("port", True, TypeError),
        ("port", 65_536, ValueError),
        ("on_command", "log", TypeError),
        ("on_error", "log", TypeError),
        ("observers", [agi.Observer], TypeError),
        ("observers", agi.Observer(), TypeError),
        ("listener", 3, TypeError),
    ],
)
def test_a_wrong_limit_is_refused(
    kind: str, option: str, value: object, kind_of_error: type[Exception]
) -> None:
    server: Any = agi.FastAGIServer if kind == "blocking" else agi.aio.FastAGIServer
    options: dict[str, Any] = {option: value}
    named = "network" if option in {"allowed_networks", "proxies"} else option
    with pytest.raises(kind_of_error, match=named):
        server(**{"port": 0, **options})


def test_a_time_to_drain_is_seconds(kind: str) -> None:
    with serving(kind) as staged:
        for drain, error in ((-1.0, ValueError), (float("nan"), ValueError), ("5", TypeError)):
            wrong: Any = drain
            with pytest.raises(error, match="drain"):
                staged.shutdown(wrong)
            with pytest.raises(error, match="drain"):
                staged.run(wrong)
        assert staged.server.ready


def test_any_time_is_waited_for(kind: str) -> None:
    """What a system waits for at a time fits in 32 bits of milliseconds."""
    long = 1e18
    with serving(
        kind, handshake_timeout=long, idle_timeout=long, command_timeout=long, keepalive=32_767
    ) as staged:
        with Peer(staged.address, "gate") as peer:
            assert peer.line() == b"ANSWER\n"
            ending = _in_thread(lambda: staged.shutdown(float("inf")))
            staged.seen.wait("draining")
            peer.send(b"200 result=0\n")
            staged.open_gate()
            assert peer.line() == b"NOOP\n"
            peer.send(b"200 result=0\n")
            assert peer.ends()
        ending.join()


def test_a_network_may_be_an_object_or_within_ipv6(kind: str) -> None:
    for allowed in (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_address("127.0.0.1"),
        "::ffff:127.0.0.0/104",
    ):
        with (
            serving(kind, allowed_networks=allowed) as staged,
            Peer(staged.address, "echo") as peer,
        ):
            assert len(staged.server.limits.allowed_networks) == 1
            assert peer.line() == b"NOOP\n"


def test_a_socket_for_both_kinds_knows_ipv4_peers_as_such(kind: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    address = ("127.0.0.1", listener.getsockname()[1])
    with (
        serving(kind, listener=listener, allowed_networks="127.0.0.0/8") as staged,
        Peer(address, "echo") as peer,
    ):
        assert peer.line() == b"NOOP\n"
        [call] = staged.server.calls
        assert call.peer == peer.address


def test_a_unix_socket_is_served(kind: str, short_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as peer:
        listener.bind(str(short_folder / "agi"))
        listener.listen()
        peer.settimeout(10)
        with serving(kind, listener=listener) as staged:
            assert staged.address == (str(short_folder / "agi"), 0)
            peer.connect(staged.address[0])
            peer.sendall(environment("echo"))
            assert peer.recv(100) == b"NOOP\n"


def _in_thread(job: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=job)
    thread.start()
    return thread
