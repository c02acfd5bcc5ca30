"""The dialplan's commands: applications, routines, and where the call goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, UsageError, done, failed
from pystrix_typed.testing.channel import Location
from pystrix_typed.testing.functions import expanded
from pystrix_typed.testing.routines import (
    find_place,
    run_application,
    run_routine,
    split_arguments,
)
from pystrix_typed.testing.tokens import integer

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = ["DIALPLAN", "is_true"]

DIALPLAN = Table()
_EXPANDS = ("16.27.0", "18.13.0", "19.5.0", "20.0.0")
_ABNORMAL = ("1.8.30.0", "11.0.0")
#: Bytes of a context or an extension that the channel keeps.
_PLACE_BYTES = 79
_NOT_FOUND = "-1 Gosub label not found"


def is_true(value: str) -> bool:
    """Read a switch as Asterisk does: yes, true, y, t, 1, on."""
    return value.lower() in ("yes", "true", "y", "t", "1", "on")


@DIALPLAN.command("EXEC", 1)
def _exec(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    name, options = arguments[0], arguments[1] if len(arguments) > 1 else ""
    full = is_true(channel.variables.get("AGIEXECFULL", ""))
    if full and channel.exchange.release.since(*_EXPANDS):
        options = expanded(channel, options)
    result = yield from run_application(channel, name, options)
    return Answer(f"200 result={result}", failed=result == 2, usage=result == 1)


@DIALPLAN.command("GOSUB", 3)
def _gosub(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    context, extension, wanted = arguments[:3]
    priority = integer(wanted)
    if priority is None or priority < 1:
        priority = channel.exchange.dialplan.label(context, extension, wanted)
    if priority is None:
        return failed(_NOT_FOUND)
    place = Location(context, extension, priority)
    if not find_place(channel, place):
        return failed(_NOT_FOUND)
    channel.dialogue.say("100 result=0 Trying...")
    words = split_arguments(arguments[3]) if len(arguments) > 3 else []
    returned = yield from run_routine(channel, place, words)
    if returned or not channel.exchange.release.since(*_ABNORMAL):
        return Answer("200 result=0 Gosub complete", notice=True)
    return Answer("200 result=0 Gosub complete (abnormal exit)", notice=True)


def _cut(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")[:_PLACE_BYTES]
    return data.decode("utf-8", "surrogateescape")


@DIALPLAN.command("SET CONTEXT", 1)
def _set_context(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    channel.location = channel.location._replace(context=_cut(arguments[0]))
    return done(0)


@DIALPLAN.command("SET EXTENSION", 1)
def _set_extension(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    channel.location = channel.location._replace(extension=_cut(arguments[0]))
    return done(0)


@DIALPLAN.command("SET PRIORITY", 1)
def _set_priority(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    here = channel.location
    priority = integer(arguments[0])
    if priority is None:
        priority = channel.exchange.dialplan.label(here.context, here.extension, arguments[0])
    if priority is None:
        raise UsageError
    if priority >= 0:
        # The dialplan goes on behind the place where the channel stands.
        channel.location = here._replace(priority=priority - 1)
    return done(0)
