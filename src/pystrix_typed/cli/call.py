"""``pystrix-typed call``: an Asterisk on the command line, to call any FastAGI server with."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pystrix_typed.agi.core.catalogue import BY_COMMAND
from pystrix_typed.cli.keyboard import Keyboard
from pystrix_typed.cli.live import Shown, converse_live
from pystrix_typed.cli.many import Outcome, place_many
from pystrix_typed.cli.problem import Problem
from pystrix_typed.cli.screen import Screen
from pystrix_typed.cli.steps import caller_of
from pystrix_typed.testing import Caller, RecordedCall, SimulatedAsterisk
from pystrix_typed.testing.tokens import split
from pystrix_typed.testing.transports import converse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pystrix_typed.testing import SimulatedCall

__all__ = ["UNREACHABLE", "Order", "place"]

#: Exit status when there was nobody to call.
UNREACHABLE = 3
#: Exit status when it was broken off with Ctrl-C.
INTERRUPTED = 130
_PORT = 4573
#: A host, or an address of IPv6 in brackets, and a port.
_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:@?#\s]+))(?::([0-9]{1,9}))?", re.ASCII)
#: Commands that ask for keys whatever their arguments are.
_ASKING = {"WAIT FOR DIGIT", "GET DATA", "GET OPTION", "SPEECH RECOGNIZE"}
#: Milliseconds until somebody who is asked presses the first key; that a key is held; and between
#: two.
_THINKS, _HOLDS, _BETWEEN = 300, 100, 100


class Order(NamedTuple):
    """What the command line says; the options' own words describe each."""

    url: str
    press: Sequence[str]
    hangup_after: float | None
    steps: Path | None
    interactive: bool
    caller: str
    arguments: Sequence[str]
    variables: Sequence[str]
    sounds: Sequence[str]
    database: Sequence[str]
    asterisk: str
    speed: float
    timeout: float
    repeat: int
    concurrency: int
    as_json: bool
    record: Path | None


class _Target(NamedTuple):
    host: str
    port: int
    script: str

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class _Outcome(NamedTuple):
    """What became of one call; `problem` is a line that says why it failed."""

    status: str
    seconds: float
    problem: str
    call: SimulatedCall | None


def place(order: Order) -> int:
    """Place the calls, and give the exit status.

    Raises:
        Problem: An option is wrong, or there is nobody to call.
    """
    target = _target(order.url)
    try:
        asterisk = _asterisk(order)
        caller = _caller(order)
        _pairs("--var", order.variables)
    except ValueError as error:
        raise Problem(str(error), status=2) from None
    many = order.repeat > 1 or order.concurrency > 1
    if order.interactive and (many or order.as_json):
        raise Problem("--interactive is for one call, and for people to read", status=2)
    if order.record is not None and many:
        raise Problem("--record is for one call", status=2)
    if order.interactive:
        Keyboard.require()
    if order.record is not None:
        _check_writable(order.record)
    if many:
        return _place_many(order, target, caller)
    screen = None if order.as_json else Screen()
    outcome = _place_one(order, target, asterisk, caller, screen)
    if order.record is not None and outcome.call is not None:
        _keep(outcome.call, order.record)
    if order.as_json:
        print(json.dumps(_data(order.url, outcome), indent=2))
    elif screen is not None and outcome.call is not None:
        screen.title(_ending(outcome))
    if outcome.status == "UNREACHABLE":
        raise Problem(outcome.problem, status=UNREACHABLE)
    return 1 if outcome.problem else 0


def _place_one(
    order: Order,
    target: _Target,
    asterisk: SimulatedAsterisk,
    caller: Caller,
    screen: Screen | None,
) -> _Outcome:
    began = time.monotonic()
    call = asterisk.prepare(
        target.script,
        request=f"agi://{target.shown}/{target.script}",
        caller=caller,
        arguments=tuple(order.arguments),
        variables=_pairs("--var", order.variables),
    )
    try:
        connection = socket.create_connection(target[:2], order.timeout)
    except OSError as error:
        why = f"cannot connect to {target.shown}: {error.strerror or error}"
        return _Outcome("UNREACHABLE", time.monotonic() - began, why, None)
    if order.hangup_after is not None:
        moment = round(order.hangup_after * 1000)
        call.channel.timeline.at(moment, partial(call.channel.hang_up, "caller"))
    _Presser(call, order.press)
    shown = Shown(connection, call, screen)
    if order.interactive:
        with Keyboard() as keyboard:
            converse_live(call, shown, connection, keyboard)
    else:
        converse(call, shown, speed=order.speed, patience=order.timeout)
    shown.show()
    return _Outcome(call.agistatus, time.monotonic() - began, _problem(call), call)


def _check_writable(path: Path) -> None:
    """Say what will keep a recording from being written while there is no call to lose."""
    folder = path.parent
    if path.is_dir():
        why = "it is a folder; --record takes a file, such as call.agi.jsonl"
    elif not folder.is_dir():
        why = f"there is no folder {folder}"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        why = "Permission denied"
    else:
        return
    raise Problem(f"cannot write {path}: {why}", status=2)


def _keep(call: SimulatedCall, path: Path) -> None:
    try:
        RecordedCall.of(call.transcript).save(path)
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror or error}", status=2) from None


def _problem(call: SimulatedCall) -> str:
    if call.failure is not None:
        return str(call.failure).partition("\n")[0]
    if not call.transcript.commands:
        return "the server gave no command"
    if all(any(line.startswith("510 ") for line in lines) for _, lines in call.transcript.dialogue):
        return "the server gave no command that Asterisk knows"
    if call.agistatus == "FAILURE":
        return "AGISTATUS is FAILURE: a command failed, or the session broke off"
    return ""


class _Presser:
    """Presses keys whenever the script asks for some."""

    def __init__(self, call: SimulatedCall, press: Sequence[str]) -> None:
        self._channel = call.channel
        self._transcript = call.transcript
        self._left = [keys.replace(" ", "").upper() for keys in press]
        self._met = 0
        call.channel.on_command.append(self._look)

    def _look(self) -> None:
        number, name, running = self._channel.latest_command
        if not (running and self._left and number > self._met and self._asks(name)):
            return
        self._met = number
        at = _THINKS
        for key in self._left.pop(0):
            at += _HOLDS
            self._channel.timeline.after(at, partial(self._press, key))
            at += _BETWEEN

    def _press(self, key: str) -> None:
        if not self._channel.hung_up:
            self._channel.key(key)

    def _asks(self, name: str) -> bool:
        if name in _ASKING:
            return True
        command = BY_COMMAND.get(name)
        if command is None:
            return False
        names = [argument.name for argument in command.arguments]
        if "escape_digits" not in names:
            return False
        line = self._transcript.commands[-1].encode("utf-8", "surrogateescape")
        words = [str(word) for word in split(line)][len(name.split()) :]
        place = names.index("escape_digits")
        return len(words) > place and words[place] != ""


def _place_many(order: Order, target: _Target, caller: Caller) -> int:
    began = time.monotonic()

    def one() -> Outcome:
        # Calls at a time must not share an exchange.
        outcome = _place_one(order, target, _asterisk(order), caller, None)
        return Outcome(outcome.status, outcome.seconds, outcome.problem)

    tally, broken_off = place_many(one, order.repeat, order.concurrency)
    took = time.monotonic() - began
    if order.as_json:
        print(json.dumps(tally.data(took), indent=2))
    else:
        print("\n".join(tally.lines(took)))
    if broken_off:
        return INTERRUPTED
    if tally.counts.get("UNREACHABLE") == tally.calls:
        return UNREACHABLE
    return 1 if tally.failed else 0


def _ending(outcome: _Outcome) -> str:
    call = outcome.call
    assert call is not None
    by = f"is hung up by the {call.hung_up_by}" if call.hung_up_by else "goes on in the dialplan"
    text = f"The call {by} after {call.duration:.1f} s; AGISTATUS is {outcome.status}."
    return f"{text}\n{outcome.problem}" if outcome.problem else text


def _data(url: str, outcome: _Outcome) -> dict[str, object]:
    made: dict[str, object] = {
        "url": url,
        "status": outcome.status,
        "problem": outcome.problem,
        "real_seconds": round(outcome.seconds, 4),
    }
    call = outcome.call
    if call is not None:
        made |= {
            "seconds": call.duration,
            "answered": call.answered,
            "hung_up_by": call.hung_up_by,
            "heard": call.heard,
            "pressed": call.pressed,
            "variables": dict(call.variables),
            "database": {"/".join(place): value for place, value in call.database.items()},
            "recordings": [each._asdict() for each in call.recordings],
            "executed": [each._asdict() for each in call.executed],
            "location": call.location._asdict(),
            "transcript": [each._asdict() for each in call.transcript],
        }
    return made


def _asterisk(order: Order) -> SimulatedAsterisk:
    sounds = {
        name: _number(f"--sound {name}", text)
        for name, text in _pairs("--sound", order.sounds).items()
    }
    database: dict[tuple[str, str], str] = {}
    for place, value in _pairs("--database", order.database).items():
        family, slash, key = place.partition("/")
        if not slash:
            raise ValueError(f"--database {place}: it is FAMILY/KEY=VALUE")
        database[family, key] = value
    return SimulatedAsterisk(order.asterisk, sounds=sounds or None, database=database)


def _caller(order: Order) -> Caller:
    number, _, name = order.caller.partition(":")
    for keys in order.press:
        Caller().presses(keys)  # says what is wrong with them
    if order.steps is None:
        return Caller(number, name)
    try:
        text = order.steps.read_text(encoding="utf-8")
    except OSError as error:
        why = error.strerror or error
        raise Problem(f"cannot read {order.steps}: {why}", status=2) from None
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is no UTF-8"
        raise Problem(f"cannot read {order.steps}: {why}", status=2) from None
    return caller_of(text, Caller(number, name), str(order.steps))


def _pairs(option: str, values: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} {text}: it is NAME=VALUE")
        found[name] = value
    return found


def _number(option: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{option}: {text!r} is no number of seconds")
    return seconds


def _target(url: str) -> _Target:
    """Take an address apart as Asterisk does: what follows the slash stays as it is."""
    scheme, there, rest = url.partition("://")
    if not there:
        scheme, rest = "agi", url
    place, _, script = rest.partition("/")
    found = _PLACE.fullmatch(place)
    if scheme.lower() != "agi" or found is None:
        raise Problem(f"{url!r} is not of the form agi://host:port/path?query", status=2)
    port = int(found[3] or _PORT)
    if not 0 < port < 65536:
        raise Problem(f"{url!r} is no address: a port is a number from 1 to 65535", status=2)
    if any(character < " " for character in script):
        raise Problem(f"{url!r} is no address: there is a control character in it", status=2)
    return _Target(found[1] or found[2], port, script)
