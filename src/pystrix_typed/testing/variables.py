"""The variables of a channel: those that every channel has, its own, and the global ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["find_variable"]

_BUILTINS: Mapping[str, Callable[[SimulatedChannel], str | None]] = {
    "EXTEN": lambda channel: channel.location.extension,
    "CONTEXT": lambda channel: channel.location.context,
    "PRIORITY": lambda channel: str(channel.location.priority),
    "CHANNEL": lambda channel: channel.name,
    "UNIQUEID": lambda channel: channel.unique_id,
    "LINKEDID": lambda channel: channel.unique_id,
    "HANGUPCAUSE": lambda channel: str(channel.cause),
    "EPOCH": lambda channel: str(channel.exchange.epoch + channel.now // 1000),
    "CALLINGPRES": lambda channel: str(channel.identity.presentation),
    "CALLINGANI2": lambda _channel: "0",
    "CALLINGTON": lambda _channel: "0",
    "CALLINGTNS": lambda _channel: "0",
    "SYSTEMNAME": lambda _channel: "",
}


def find_variable(channel: SimulatedChannel, name: str) -> str | None:
    """Give a variable: of Asterisk itself, of the channel, or a global one; None if unset."""
    builtin = _BUILTINS.get(name)
    if builtin is not None:
        return builtin(channel)
    if name in channel.variables:
        return channel.variables[name]
    return channel.exchange.globals.get(name)
