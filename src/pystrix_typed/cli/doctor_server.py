"""A FastAGI server: whether its name resolves, whether it can be reached, whether it takes a call.

The call is a simulated one whose caller hangs up as soon as the server gives its first command.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pystrix_typed.agi.core.catalogue import COMMANDS
from pystrix_typed.cli import srv
from pystrix_typed.cli.finding import Finding
from pystrix_typed.cli.problem import Problem
from pystrix_typed.testing import SimulatedAsterisk
from pystrix_typed.testing.transports import SocketConnection, converse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pystrix_typed.testing import SimulatedCall

__all__ = ["examine"]

_PORT = 4573
#: Asterisk's own: seconds until it takes a server for one that cannot be reached.
_CONNECT = 2.0
_SILENCE = 5.0
_FIRST_WORDS = {command.name.partition(" ")[0] for command in COMMANDS}


class _Target(NamedTuple):
    host: str
    port: int
    script: str


def examine(url: str) -> list[Finding]:
    """Look at a server.

    Args:
        url: What stands in the dialplan: ``agi://host:port/path?query``, or ``hagi://``.

    Raises:
        Problem: That is no such address.
    """
    return list(_findings(url))


def _findings(url: str) -> Iterator[Finding]:
    text = url if "://" in url else f"agi://{url}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Problem(f"{url!r} is no address: {error}", status=2) from None
    if parts.scheme not in {"agi", "hagi"} or not parts.hostname:
        raise Problem(f"{url!r} is not of the form agi://host:port/path?query", status=2)
    script = parts.path.removeprefix("/") + (f"?{parts.query}" if parts.query else "")
    targets = [_Target(parts.hostname, port or _PORT, script)]
    if parts.scheme == "hagi":
        if port is not None:
            yield Finding(
                "names",
                "warning",
                f"{text} has a port, so Asterisk asks for no SRV records",
                "leave the port out: it comes from the records",
            )
        else:
            try:
                targets = _services(parts.hostname, script)
            except (OSError, ValueError) as error:
                name = f"_agi._tcp.{parts.hostname}"
                text = f"the SRV records of {name} cannot be had: {error}"
                yield Finding("names", "problem", text, "look at /etc/resolv.conf")
                return
            yield _named(parts.hostname, targets)
    for target in targets:
        yield from _target(target, text)


def _services(host: str, script: str) -> list[_Target]:
    servers = srv.nameservers()
    if not servers:
        raise ValueError("this machine has no name server")
    found = srv.services(f"_agi._tcp.{host}", servers[0])
    return [_Target(each.host, each.port, script) for each in found]


def _named(host: str, targets: list[_Target]) -> Finding:
    if not targets:
        return Finding(
            "names",
            "problem",
            f"there are no SRV records for _agi._tcp.{host}",
            "Asterisk tries nothing else then: add some, or use agi://",
        )
    listed = ", ".join([f"{target.host}:{target.port}" for target in targets])
    return Finding("names", "ok", f"_agi._tcp.{host} leads to {listed}")


def _target(target: _Target, request: str) -> Iterator[Finding]:
    place = f"{target.host}:{target.port}"
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        text = f"{target.host} has no address: {why}"
        yield Finding("server", "problem", text, "look at the name, at DNS and at /etc/hosts")
        return
    addresses = list(dict.fromkeys([str(each[4][0]) for each in found]))
    for address in addresses:
        shown = place if address == target.host else f"{place} ({address})"
        began = time.monotonic()
        try:
            connection = socket.create_connection((address, target.port), _CONNECT)
        except TimeoutError:
            yield Finding(
                "server",
                "problem",
                f"{shown} does not answer within {_CONNECT:g} s, after which Asterisk gives up",
                "look at firewalls on the way, and at the address",
            )
        except OSError as error:
            # Of a name with several addresses, one that listens may be enough.
            yield Finding(
                "server",
                "warning" if len(addresses) > 1 else "problem",
                f"{shown} cannot be reached: {error.strerror or error}",
                "start the server, and look at the address and port that it listens on",
            )
        else:
            took = (time.monotonic() - began) * 1000
            yield _call(connection, target, request, f"{shown} accepts within {took:.1f} ms")


def _call(connection: socket.socket, target: _Target, request: str, shown: str) -> Finding:
    """Place a call that is hung up at its first command."""
    call = SimulatedAsterisk().prepare(target.script, request=request)

    def hang_up() -> None:
        if not call.channel.hung_up:
            call.channel.hang_up("caller")

    call.channel.on_command.append(hang_up)
    converse(call, SocketConnection(connection), speed=0, patience=_SILENCE)
    return _judged(call, shown)


def _judged(call: SimulatedCall, shown: str) -> Finding:
    commands = call.transcript.commands
    if commands and commands[0].split(" ")[0].upper() in _FIRST_WORDS:
        text = f"{shown}, and takes a call: its first command is {commands[0]}"
        return Finding("server", "ok", text)
    if commands:
        text = f"{shown}, but it is no FastAGI server: it says {commands[0]!r}"
        return Finding("server", "problem", text, "look at the port")
    if call.failure is not None:
        text = f"{shown}, but says nothing for {_SILENCE:g} s"
        advice = "look at the port, and at what the server waits for"
        return Finding("server", "problem", text, advice)
    return Finding(
        "server",
        "warning",
        f"{shown}, and ends the call without a command",
        "look at the path, and at the server's log: no handler, a peer that is not allowed, "
        "an exception",
    )
