"""Dialplan functions and the variables that every channel has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pystrix_typed.testing.expressions import expand
from pystrix_typed.testing.functions_text import TEXT, TEXT_WRITE
from pystrix_typed.testing.timeline import milliseconds
from pystrix_typed.testing.tokens import leading_integer, real
from pystrix_typed.testing.variables import find_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["expanded", "read", "set_caller_id", "write"]

_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_CALLER_ID = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]*)(?:>\s*|$)', re.DOTALL)
_PHONE = frozenset("0123456789*#+-(). ")
#: What is left out of a number.
_FILLING = dict.fromkeys(map(ord, "()-. "))
#: How number and name may be shown, by what stands for it in `agi_callingpres`.
_PRESENTATIONS = {
    0: "allowed_not_screened",
    1: "allowed_passed_screen",
    2: "allowed_failed_screen",
    3: "allowed",
    32: "prohib_not_screened",
    33: "prohib_passed_screen",
    34: "prohib_failed_screen",
    35: "prohib",
    67: "unavailable",
}


def expanded(channel: SimulatedChannel, text: str) -> str:
    """Replace what stands for something in dialplan text."""

    def look_up(name: str) -> str:
        return (read(channel, name) if name.endswith(")") else find_variable(channel, name)) or ""

    return expand(text, look_up)


def read(channel: SimulatedChannel, text: str) -> str | None:
    """Call a function, as in ``LEN(abc)``; None when there is none, or when it fails."""
    call = _CALL.fullmatch(text)
    if call is None:
        return None
    own = channel.exchange.functions.get(call[1])
    if own is not None:
        return own(channel, call[2])
    function = _READ.get(call[1])
    if function is None:
        channel.note("call", f"there is no function {call[1]}: register it with functions=")
        return None
    return function(channel, call[2])


def write(channel: SimulatedChannel, text: str, value: str) -> bool:
    """Set a function, as in ``CALLERID(num)``; False when there is none that can be set."""
    call = _CALL.fullmatch(text)
    function = None if call is None else _WRITE.get(call[1])
    if call is None or function is None:
        return False
    function(channel, call[2], value)
    return True


def _shrunk(number: str) -> str:
    """Leave out of a number what is only for the eye."""
    return number.translate(_FILLING) if set(number) <= _PHONE else number


def set_caller_id(channel: SimulatedChannel, text: str) -> None:
    """Set number and name from ``"Name" <number>``, a number alone, or a name alone."""
    found = _CALLER_ID.fullmatch(text)
    identity = channel.identity
    if found is not None:
        name = re.sub(r"\\(.)", r"\1", found[1]) if found[1] else found[2] or ""
        identity.name, identity.number = name, _shrunk(found[3].strip())
    elif text and set(text) <= _PHONE:
        identity.name, identity.number = "", _shrunk(text)
    else:
        identity.name, identity.number = text.strip(' "'), ""


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
        case "pres" if not (identity.number or identity.name or identity.presentation):
            return "unavailable"
        case "pres" | "num-pres" | "name-pres":
            return _PRESENTATIONS.get(identity.presentation, "unavailable")
        case "num-valid":
            return str(int(bool(identity.number)))
        case "name-valid":
            return str(int(bool(identity.name)))
        case "ani2" | "ton" | "num-plan":
            return "0"
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
            given = [number for number, name in _PRESENTATIONS.items() if name == value]
            identity.presentation = given[0] if given else identity.presentation
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
        "amaflags": "3",
        "checkhangup": str(int(channel.hung_up)),
        "transfercapability": "SPEECH",
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


def _database_exists(channel: SimulatedChannel, argument: str) -> str | None:
    if "/" not in argument:
        return None
    return "0" if _database(channel, argument) is None else "1"


def _database_delete(channel: SimulatedChannel, argument: str) -> str | None:
    family, _, key = argument.partition("/")
    return channel.exchange.database.pop((family, key), None)


def _database_keys(channel: SimulatedChannel, argument: str) -> list[str]:
    """Give what stands behind a prefix, one level deep."""
    prefix = f"/{argument.strip('/')}/" if argument.strip("/") else "/"
    paths = [f"/{family}/{key}" for family, key in channel.exchange.database]
    found = [path[len(prefix) :].partition("/")[0] for path in paths if path.startswith(prefix)]
    return sorted(set(found))


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


def _dialplan_exists(channel: SimulatedChannel, argument: str) -> str:
    context, _, rest = argument.partition(",")
    extension, _, priority = rest.partition(",")
    dialplan = channel.exchange.dialplan
    place = leading_integer(priority) or dialplan.label(context, extension, priority) or 1
    step = dialplan.step(context or channel.location.context, extension, place)
    return "0" if step is None else "1"


_READ: Mapping[str, Callable[[SimulatedChannel, str], str | None]] = {
    **TEXT,
    "CALLERID": _caller_id,
    "CHANNEL": _channel,
    "GLOBAL": _global,
    "DB": _database,
    "DB_EXISTS": _database_exists,
    "DB_DELETE": _database_delete,
    "DB_KEYS": lambda channel, argument: ",".join(_database_keys(channel, argument)),
    "TIMEOUT": _timeout,
    "EVAL": expanded,
    "DIALPLAN_EXISTS": _dialplan_exists,
    "VALID_EXTEN": _dialplan_exists,
}


_WRITE: Mapping[str, Callable[[SimulatedChannel, str, str], None]] = {
    **TEXT_WRITE,
    "CALLERID": _set_caller_id,
    "CHANNEL": _set_channel,
    "GLOBAL": _set_global,
    "DB": _set_database,
    "TIMEOUT": _set_timeout,
}
