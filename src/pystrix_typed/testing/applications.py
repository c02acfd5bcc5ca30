"""The dialplan applications that are built in; a test registers others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.channel import NORMAL_CLEARING, UP
from pystrix_typed.testing.functions import write
from pystrix_typed.testing.functions_text import is_met
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.playback import play, rest, say
from pystrix_typed.testing.routines import (
    enter_routine,
    find_place,
    leave_routine,
    place_of,
    run_application,
    split_arguments,
)
from pystrix_typed.testing.spoken import alpha_files, digit_files, number_files, phonetic_files
from pystrix_typed.testing.timeline import milliseconds
from pystrix_typed.testing.tokens import integer, leading_integer, real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.exchange import Application
    from pystrix_typed.testing.happening import Activity

__all__ = ["BUILT_IN"]

#: What Incomplete returns: the PBX is to collect more digits.
_INCOMPLETE = 12
#: Any key.
_ALL_KEYS = "0123456789*#ABCD"


def _nothing(_channel: SimulatedChannel, _options: str) -> int:
    return 0


def _answer(channel: SimulatedChannel, _options: str) -> int:
    channel.answer()
    return -1 if channel.hung_up else 0


def _hangup(channel: SimulatedChannel, options: str) -> int:
    cause = leading_integer(options) or NORMAL_CLEARING
    channel.hangup_source = channel.hangup_source or "dialplan/builtin"
    channel.cause = cause
    channel.hang_up("asterisk", cause)
    return -1


def _wait(channel: SimulatedChannel, options: str) -> Activity[int]:
    lasted = yield from rest(channel, milliseconds(max(real(options) or 0, 0)))
    return 0 if lasted else -1


def _wait_exten(channel: SimulatedChannel, options: str) -> Activity[int]:
    seconds = real(options.partition(",")[0])
    wait = channel.response_timeout if seconds is None else milliseconds(seconds)
    happening = yield Wait(channel.now + wait, ("key",))
    if happening.kind == "key":
        return ord(happening.value)
    return -1 if happening.kind == "hangup" else 0


def _set_many(channel: SimulatedChannel, options: str) -> int:
    for part in split_arguments(options):
        _set(channel, part)
    return 0


def _playback(channel: SimulatedChannel, options: str) -> Activity[int]:
    files, _, flags = options.partition(",")
    if not files:
        return -1
    if channel.hung_up:
        channel.variables["PLAYBACKSTATUS"] = "FAILED"
        return 0
    if "noanswer" not in flags and channel.state != UP:
        channel.answer()
    status = "SUCCESS"
    for name in files.split("&"):
        played = yield from play(channel, name)
        if played.ended == "failed":
            status = "FAILED"
        if played.ended == "hangup":
            channel.variables["PLAYBACKSTATUS"] = status
            return -1
    channel.variables["PLAYBACKSTATUS"] = status
    return 0


def _background(channel: SimulatedChannel, options: str) -> Activity[int]:
    files, _, flags = options.partition(",")
    if channel.hung_up:
        channel.variables["BACKGROUNDSTATUS"] = "FAILED"
        return 0
    if "n" not in flags.partition(",")[0] and channel.state != UP:
        channel.answer()
    status = "SUCCESS"
    for name in files.split("&"):
        played = yield from play(channel, name, stops=_ALL_KEYS)
        if played.ended == "failed":
            status = "FAILED"
            continue
        if played.ended != "end":
            channel.variables["BACKGROUNDSTATUS"] = status
            return played.code
    channel.variables["BACKGROUNDSTATUS"] = status
    return 0


def _read(channel: SimulatedChannel, options: str) -> Activity[int]:
    """Collect keys into a variable: ``Read(variable,files,most,options,attempts,timeout)``."""
    given = [*options.split(","), *[""] * 6]
    name, files, most = given[0], given[1], leading_integer(given[2])
    attempts, seconds = max(leading_integer(given[4]), 1), real(given[5]) or 0
    wait = milliseconds(seconds) if seconds > 0 else 0
    digits, status = "", "TIMEOUT"
    for _ in range(attempts):
        key = ""
        for file in files.split("&") if files else ():
            played = yield from play(channel, file, stops=_ALL_KEYS)
            if played.ended == "hangup":
                status = "HANGUP"
            key = played.value
            if played.ended in ("key", "hangup"):
                break
        while status != "HANGUP":
            if not key:
                patience = wait or (channel.digit_timeout if digits else channel.response_timeout)
                happening = yield Wait(channel.now + patience, ("key",))
                if happening.kind != "key":
                    status = "HANGUP" if happening.kind == "hangup" else "TIMEOUT"
                    break
                key = happening.value
            if key != "#":
                digits += key
            if key == "#" or len(digits) == (most or 255):
                status = "OK"
                break
            key = ""
        if status != "TIMEOUT" or digits:
            break
    channel.variables[name] = digits
    channel.variables["READSTATUS"] = status
    return 0


def _set(channel: SimulatedChannel, options: str) -> int:
    name, equals, value = options.partition("=")
    if not equals or not name:
        return 0
    if name.endswith(")"):
        write(channel, name, value)
    else:
        channel.variables[name.lstrip("_")] = value
    return 0


def _delete_tree(channel: SimulatedChannel, options: str) -> int:
    family, _, tree = options.partition("/")
    if family and not channel.exchange.database.busy:
        channel.exchange.database.delete_tree(family, tree)
    return 0


def _return(channel: SimulatedChannel, options: str) -> int:
    if not channel.frames:
        return -1
    leave_routine(channel)
    channel.variables["GOSUB_RETVAL"] = options
    return 0


def _goto(channel: SimulatedChannel, options: str) -> int:
    place = place_of(channel, options)
    if place is None:
        return -1
    # The dialplan goes on behind the place where the channel stands.
    channel.location = place._replace(priority=place.priority - 1)
    return 0


def _branch(condition: str, choices: str) -> str:
    yes, _, no = choices.partition(":")
    return yes if is_met(condition) else no


def _goto_if(channel: SimulatedChannel, options: str) -> int:
    condition, _, choices = options.partition("?")
    chosen = _branch(condition, choices)
    return _goto(channel, chosen) if chosen else 0


def _exec_if(channel: SimulatedChannel, options: str) -> Activity[int]:
    condition, _, choices = options.partition("?")
    chosen = _branch(condition, choices)
    if not chosen:
        return 0
    name, _, rest_of_it = chosen.partition("(")
    return (
        yield from run_application(channel, name.strip(), rest_of_it.rstrip().removesuffix(")"))
    )


def _gosub(channel: SimulatedChannel, options: str) -> int:
    where, _, rest_of_it = options.partition("(")
    place = place_of(channel, where)
    if place is None or not find_place(channel, place):
        return -1
    arguments = split_arguments(rest_of_it.rstrip().removesuffix(")"))
    enter_routine(channel, place._replace(priority=place.priority - 1), arguments)
    return 0


def _gosub_if(channel: SimulatedChannel, options: str) -> int:
    condition, _, choices = options.partition("?")
    chosen = _branch(condition, choices)
    return _gosub(channel, chosen) if chosen else 0


def _music(channel: SimulatedChannel, options: str) -> int:
    channel.music = options.partition(",")[0] or channel.music_class or "default"
    return 0


def _stop_music(channel: SimulatedChannel, _options: str) -> int:
    channel.music = ""
    return 0


def _music_for(channel: SimulatedChannel, options: str) -> Activity[int]:
    name, _, seconds = options.partition(",")
    _music(channel, name)
    wait = real(seconds)
    happening = yield Wait(None if wait is None else channel.now + milliseconds(wait))
    channel.music = ""
    return 0 if happening.kind == "time" else -1


def _log(channel: SimulatedChannel, options: str) -> int:
    channel.log.append(options.partition(",")[2] or options)
    return 0


def _speaker(kind: str, files: Callable[[str], list[str]]) -> Application:
    def speak(channel: SimulatedChannel, options: str) -> Activity[int]:
        played = yield from say(channel, kind, options, files(options), lenient=True)
        return played.code

    return speak


def _say_number(channel: SimulatedChannel, options: str) -> Activity[int]:
    number = integer(options.partition(",")[0])
    if number is None:
        return -1
    played = yield from say(channel, "number", str(number), number_files(number))
    return played.code


def _incomplete(_channel: SimulatedChannel, _options: str) -> int:
    return _INCOMPLETE


BUILT_IN: Mapping[str, Application] = {
    "noop": _nothing,
    "ringing": _nothing,
    "progress": _nothing,
    "proceeding": _nothing,
    "stopplaytones": _nothing,
    "playtones": _nothing,
    "answer": _answer,
    "hangup": _hangup,
    "wait": _wait,
    "waitexten": _wait_exten,
    "playback": _playback,
    "background": _background,
    "set": _set,
    "mset": _set_many,
    "read": _read,
    "dbdeltree": _delete_tree,
    "return": _return,
    "goto": _goto,
    "gotoif": _goto_if,
    "execif": _exec_if,
    "gosub": _gosub,
    "gosubif": _gosub_if,
    "saydigits": _speaker("digits", digit_files),
    "sayalpha": _speaker("alpha", alpha_files),
    "sayphonetic": _speaker("phonetic", phonetic_files),
    "saynumber": _say_number,
    "startmusiconhold": _music,
    "stopmusiconhold": _stop_music,
    "musiconhold": _music_for,
    "verbose": _log,
    "log": _log,
    "incomplete": _incomplete,
}
