"""asyncio: `AGI` on the descriptors that Asterisk gives a script, `FastAGI` and its server on TCP.

The same names and the same meaning as the blocking ones, over the same
`pystrix_typed.agi.protocol.Protocol`. ::

    async with agi.aio.AGI() as session:
        await session.execute(agi.core.Answer())

Cancelling a command (`asyncio.timeout` does) writes a fence at once, so that a playback stops, and
the session goes on.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pystrix_typed.agi.aio.eagi import EAGI as EAGI
    from pystrix_typed.agi.aio.eagi import Audio as Audio
    from pystrix_typed.agi.aio.fastagi import FastAGI as FastAGI
    from pystrix_typed.agi.aio.script import AGI as AGI
    from pystrix_typed.agi.aio.server import FastAGIServer as FastAGIServer
    from pystrix_typed.agi.aio.server import Handler as Handler
    from pystrix_typed.agi.aio.server import ScriptHandler as ScriptHandler
    from pystrix_typed.agi.aio.session import Session as Session

__all__ = [
    "AGI",
    "EAGI",
    "Audio",
    "FastAGI",
    "FastAGIServer",
    "Handler",
    "ScriptHandler",
    "Session",
]

_HOMES = {
    "AGI": "script",
    "Audio": "eagi",
    "EAGI": "eagi",
    "FastAGI": "fastagi",
    "FastAGIServer": "server",
    "Handler": "server",
    "ScriptHandler": "server",
    "Session": "session",
}

if not TYPE_CHECKING:
    # The checkers see the names above and not this function, or every misspelt name would exist.
    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = f"{__name__}.{_HOMES[name]}"
        value = getattr(__import__(home, fromlist=["__name__"]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
