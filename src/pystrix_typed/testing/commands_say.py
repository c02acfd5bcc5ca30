"""The commands that speak: numbers, signs and times, in English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, UsageError, done, failed, silence
from pystrix_typed.testing.playback import say
from pystrix_typed.testing.spoken import (
    DATE,
    DATETIME,
    TIME,
    alpha_files,
    digit_files,
    number_files,
    phonetic_files,
    time_files,
)
from pystrix_typed.testing.tokens import integer, long_integer

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = ["SAY"]

SAY = Table()
#: Releases in which a key ends spelling only during the last sound, and is lost before.
_LOSE_KEYS = (("16.21.0", "16.24.0"), ("18.7.0", "18.10.0"), ("19.0.0", "19.2.0"))
#: Releases in which spelling fails when the first of several sounds is missing.
_NEED_THE_FIRST = (
    ("16.21.0", "16.30.0"),
    ("18.7.0", "18.16.0"),
    ("19.0.0", "19.8.0"),
    ("20.0.0", "20.1.0"),
)


def _speak(
    channel: SimulatedChannel,
    kind: str,
    arguments: list[str],
    files: list[str],
    *,
    by_sign: bool = False,
    interruptible: bool = False,
) -> Activity[Answer]:
    """Say something and answer.

    Args:
        channel: To whom.
        kind: What kind of thing.
        arguments: The text, and the keys that end it.
        files: The sounds.
        by_sign: Whether it is spelled: what has no sound is left out then.
        interruptible: Whether a new command ends it, while the caller's sound goes to a script.
    """
    release, sounds = channel.exchange.release, channel.exchange.sounds
    if by_sign and release.within(*_NEED_THE_FIRST):
        first = files[0] if files else ""
        missing = not first.endswith(_endings(arguments[0])) or not sounds.exists(first)
        if missing and any(sounds.exists(name) for name in files):
            return failed(-1)
    played = yield from say(
        channel,
        kind,
        arguments[0],
        files,
        stops=arguments[1],
        lenient=by_sign,
        late_keys=by_sign and release.within(*_LOSE_KEYS),
        interruptible=interruptible and channel.dialogue.eagi,
    )
    if played.ended == "line":
        return silence()
    return failed(played.code) if played.code < 0 else done(played.code)


def _endings(text: str) -> tuple[str, ...]:
    """Give how the files of a text's first sign may end; none for one that has no sound."""
    sign = text[:1]
    files = [*alpha_files(sign, "a"), *phonetic_files(sign), *digit_files(sign)]
    return tuple(files)


@SAY.command("SAY NUMBER", 2)
def _number(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    number = integer(arguments[0])
    if number is None:
        raise UsageError
    return _speak(channel, "number", arguments, number_files(number), interruptible=True)


@SAY.command("SAY DIGITS", 2)
def _digits(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    if integer(arguments[0]) is None:
        raise UsageError
    files = digit_files(arguments[0])
    return _speak(channel, "digits", arguments, files, by_sign=True, interruptible=True)


@SAY.command("SAY ALPHA", 2)
def _alpha(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    case = arguments[2][:1].lower() if len(arguments) > 2 else ""
    if case not in ("", "a", "l", "n", "u"):
        raise UsageError
    files = alpha_files(arguments[0], case)
    return _speak(channel, "alpha", arguments, files, by_sign=True, interruptible=True)


@SAY.command("SAY PHONETIC", 2)
def _phonetic(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    files = phonetic_files(arguments[0])
    return _speak(channel, "phonetic", arguments, files, by_sign=True, interruptible=True)


def _moment(text: str) -> int:
    moment = integer(text)
    if moment is None:
        raise UsageError
    return moment


@SAY.command("SAY DATE", 2)
def _date(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    return _speak(channel, "date", arguments, time_files(_moment(arguments[0]), DATE))


@SAY.command("SAY TIME", 2)
def _time(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    return _speak(channel, "time", arguments, time_files(_moment(arguments[0]), TIME))


@SAY.command("SAY DATETIME", 2)
def _datetime(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    moment = long_integer(arguments[0])
    if moment is None:
        raise UsageError
    pattern = arguments[2] if len(arguments) > 2 else DATETIME
    zone = arguments[3] if len(arguments) > 3 else ""
    return _speak(channel, "datetime", arguments, time_files(moment, pattern, zone))
