"""Playing, recording, and waiting for keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, UsageError, done, failed, silence
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.playback import play
from pystrix_typed.testing.tokens import integer, leading_integer, long_integer

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = ["CONTROLS", "MEDIA"]

MEDIA = Table()
#: How playback can be steered from outside, with the number that WAIT FOR DIGIT answers.
CONTROLS = {"stop": 1000, "suspend": 1001, "restart": 1002, "reverse": 1003, "forward": 1004}

_FAILS_WITHOUT_FILE = ("1.8.24.0", "11.6.0", "12.0.0")
_FIRST_DIGIT, _NEXT_DIGIT = 6000, 2000
_FOREVER = 1_000_000_000
_MOST_DIGITS = 1024


def _word(arguments: list[str], index: int, default: str = "") -> str:
    return arguments[index] if len(arguments) > index else default


@MEDIA.command("STREAM FILE", 2)
def _stream_file(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    offset = long_integer(_word(arguments, 2, "0"))
    if offset is None:
        raise UsageError
    offset = max(offset, 0)
    played = yield from play(
        channel, arguments[0], stops=arguments[1], kinds=("line", "control"), offset=offset
    )
    if played.ended == "failed":
        if channel.exchange.release.since(*_FAILS_WITHOUT_FILE):
            return failed(f"-1 endpos={offset}")
        return done(f"0 endpos={offset}")
    if played.ended == "line":
        return silence()
    if channel.exchange.release.since("12"):
        channel.variables["PLAYBACKSTATUS"] = "FAILED" if played.code else "SUCCESS"
    text = f"{played.code} endpos={played.position}"
    return failed(text) if played.ended == "hangup" else done(text)


@MEDIA.command("GET OPTION", 2)
def _get_option(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    name, stops = arguments[:2]
    timeout = leading_integer(arguments[2]) if len(arguments) > 2 else channel.digit_timeout
    played = yield from play(channel, name, stops=stops, kinds=("line", "control"))
    match played.ended:
        case "failed":
            if channel.exchange.release.since(*_FAILS_WITHOUT_FILE):
                return failed("-1 endpos=0")
            return done("0 endpos=0")
        case "line":
            return silence()
        case "hangup":
            return failed(f"-1 endpos={played.position}")
        case "key":
            return done(f"{played.code} endpos={played.position}")
        case "control":
            return done(f"0 endpos={played.position}")
        case _:
            pass
    code = 0
    if timeout:
        until = None if timeout < 0 else channel.now + timeout
        happening = yield Wait(until, ("key", "line", "control"))
        # Any key ends the wait, a listed one is told; a hangup is told as no key.
        if happening.kind == "key" and happening.value in stops:
            code = ord(happening.value)
    return done(f"{code} endpos={played.position}")


@MEDIA.command("WAIT FOR DIGIT", 1)
def _wait_for_digit(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    timeout = integer(arguments[0])
    if timeout is None:
        raise UsageError
    if timeout == 0:
        return done(0)
    until = None if timeout < 0 else channel.now + timeout
    happening = yield Wait(until, ("key", "line", "control"))
    match happening.kind:
        case "key":
            return done(ord(happening.value))
        case "line":
            return done(1)
        case "control":
            return done(CONTROLS[happening.value])
        case "hangup":
            return failed(-1)
        case _:
            return done(0)


@MEDIA.command("GET DATA", 1)
def _get_data(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    timeout = leading_integer(_word(arguments, 1, "0"))
    most = leading_integer(_word(arguments, 2, str(_MOST_DIGITS)))
    first, between = (timeout, timeout) if timeout > 0 else (_FIRST_DIGIT, _NEXT_DIGIT)
    if timeout < 0:
        first = between = _FOREVER
    if most == 0:
        return done(-1)
    digits = ""
    key = ""
    if arguments[0]:
        played = yield from play(channel, arguments[0], stops="0123456789*#ABCD", kinds=("line",))
        if played.ended in ("failed", "hangup"):
            return done(-1)
        if played.ended == "line":
            return silence()
        key = played.value
    while True:
        if not key:
            happening = yield Wait(channel.now + (between if digits else first), ("key", "line"))
            match happening.kind:
                case "line":
                    return silence()
                case "hangup":
                    return done(-1)
                case "time":
                    return done(f"{digits} (timeout)")
                case _:
                    key = happening.value
        if key == "#":
            return done(digits)
        digits += key
        key = ""
        if len(digits) >= most:
            return done(digits)


# ---- CONTROL STREAM FILE ----


@MEDIA.command("CONTROL STREAM FILE", 2)
def _control_stream_file(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    skip = integer(_word(arguments, 2, "3000"))
    offset = long_integer(_word(arguments, 6, "0"))
    if skip is None or offset is None:
        raise UsageError
    name, start = arguments[0], ""
    if name[-4:].lower() == ":end":
        name, start = name[:-4], "end"
    length = channel.exchange.sounds.length(name)
    reports = channel.exchange.release.since("12")
    if length is None:
        channel.note("call", f"there is no sound {name!r}")
        return _controlled(channel, "ERROR", -1, -1, reports=reports)
    if start or offset < 0:
        offset = max(length + min(offset, 0), 0)
    tape = _Tape(channel, length, min(offset, length))
    return (yield from _run_tape(channel, tape, name, arguments, skip, reports=reports))


class _Tape:
    """Where in a file playback stands, in milliseconds."""

    def __init__(self, channel: SimulatedChannel, length: int, position: int) -> None:
        self._channel = channel
        self._length = length
        self._from = position
        self._since = channel.now
        self.paused = False

    @property
    def position(self) -> int:
        passed = 0 if self.paused else self._channel.now - self._since
        return min(self._from + passed // 20 * 20, self._length)

    @property
    def end(self) -> int | None:
        """The moment at which the file ends; None while it is paused."""
        return None if self.paused else self._since + self._length - self._from

    def go(self, position: int) -> None:
        """Go to a place in the file."""
        self._from = max(min(position, self._length), 0)
        self._since = self._channel.now

    def pause(self) -> None:
        """Pause, or go on."""
        self.go(self.position)
        self.paused = not self.paused


def _run_tape(
    channel: SimulatedChannel,
    tape: _Tape,
    name: str,
    arguments: list[str],
    skip: int,
    *,
    reports: bool,
) -> Activity[Answer]:
    stops = arguments[1]
    forward, rewind = _word(arguments, 3) or "#", _word(arguments, 4) or "*"
    pause = _word(arguments, 5)
    sound = channel.sound_begins("file", name)
    while True:
        happening = yield Wait(tape.end, ("key", "control"))
        value = happening.value
        match happening.kind:
            case "time":
                channel.sound_ends(sound, whole=True)
                return _controlled(channel, "SUCCESS", 0, -1, reports=reports)
            case "hangup":
                channel.sound_ends(sound, whole=False)
                return _controlled(channel, "ERROR", -1, tape.position, reports=reports)
            case "control":
                if value == "stop":
                    channel.sound_ends(sound, whole=False)
                    return _controlled(channel, "REMOTESTOPPED", 0, tape.position, reports=reports)
                if value == "suspend":
                    tape.pause()
                else:
                    step = {"forward": skip, "reverse": -skip}.get(value)
                    tape.go(0 if step is None else tape.position + step)
            case _:
                # The keys that wind come first, even where they are listed as keys that stop.
                if not tape.paused and value in forward:
                    tape.go(tape.position + skip)
                elif not tape.paused and value in rewind:
                    tape.go(tape.position - skip)
                elif value in pause:
                    tape.pause()
                elif value in stops:
                    channel.sound_ends(sound, whole=False)
                    channel.variables["CPLAYBACKSTOPKEY"] = value
                    return _controlled(
                        channel, "USERSTOPPED", ord(value), tape.position, reports=reports
                    )


def _controlled(
    channel: SimulatedChannel, status: str, code: int, position: int, *, reports: bool
) -> Answer:
    text = str(code)
    if reports:
        channel.variables["CPLAYBACKSTATUS"] = status
        channel.variables["CPLAYBACKOFFSET"] = str(position)
        text = f"{code} endpos={position}"
    return failed(text) if code < 0 else done(text)
