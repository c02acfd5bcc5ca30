"""The options of both servers: what is wrong with them is told when a server is made."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pystrix_typed.agi.limits import Limits, networks
from pystrix_typed.agi.observing import Observer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pystrix_typed.agi.limits import NetworkLike

__all__ = [
    "check_address",
    "check_drain",
    "check_hook",
    "check_listener",
    "limits_of",
    "observers_of",
]

_LAST_PORT = 65_535


def limits_of(
    *,
    max_calls: int,
    queue: int,
    max_handshakes: int,
    handshake_timeout: float | None,
    max_environment: int,
    max_reply: int,
    idle_timeout: float | None,
    command_timeout: float | None,
    keepalive: float | None,
    backlog: int,
    allowed_networks: Iterable[NetworkLike] | str,
    proxies: Iterable[NetworkLike] | str,
) -> Limits:
    """Build the limits from a server's options.

    Raises:
        TypeError: One has the wrong type.
        ValueError: One is out of range, or a network is none.
    """
    return Limits(
        max_calls=max_calls,
        queue=queue,
        max_handshakes=max_handshakes,
        handshake_timeout=handshake_timeout,
        max_environment=max_environment,
        max_reply=max_reply,
        idle_timeout=idle_timeout,
        command_timeout=command_timeout,
        keepalive=keepalive,
        backlog=backlog,
        allowed_networks=networks(allowed_networks),
        proxies=networks(proxies),
    )


def check_address(interface: object, port: object) -> None:
    """Refuse what is no address to listen on.

    Raises:
        TypeError: One has the wrong type.
        ValueError: There is no such port, or the address is empty: to the system that is all of
            them, and to whoever gave it most likely a mistake.
    """
    if not isinstance(interface, str):
        raise TypeError(f"interface must be a str, not {interface!r}")
    if not interface:
        raise ValueError("interface must be an address, and not empty; '0.0.0.0' is for all")
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"port must be an int, not {port!r}")
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(f"port must be 0 to {_LAST_PORT}, not {port}")


def check_drain(drain: object) -> None:
    """Refuse what are no seconds to drain.

    Raises:
        TypeError: It is no number.
        ValueError: It is a negative one, or none at all.
    """
    if isinstance(drain, bool) or not isinstance(drain, (int, float)):
        raise TypeError(f"drain must be seconds, not {drain!r}")
    if not drain >= 0:
        raise ValueError(f"drain must be 0 seconds or more, not {drain!r}")


def check_hook(name: str, hook: object) -> None:
    """Refuse what cannot be called, None apart.

    Raises:
        TypeError: It cannot.
    """
    if hook is not None and not callable(hook):
        raise TypeError(f"{name} must be callable, not {hook!r}")


def check_listener(listener: object) -> None:
    """Refuse what is no socket, None apart.

    Raises:
        TypeError: It is none.
    """
    if listener is not None and not isinstance(listener, socket.socket):
        raise TypeError(f"the listener must be a socket, not {listener!r}")


def observers_of(observers: Iterable[object]) -> tuple[Observer, ...]:
    """Give observers; their class in place of one would only be noticed with each call.

    Raises:
        TypeError: One is none.
    """
    try:
        given = list(observers)
    except TypeError:
        raise TypeError(f"observers must be a list of them, not {observers!r}") from None
    found: list[Observer] = []
    for each in given:
        if not isinstance(each, Observer):
            raise TypeError(f"observers must be Observer objects, not {each!r}")
        found.append(each)
    return tuple(found)
