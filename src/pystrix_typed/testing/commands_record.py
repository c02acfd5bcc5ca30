"""RECORD FILE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pystrix_typed.testing.answers import Answer, Table, UsageError, done, failed
from pystrix_typed.testing.channel import Recording
from pystrix_typed.testing.exchange import FORMATS
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.playback import play
from pystrix_typed.testing.sounds import SAMPLES, frames
from pystrix_typed.testing.tokens import integer, leading_integer, long_integer

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = ["RECORDING"]

RECORDING = Table()
#: Milliseconds that are cut off when a key ends a recording, so that it is not heard.
_KEY = 200
#: How long Asterisk waits at a time where there is no limit.
_LONG_POLL = 100_000
_FRAME = 20


class _Order(NamedTuple):
    """What RECORD FILE was told."""

    name: str
    format: str
    stops: str
    timeout: int
    offset: int
    beep: bool
    silence: int


def _order(arguments: list[str]) -> _Order:
    timeout = integer(arguments[3])
    if timeout is None:
        raise UsageError
    rest = arguments[4:7]
    offset = long_integer(rest[0]) if rest else None
    silence, beep = 0, False
    for index, word in enumerate(rest):
        if word.startswith("s="):
            silence = leading_integer(word[2:])
        elif index or offset is None:
            beep = True
    name, form, stops = arguments[:3]
    return _Order(name, form, stops, timeout, offset or 0, beep, max(silence, 0) * 1000)


@RECORDING.command("RECORD FILE", 4)
def _record_file(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    order = _order(arguments)
    if order.beep:
        played = yield from play(channel, "beep", stops=order.stops, kind="beep")
        if played.ended in ("failed", "hangup"):
            return failed(f"-1 (randomerror) endpos={order.offset}")
        if played.ended == "key":
            return done(f"{played.code} (randomerror) endpos={order.offset}")
    folder = order.name.rpartition("/")[0]
    folders = channel.exchange.folders
    missing = folder and folders is not None and folder not in folders
    if missing or order.format.lower() not in FORMATS:
        return failed("-1 (writefile)")
    return (yield from _record(channel, order))


def _record(channel: SimulatedChannel, order: _Order) -> Activity[Answer]:
    start = channel.now
    said = len(channel.words) - (1 if channel.speaking and channel.words else 0)
    channel.note("call", f"records {order.name}.{order.format}")
    limit = None if order.timeout < 0 else start + order.timeout
    while True:
        quiet = None
        if order.silence and not channel.speaking:
            # More than so much silence, counted in frames.
            quiet = max(channel.voice_changed, start) + order.silence + _FRAME
        moments = [moment for moment in (limit, quiet) if moment is not None]
        happening = yield Wait(min(moments) if moments else None, ("key", "voice", "words"))
        passed = channel.now - start
        match happening.kind:
            case "hangup":
                end = _keep(channel, order, passed, "hangup", said)
                return failed(f"-1 (hangup) endpos={end}")
            case "key" if happening.value in order.stops:
                end = _keep(channel, order, max(passed - _KEY, 0), "digit", said)
                return done(f"{ord(happening.value)} (dtmf) endpos={end}")
            case "time" if limit is not None and channel.now >= limit:
                end = _keep(channel, order, passed, "time", said)
                return done(f"0 (timeout) endpos={end}")
            case "time":
                kept = max(passed - max(order.silence - 1000, 0), 0)
                end = _keep(channel, order, kept, "silence", said)
                left = _LONG_POLL if limit is None else limit - channel.now
                return done(f"{left} (timeout) endpos={end}")
            case _:
                pass


def _keep(
    channel: SimulatedChannel,
    order: _Order,
    length: int,
    ended_by: Literal["digit", "time", "silence", "hangup"],
    said: int,
) -> int:
    """Keep the recording; give its end in samples."""
    recorded = channel.exchange.recorded
    # It goes on in the file that is there, from the offset, or from its end at the latest.
    start = min(max(order.offset, 0), recorded.get((order.name, order.format), 0))
    end = start + frames(length)
    recorded[order.name, order.format] = end
    words = tuple(channel.words[said:])
    recording = Recording(order.name, order.format, end / SAMPLES / 1000, ended_by, words)
    channel.recordings.append(recording)
    # What was recorded can be played.
    channel.exchange.sounds.add(order.name, end // SAMPLES)
    return end
