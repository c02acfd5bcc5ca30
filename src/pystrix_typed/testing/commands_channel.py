"""The channel's commands: answering, hanging up, its state, its caller, its music."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, UsageError, done, failed
from pystrix_typed.testing.channel import RINGING
from pystrix_typed.testing.functions import set_caller_id
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.timeline import milliseconds
from pystrix_typed.testing.tokens import real

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = ["CHANNEL"]

CHANNEL = Table()
#: Answering waits for the first sound from the caller: one frame.
_FIRST_FRAME = 20
#: Bytes of a caller id that Asterisk looks at.
_CALLER_ID_BYTES = 255


@CHANNEL.command("ANSWER")
def _answer(channel: SimulatedChannel, _arguments: list[str]) -> Activity[Answer]:
    if channel.state == RINGING:
        channel.answer()
        happening = yield Wait(channel.now + _FIRST_FRAME)
        if happening.kind == "hangup":
            return failed(-1)
    return done(0)


def _own(channel: SimulatedChannel, name: str, *, by_id: bool) -> bool:
    return name.lower() == channel.name.lower() or (by_id and name == channel.unique_id)


@CHANNEL.command("HANGUP")
def _hangup(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    if arguments and not _own(channel, arguments[0], by_id=True):
        known = channel.exchange.channels.pop(arguments[0].lower(), None)
        return done(-1 if known is None else 1)
    channel.hangup_source = channel.hangup_source or "dialplan/agi"
    # Asked for now, done as soon as the answer is on its way.
    channel.dialogue.hangup_asked = True
    return done(1)


@CHANNEL.command("CHANNEL STATUS")
def _status(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    if not arguments or _own(channel, arguments[0], by_id=not channel.exchange.release.since("12")):
        return done(channel.state)
    return done(channel.exchange.channels.get(arguments[0].lower(), -1))


@CHANNEL.command("NOOP")
def _noop(_channel: SimulatedChannel, _arguments: list[str]) -> Answer:
    return done(0)


@CHANNEL.command("VERBOSE", 1)
def _verbose(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    channel.log.append(arguments[0])
    return done(1)


@CHANNEL.command("SET AUTOHANGUP", 1)
def _autohangup(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    seconds = real(arguments[0])
    if seconds is None:
        raise UsageError
    channel.set_limit(milliseconds(seconds) if seconds > 0 else None)
    return done(0)


@CHANNEL.command("SET CALLERID")
def _set_callerid(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    if arguments:
        data = arguments[0].encode("utf-8", "surrogateescape")[:_CALLER_ID_BYTES]
        set_caller_id(channel, data.decode("utf-8", "surrogateescape"))
    return done(1)


@CHANNEL.command("SET MUSIC", 1)
def _set_music(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    switch = arguments[0].lower()
    if switch.startswith("on"):
        named = arguments[1] if len(arguments) > 1 else ""
        channel.music = named or channel.music_class or "default"
    elif switch.startswith("off"):
        channel.music = ""
    return done(0)


@CHANNEL.command("TDD MODE", 1)
def _tdd_mode(_channel: SimulatedChannel, _arguments: list[str]) -> Answer:
    # No channel driver of today has such a mode.
    return done(0)


@CHANNEL.command("ASYNCAGI BREAK")
def _async_break(_channel: SimulatedChannel, _arguments: list[str]) -> Answer:
    # Only AsyncAGI, which is not spoken here, acts on it.
    return done(0)
