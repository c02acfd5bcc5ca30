"""Variables and the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, done
from pystrix_typed.testing.functions import expanded, read, write
from pystrix_typed.testing.variables import find_variable

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["VARIABLES"]

VARIABLES = Table()
#: Bytes of a value beyond which GET VARIABLE cuts it.
_VALUE_BYTES = 1023
#: Releases in which the length of a row's name is not limited any more; and the limit before.
_LONG_KEYS = ("18.26.0", "20.11.0", "21.6.0", "22.1.0", "23.0.0")
_KEY_BYTES = 253


@VARIABLES.command("GET VARIABLE", 1)
def _get_variable(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    name = arguments[0]
    value = read(channel, name) if name.endswith(")") else find_variable(channel, name)
    if value is None or not name:
        return done(0)
    data = value.encode("utf-8", "surrogateescape")[:_VALUE_BYTES]
    return done(f"1 ({data.decode('utf-8', 'surrogateescape')})")


@VARIABLES.command("GET FULL VARIABLE", 1)
def _get_full_variable(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    if len(arguments) > 1 and arguments[1].lower() not in (channel.name.lower(), channel.unique_id):
        return done(0)
    return done(f"1 ({expanded(channel, arguments[0])})")


@VARIABLES.command("SET VARIABLE", 2)
def _set_variable(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    name, value = arguments[:2]
    if name.endswith(")"):
        write(channel, name, value)
    elif name:
        # Leading underscores say who inherits it.
        channel.variables[name[2:] if name.startswith("__") else name.removeprefix("_")] = value
    return done(1)


def _nameable(channel: SimulatedChannel, family: str, key: str) -> bool:
    size = len(f"{family}{key}".encode("utf-8", "surrogateescape"))
    return size <= _KEY_BYTES or channel.exchange.release.since(*_LONG_KEYS)


@VARIABLES.command("DATABASE GET", 2)
def _database_get(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    family, key = arguments
    database = channel.exchange.database
    value = None if database.busy else database.get((family, key))
    if value is None or not _nameable(channel, family, key):
        return done(0)
    return done(f"1 ({value})")


@VARIABLES.command("DATABASE PUT", 3)
def _database_put(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    family, key, value = arguments
    database = channel.exchange.database
    if database.busy or not _nameable(channel, family, key):
        return done(0)
    database[family, key] = value
    return done(1)


@VARIABLES.command("DATABASE DEL", 2)
def _database_del(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    family, key = arguments
    database = channel.exchange.database
    if database.busy or not _nameable(channel, family, key):
        return done(0)
    gone = database.pop((family, key), None)
    # Since the database is SQLite a key that was not there is gone as well.
    return done(0 if gone is None and not channel.exchange.release.since("10") else 1)


@VARIABLES.command("DATABASE DELTREE", 1)
def _database_deltree(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    family, tree = arguments[0], arguments[1] if len(arguments) > 1 else ""
    database = channel.exchange.database
    deleted = 0 if database.busy else database.delete_tree(family, tree)
    if not channel.exchange.release.since("1.6.0"):
        return done(1)
    return done(0 if deleted else 1)
