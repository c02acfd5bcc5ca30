"""Dialplan functions and the variables that every channel has."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pystrix_typed.testing.expressions import evaluate, expand
from pystrix_typed.testing.timeline import milliseconds
from pystrix_typed.testing.tokens import leading_integer, real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["expanded", "find_variable", "read", "set_caller_id", "write"]

_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_CALLER_ID = re.compile(r'\s*(?:"([^"]*)"|([^<"]*?))\s*<([^>]*)>\s*', re.DOTALL)
_PHONE = frozenset("0123456789*#+-().")


def expanded(channel: SimulatedChannel, text: str) -> str:
    """Replace what stands for something in dialplan text."""

    def look_up(name: str) -> str:
        return (read(channel, name) if name.endswith(")") else find_variable(channel, name)) or ""

    return expand(text, look_up)


def find_variable(channel: SimulatedChannel, name: str) -> str | None:
    """Give a variable: of Asterisk itself, of the channel, or a global one; None if unset."""
    builtin = _BUILTINS.get(name)
    if builtin is not None:
        return builtin(channel)
    if name in channel.variables:
        return channel.variables[name]
    return channel.exchange.globals.get(name)


def read(channel: SimulatedChannel, text: str) -> str | None:
    """Call a function, as in ``LEN(abc)``; None when there is none, or when it fails."""
    call = _CALL.fullmatch(text)
    if call is None:
        return None
    own = channel.exchange.functions.get(call[1])
    if own is not None:
        return own(channel, call[2])
    function = _READ.get(call[1])
    return None if function is None else function(channel, call[2])


def write(channel: SimulatedChannel, text: str, value: str) -> bool:
    """Set a function, as in ``CALLERID(num)``; False when there is none that can be set."""
    call = _CALL.fullmatch(text)
    function = None if call is None else _WRITE.get(call[1])
    if call is None or function is None:
        return False
    function(channel, call[2], value)
    return True


def set_caller_id(channel: SimulatedChannel, text: str) -> None:
    """Set number and name from ``"Name" <number>``, a number alone, or a name alone."""
    found = _CALLER_ID.fullmatch(text)
    identity = channel.identity
    if found is not None:
        identity.name, identity.number = found[1] or found[2] or "", found[3].strip()
    elif text and set(text) <= _PHONE:
        identity.name, identity.number = "", text
    else:
        identity.name, identity.number = text.strip(' "'), ""


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
    "SYSTEMNAME": lambda _channel: "",
}


# ---- functions of the channel ----


def _caller_id(channel: SimulatedChannel, argument: str) -> str | None:
    identity = channel.identity
    match argument.partition(",")[0].lower():
        case "num" | "number" | "ani" | "ani-num":
            return identity.number
        case "name" | "ani-name":
            return identity.name
        case "all" | "ani-all":
            return f'"{identity.name}" <{identity.number}>'
        case "dnid":
            return identity.dialled
        case "rdnis":
            return identity.redirecting
        case "pres" | "num-pres" | "name-pres":
            return "prohib" if identity.presentation & 32 else "allowed_not_screened"
        case _:
            return None


def _set_caller_id(channel: SimulatedChannel, argument: str, value: str) -> None:
    identity = channel.identity
    match argument.partition(",")[0].lower():
        case "num" | "number":
            identity.number = value
        case "name":
            identity.name = value
        case "all":
            set_caller_id(channel, value)
        case "dnid":
            identity.dialled = value
        case "rdnis":
            identity.redirecting = value
        case "pres" | "num-pres" | "name-pres":
            identity.presentation = 32 if value.startswith("prohib") else 0
        case _:
            pass


_STATES = ("Down", "Rsrvd", "OffHook", "Dialing", "Ring", "Ringing", "Up", "Busy")


def _channel(channel: SimulatedChannel, argument: str) -> str | None:
    values = {
        "name": channel.name,
        "uniqueid": channel.unique_id,
        "linkedid": channel.unique_id,
        "language": channel.language,
        "state": _STATES[channel.state],
        "musicclass": channel.music_class,
        "hangupsource": channel.hangup_source,
        "accountcode": channel.identity.account,
        "channeltype": channel.name.partition("/")[0],
        "exten": channel.location.extension,
        "context": channel.location.context,
    }
    return values.get(argument.lower())


def _set_channel(channel: SimulatedChannel, argument: str, value: str) -> None:
    match argument.lower():
        case "language":
            channel.language = value
        case "musicclass":
            channel.music_class = value
        case "accountcode":
            channel.identity.account = value
        case "hangupsource":
            channel.hangup_source = value
        case _:
            pass


def _global(channel: SimulatedChannel, argument: str) -> str | None:
    return channel.exchange.globals.get(argument)


def _set_global(channel: SimulatedChannel, argument: str, value: str) -> None:
    channel.exchange.globals[argument] = value


def _database(channel: SimulatedChannel, argument: str) -> str | None:
    family, _, key = argument.partition("/")
    value = channel.exchange.database.get((family, key))
    if value is not None:
        channel.variables["DB_RESULT"] = value
    return value


def _set_database(channel: SimulatedChannel, argument: str, value: str) -> None:
    family, _, key = argument.partition("/")
    channel.exchange.database[family, key] = value


def _database_exists(channel: SimulatedChannel, argument: str) -> str:
    return "0" if _database(channel, argument) is None else "1"


def _database_delete(channel: SimulatedChannel, argument: str) -> str | None:
    family, _, key = argument.partition("/")
    return channel.exchange.database.pop((family, key), None)


def _timeout(channel: SimulatedChannel, argument: str) -> str | None:
    match argument.lower():
        case "absolute":
            left = channel.time_left
            return "0" if left is None else f"{left / 1000:.3f}"
        case "digit":
            return f"{channel.digit_timeout / 1000:.3f}"
        case "response":
            return f"{channel.response_timeout / 1000:.3f}"
        case _:
            return None


def _set_timeout(channel: SimulatedChannel, argument: str, value: str) -> None:
    wait = milliseconds(real(value) or 0)
    match argument.lower():
        case "absolute":
            channel.set_limit(wait if wait > 0 else None)
        case "digit":
            channel.digit_timeout = wait
        case "response":
            channel.response_timeout = wait
        case _:
            pass


# ---- functions of text ----


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _decode(_channel: SimulatedChannel, argument: str) -> str:
    try:
        return _text(base64.b64decode(argument))
    except ValueError:
        return ""


def _cut(channel: SimulatedChannel, argument: str) -> str:
    name, _, rest = argument.partition(",")
    separator, _, fields = rest.partition(",")
    parts = (find_variable(channel, name) or "").split(separator or "-")
    chosen: list[str] = []
    for piece in fields.split("&"):
        first, dash, last = piece.partition("-")
        start = leading_integer(first) or 1
        end = (leading_integer(last) or len(parts)) if dash else start
        chosen += parts[start - 1 : end]
    return (separator or "-").join(chosen)


def _field_count(channel: SimulatedChannel, argument: str) -> str:
    name, _, separator = argument.partition(",")
    value = find_variable(channel, name) or ""
    return str(len(value.split(separator))) if value and separator else "0"


def _if(_channel: SimulatedChannel, argument: str) -> str:
    condition, _, answers = argument.partition("?")
    yes, _, no = answers.partition(":")
    return yes if condition.strip() not in ("", "0") else no


def _filter(_channel: SimulatedChannel, argument: str) -> str:
    allowed, _, text = argument.partition(",")
    kept = re.compile(f"[{allowed}]") if allowed else None
    return "".join(sign for sign in text if kept is not None and kept.fullmatch(sign))


def _replace(channel: SimulatedChannel, argument: str) -> str:
    name, _, rest = argument.partition(",")
    signs, _, substitute = rest.partition(",")
    value = find_variable(channel, name) or ""
    return "".join(substitute[:1] if sign in signs else sign for sign in value)


def _strftime(channel: SimulatedChannel, argument: str) -> str:
    moment, _, rest = argument.partition(",")
    _, _, pattern = rest.partition(",")
    now = channel.exchange.epoch + channel.now // 1000
    seconds = leading_integer(moment) if moment.strip() else now
    return time.strftime(pattern or "%c", time.gmtime(seconds))


def _math(_channel: SimulatedChannel, argument: str) -> str:
    return evaluate(argument.partition(",")[0])


def _set(channel: SimulatedChannel, argument: str) -> str:
    name, _, value = argument.partition("=")
    channel.variables[name] = value
    return value


_READ: Mapping[str, Callable[[SimulatedChannel, str], str | None]] = {
    "CALLERID": _caller_id,
    "CHANNEL": _channel,
    "GLOBAL": _global,
    "DB": _database,
    "DB_EXISTS": _database_exists,
    "DB_DELETE": _database_delete,
    "TIMEOUT": _timeout,
    "LEN": lambda _channel, argument: str(len(_bytes(argument))),
    "TOUPPER": lambda _channel, argument: argument.upper(),
    "TOLOWER": lambda _channel, argument: argument.lower(),
    "BASE64_ENCODE": lambda _channel, argument: base64.b64encode(_bytes(argument)).decode(),
    "BASE64_DECODE": _decode,
    "URIENCODE": lambda _channel, argument: quote(_bytes(argument), safe="!~*'()"),
    "URIDECODE": lambda _channel, argument: unquote(argument, errors="surrogateescape"),
    "MD5": lambda _channel, argument: hashlib.md5(
        _bytes(argument), usedforsecurity=False
    ).hexdigest(),
    "SHA1": lambda _channel, argument: hashlib.sha1(
        _bytes(argument), usedforsecurity=False
    ).hexdigest(),
    "QUOTE": lambda _channel, argument: '"{}"'.format(re.sub(r'(["\\])', r"\\\1", argument)),
    "CUT": _cut,
    "FIELDQTY": _field_count,
    "IF": _if,
    "ISNULL": lambda _channel, argument: "0" if argument else "1",
    "EXISTS": lambda _channel, argument: "1" if argument else "0",
    "SET": _set,
    "FILTER": _filter,
    "REPLACE": _replace,
    "STRFTIME": _strftime,
    "MATH": _math,
    "EVAL": expanded,
}


_WRITE: Mapping[str, Callable[[SimulatedChannel, str, str], None]] = {
    "CALLERID": _set_caller_id,
    "CHANNEL": _set_channel,
    "GLOBAL": _set_global,
    "DB": _set_database,
    "TIMEOUT": _set_timeout,
}
