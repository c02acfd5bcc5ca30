"""The dialplan applications that are built in; a test registers others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.channel import UP
from pystrix_typed.testing.functions import write
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.playback import play, rest
from pystrix_typed.testing.routines import find_place, place_of, run_application, run_routine
from pystrix_typed.testing.timeline import milliseconds
from pystrix_typed.testing.tokens import real

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.exchange import Application
    from pystrix_typed.testing.happening import Activity

__all__ = ["BUILT_IN", "Returned"]

#: What Incomplete returns: the PBX is to collect more digits.
_INCOMPLETE = 12
#: Any key.
_ALL_KEYS = "0123456789*#ABCD"


class Returned(BaseException):
    """The routine came to its Return; it carries no failure."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


def _nothing(_channel: SimulatedChannel, _options: str) -> int:
    return 0


def _answer(channel: SimulatedChannel, _options: str) -> int:
    channel.answer()
    return -1 if channel.hung_up else 0


def _hangup(channel: SimulatedChannel, _options: str) -> int:
    channel.hang_up("asterisk")
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


def _playback(channel: SimulatedChannel, options: str) -> Activity[int]:
    files, _, flags = options.partition(",")
    if "noanswer" not in flags and channel.state != UP:
        channel.answer()
    status = "SUCCESS"
    for name in files.split("&"):
        played = yield from play(channel, name)
        if played.ended == "failed":
            status = "FAILED"
        if played.ended == "hangup":
            channel.variables["PLAYBACKSTATUS"] = "FAILED"
            return -1
    channel.variables["PLAYBACKSTATUS"] = status
    return 0


def _background(channel: SimulatedChannel, options: str) -> Activity[int]:
    files, _, flags = options.partition(",")
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


def _set(channel: SimulatedChannel, options: str) -> int:
    name, equals, value = options.partition("=")
    name = name.strip()
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


def _return(_channel: SimulatedChannel, options: str) -> int:
    raise Returned(options)


def _goto(channel: SimulatedChannel, options: str) -> int:
    place = place_of(channel, options)
    if place is None:
        return -1
    channel.location = place
    return 0


def _branch(condition: str, choices: str) -> str:
    yes, _, no = choices.partition(":")
    return yes if condition.strip() not in ("", "0") else no


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


def _gosub(channel: SimulatedChannel, options: str) -> Activity[int]:
    where, _, rest_of_it = options.partition("(")
    place = place_of(channel, where)
    if place is None or not find_place(channel, place):
        return -1
    inside = rest_of_it.rstrip().removesuffix(")")
    returned = yield from run_routine(channel, place, inside.split(",") if inside else [])
    return 0 if returned else -1


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
    "dbdeltree": _delete_tree,
    "return": _return,
    "goto": _goto,
    "gotoif": _goto_if,
    "execif": _exec_if,
    "gosub": _gosub,
    "startmusiconhold": _music,
    "stopmusiconhold": _stop_music,
    "musiconhold": _music_for,
    "verbose": _log,
    "log": _log,
    "incomplete": _incomplete,
}
