"""AGI: steering one call of Asterisk's from Python.

::

    from pystrix_typed import agi

    with agi.AGI() as session:
        session.execute(agi.core.Answer())
        entry = session.execute(agi.core.GetData("vm-password", timeout=5000, max_digits=4))

Every name is loaded when it is first used: Asterisk starts one interpreter per AGI call, so an AGI
script never pays for the server, nor a command for its neighbours.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pystrix_typed.agi import aio as aio
    from pystrix_typed.agi import arguments as arguments
    from pystrix_typed.agi import core as core
    from pystrix_typed.agi import observing as observing
    from pystrix_typed.agi import replies as replies
    from pystrix_typed.agi import resync as resync
    from pystrix_typed.agi.audio import Audio as Audio
    from pystrix_typed.agi.core.environment import Environment as Environment
    from pystrix_typed.agi.eagi import EAGI as EAGI
    from pystrix_typed.agi.exceptions import AGIAppError as AGIAppError
    from pystrix_typed.agi.exceptions import AGIClosedError as AGIClosedError
    from pystrix_typed.agi.exceptions import AGIDBError as AGIDBError
    from pystrix_typed.agi.exceptions import AGIDeadChannelError as AGIDeadChannelError
    from pystrix_typed.agi.exceptions import AGIError as AGIError
    from pystrix_typed.agi.exceptions import AGIException as AGIException
    from pystrix_typed.agi.exceptions import AGIHangup as AGIHangup
    from pystrix_typed.agi.exceptions import AGIInvalidCommandError as AGIInvalidCommandError
    from pystrix_typed.agi.exceptions import AGINoResultError as AGINoResultError
    from pystrix_typed.agi.exceptions import AGIProtocolError as AGIProtocolError
    from pystrix_typed.agi.exceptions import AGIResultHangup as AGIResultHangup
    from pystrix_typed.agi.exceptions import AGISIGHUPHangup as AGISIGHUPHangup
    from pystrix_typed.agi.exceptions import AGISIGPIPEHangup as AGISIGPIPEHangup
    from pystrix_typed.agi.exceptions import AGITimeoutError as AGITimeoutError
    from pystrix_typed.agi.exceptions import AGIUnknownError as AGIUnknownError
    from pystrix_typed.agi.exceptions import AGIUsageError as AGIUsageError
    from pystrix_typed.agi.exceptions import AGIVersionError as AGIVersionError
    from pystrix_typed.agi.exceptions import Item as Item
    from pystrix_typed.agi.fastagi import FastAGI as FastAGI
    from pystrix_typed.agi.observing import Call as Call
    from pystrix_typed.agi.observing import CommandEvent as CommandEvent
    from pystrix_typed.agi.observing import Observer as Observer
    from pystrix_typed.agi.record import Action as Action
    from pystrix_typed.agi.record import Record as Record
    from pystrix_typed.agi.routing import Query as Query
    from pystrix_typed.agi.routing import Request as Request
    from pystrix_typed.agi.script import AGI as AGI
    from pystrix_typed.agi.server import FastAGIServer as FastAGIServer
    from pystrix_typed.agi.server import Handler as Handler
    from pystrix_typed.agi.server import ScriptHandler as ScriptHandler
    from pystrix_typed.agi.session import Session as Session
    from pystrix_typed.agi.wire import Reply as Reply

__all__ = [
    "AGI",
    "EAGI",
    "AGIAppError",
    "AGIClosedError",
    "AGIDBError",
    "AGIDeadChannelError",
    "AGIError",
    "AGIException",
    "AGIHangup",
    "AGIInvalidCommandError",
    "AGINoResultError",
    "AGIProtocolError",
    "AGIResultHangup",
    "AGISIGHUPHangup",
    "AGISIGPIPEHangup",
    "AGITimeoutError",
    "AGIUnknownError",
    "AGIUsageError",
    "AGIVersionError",
    "Action",
    "Audio",
    "Call",
    "CommandEvent",
    "Environment",
    "FastAGI",
    "FastAGIServer",
    "Handler",
    "Item",
    "Observer",
    "Query",
    "Record",
    "Reply",
    "Request",
    "ScriptHandler",
    "Session",
    "aio",
    "core",
]

_HOMES = {
    "AGI": "script",
    "Action": "record",
    "Audio": "audio",
    "Call": "observing",
    "CommandEvent": "observing",
    "EAGI": "eagi",
    "Environment": "core.environment",
    "FastAGI": "fastagi",
    "FastAGIServer": "server",
    "Handler": "server",
    "Observer": "observing",
    "Query": "routing",
    "Record": "record",
    "Reply": "wire",
    "Request": "routing",
    "ScriptHandler": "server",
    "Session": "session",
}


if not TYPE_CHECKING:
    # The checkers see the names above and not this function, or every misspelt name would exist.
    def __getattr__(name: str) -> object:
        if name in ("aio", "arguments", "core", "observing", "replies", "resync"):
            # Importing a submodule binds it here.
            return __import__(f"{__name__}.{name}", fromlist=["__name__"])
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = f"{__name__}.{_HOMES.get(name, 'exceptions')}"
        value = getattr(__import__(home, fromlist=["__name__"]), name)
        globals()[name] = value
        return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
