"""Whatever Asterisk says, however it arrives: the right results in order, or a documented error.

All of it on a clock that stands still, so that waiting forever is seen and not waited for.
"""

from __future__ import annotations

import math
import re
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pystrix_typed.agi.core import SetVariable, Verbose
from pystrix_typed.agi.exceptions import (
    AGIAppError,
    AGIClosedError,
    AGIDeadChannelError,
    AGIException,
    AGIHangup,
    AGIInvalidCommandError,
    AGITimeoutError,
    AGIUsageError,
)
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.wire import parse, reply_code, speech_results, variables_of

from .cases import LAST, Exec, Noop, Play, Said, Say, Value, WaitDigit
from .peer import ENVIRONMENT, Abandoned, Asterisk, Doing, Wire, asked, scripted
from .tokenizer import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pystrix_typed.agi.record import AnyAction

#: Sizes of the pieces in which bytes arrive, over and over.
PIECES = st.one_of(
    st.just([65536]),
    st.just([1]),
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
)


def cut_in(pieces: list[int]) -> Callable[[bytes], Iterable[bytes]]:
    """Cut what is written into pieces of these sizes, over and over."""

    def cut(data: bytes) -> Iterable[bytes]:
        at = 0
        for size in cycle(pieces):
            if at >= len(data):
                return
            yield data[at : at + size]
            at += size

    return cut


def session(
    asterisk: Asterisk, pieces: list[int], verify: bool, resync_timeout: float = 30.0
) -> Wire:
    """Give a session that has read its variables."""
    protocol = Protocol(verify_values=verify, resync_timeout=resync_timeout)
    wire = Wire(protocol, asterisk, cut_in(pieces), ENVIRONMENT)
    wire.drive(protocol.start(None))
    return wire


# ---- what Asterisk may say ----


class Exchange(NamedTuple):
    """A command, all that is said to it, and what must come of it."""

    action: AnyAction
    answer: bytes
    expected: object


def no_reply(line: bytes) -> bool:
    """Tell whether a line has neither a reply's form nor a notice's."""
    return b"\n" not in line and line != b"HANGUP" and not re.match(rb"[0-9]{3}([ -]|$)", line)


NOISE = st.one_of(
    st.sampled_from([b"", b"HANGUP ", b" HANGUP", b"20", b"2000 result=1", b"x 200 result=1"]),
    st.binary(max_size=30),
).filter(no_reply)
PROVISIONAL = st.sampled_from([b"100 result=0 Trying...", b"100 Trying...", b"100"])
#: What may come in front of any reply.
BEFORE = st.lists(st.one_of(NOISE, PROVISIONAL, st.just(b"HANGUP")), max_size=4).map(
    lambda lines: b"".join([line + b"\n" for line in lines])
)
AFTER = st.sampled_from([b"", b"", b"HANGUP\n", b"HANGUP\nHANGUP\n"])
WORD = st.text("0123456789ABCD*#-.xyz", max_size=12)
VALUE = st.one_of(
    st.binary(max_size=60),
    st.binary(min_size=1100, max_size=1400),
    st.lists(
        st.sampled_from(
            [
                *(b")", b"(", b"\n", b")\n", b"200 result=1 (", b"HANGUP\n", b"\nHANGUP"),
                *(b"520-Invalid\n", b"520 End of proper usage.\n", b"x", b"\xff", b"510 no\n"),
            ]
        ),
        max_size=8,
    ).map(b"".join),
)
USAGE = st.lists(NOISE, max_size=4).map(
    lambda lines: (
        b"520-Invalid command syntax.  Proper usage follows:\n"
        + b"".join([line + b"\n" for line in lines])
        + b"520 End of proper usage.\n"
    )
)


def _noop(result: str, data: str | None) -> Exchange:
    shown = b"" if data is None else b" (%b)" % data.encode()
    return Exchange(Noop(), b"200 result=%b%b\n" % (result.encode(), shown), Said(result, data))


def _value(value: bytes) -> Exchange:
    return Exchange(
        Value(), b"200 result=1 (%b)\n" % value, value.decode("utf-8", "surrogateescape")
    )


EXCHANGES = st.one_of(
    st.builds(_noop, WORD, st.none() | WORD),
    VALUE.map(_value),
    st.just(Exchange(Value(), b"200 result=0\n", None)),
    USAGE.map(lambda usage: Exchange(Noop(), usage, AGIUsageError)),
    USAGE.map(lambda usage: Exchange(Exec(), b"200 result=1\n" + usage, 1)),
    st.sampled_from(
        [
            Exchange(Exec(), b"200 result=1\n", 1),
            Exchange(Exec(), b"200 result=0\n", 0),
            Exchange(Noop(), b"510 Invalid or unknown command\n", AGIInvalidCommandError),
            Exchange(Noop(), b"520 Invalid command syntax.  None.\n", AGIUsageError),
            Exchange(Noop(), b"511 Command Not Permitted\n", AGIDeadChannelError),
        ]
    ),
)


@given(st.lists(st.tuples(BEFORE, EXCHANGES, AFTER), max_size=6), PIECES, st.booleans())
@example([(b"HANGUP\n", _value(b"a)\nHANGUP\n"), b"HANGUP\n")], [1], True)
def test_results_come_in_order(
    said: list[tuple[bytes, Exchange, bytes]], pieces: list[int], verify: bool
) -> None:
    exchanges = [exchange for _, exchange, _ in said]
    asterisk = Asterisk(
        scripted(*[before + exchange.answer + after for before, exchange, after in said], LAST[1])
    )
    # A value comes in one write, and in one piece if it is short.
    wire = session(asterisk, pieces, verify or pieces != [65536])
    for action, _, expected in exchanges:
        wire.pass_time(0)
        if isinstance(expected, type):
            with pytest.raises(AGIException) as caught:
                wire.drive(wire.protocol.execute(action, None))
            assert type(caught.value) is expected
        else:
            assert wire.drive(wire.protocol.execute(action, None)) == expected
    wire.pass_time(0)
    assert wire.drive(wire.protocol.execute(LAST[0], None)) == LAST[2]
    assert asterisk.violations == []
    told = any(
        b"HANGUP" in before.split(b"\n") or after or exchange.expected is AGIDeadChannelError
        for before, exchange, after in said
    )
    assert (wire.protocol.hangup is not None) == told


# ---- what nobody may say ----

LIKELY = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [
                *(b"200 result=", b"200", b"100 ", b"510 no", b"511 no", b"520-", b"520 x"),
                *(b"520 End of proper usage.\n", b"HANGUP\n", b"\n", b"(", b")", b")\n", b"-1"),
                *(b"200 result=1 (", b"200 result=1 (fence-", b"agi_", b": ", b"0", b" endpos="),
            ]
        ),
    ),
    max_size=12,
).map(b"".join)

ACTIONS: list[AnyAction] = [Noop(), Value(), Exec(), Say(), Play()]


@given(
    st.lists(st.tuples(st.sampled_from(ACTIONS), LIKELY, st.integers(0, 3)), max_size=6),
    PIECES,
    st.booleans(),
    st.booleans(),
    st.integers(0, 8),
)
def test_anything_may_be_said(
    said: list[tuple[AnyAction, bytes, int]],
    pieces: list[int],
    verify: bool,
    deaf: bool,
    leaves_after: int,
) -> None:
    """Nothing but documented errors, in bounded time, one line at a time."""
    asterisk = Asterisk(scripted(*[answer for _, answer, _ in said]), leaves_after=leaves_after)
    asterisk.ignores_fences = deaf
    wire = session(asterisk, pieces, verify, resync_timeout=5)
    for action, _, seconds in said:
        wire.pass_time(seconds)
        begun = wire.now
        protocol = wire.protocol
        dead = protocol.closed
        error: AGIException | None = None
        try:
            wire.drive(protocol.execute(action, wire.now + seconds))
        except AGIException as raised:
            error = raised
        if error is None:
            assert not dead
        elif isinstance(error, AGITimeoutError):
            assert wire.now == begun + seconds
        elif isinstance(error, AGIHangup):
            assert protocol.hangup is not None
        else:
            assert error.action is action
            assert action.command in str(error)
        assert wire.now <= begun + seconds
    assert [violation for violation in asterisk.violations if "second" not in violation] == []


@given(LIKELY, PIECES)
def test_anything_may_be_sent_at_the_start(greeting: bytes, pieces: list[int]) -> None:
    protocol = Protocol(max_environment=100)
    wire = Wire(protocol, Asterisk(scripted(), leaves_after=0), cut_in(pieces), greeting)
    try:
        variables = wire.drive(protocol.start(None))
    except AGIException:
        with pytest.raises((AGIClosedError, AGIHangup)):
            wire.drive(protocol.execute(Noop(), None))
    else:
        assert greeting.startswith((b"agi_", b"\n"))
        assert all(name.startswith("agi_") for name in variables)


@given(st.integers(100, 999), LIKELY, st.booleans())
def test_any_reply_can_be_taken_apart(code: int, rest: bytes, multiline: bool) -> None:
    raw = b"%d %b" % (code, rest)
    assert reply_code(raw.partition(b"\n")[0]) == code
    reply = parse(raw, multiline)
    assert reply.raw == raw
    assert reply.shown.isprintable()
    assert reply.items.keys() >= reply.pairs.keys()
    speech_results(reply)


# ---- abandoned commands ----


class Deed(NamedTuple):
    """One command, how it is left, and what is done afterwards."""

    kind: int
    lasts: int
    leave: float
    pause: float
    listens: bool


DEEDS = st.lists(
    st.builds(
        Deed,
        st.integers(0, 5),
        st.integers(2, 3000),
        st.one_of(st.just(math.inf), st.floats(0, 4), st.sampled_from([0.0, 0.001, 0.1, 0.3])),
        st.sampled_from([0.0, 0.0, 0.05, 0.1, 1.0, 100.0]),
        st.booleans(),
    ),
    max_size=12,
)


@given(DEEDS, st.sampled_from([0.0, 0.0005, 0.01, 0.15]), PIECES, st.booleans())
def test_every_answer_belongs_to_its_question(
    deeds: list[Deed], lag: float, pieces: list[int], deadlines: bool
) -> None:
    asterisk = Asterisk(asked, lag)
    wire = session(asterisk, pieces, verify=pieces != [65536])
    for question, (kind, lasts, leave, pause, listens) in enumerate(deeds):
        action, expected = _question(kind, question, lasts)
        deadline = wire.now + leave if deadlines and leave < math.inf else None
        wire.pass_time(0)
        try:
            result = wire.drive(
                wire.protocol.execute(action, deadline),
                math.inf if deadlines else wire.now + leave,
            )
        except (Abandoned, AGITimeoutError):
            wire.pass_time(pause, listens)
        else:
            assert result == expected
    wire.pass_time(0)
    assert wire.drive(wire.protocol.execute(Noop("4711"), None)) == Said("0", "4711")
    assert asterisk.violations == []


def _question(kind: int, question: int, lasts: int) -> tuple[AnyAction, object]:
    if kind == 0:
        return Noop(str(question)), Said("0", str(question))
    if kind == 1:
        return Value(str(lasts)), f"{lasts})\n200 result=1 (x\n{lasts}"
    if kind == 2:
        return Exec(), 1
    live = (Say, Play, WaitDigit)[kind - 3]
    return live(lasts), lasts


@given(st.floats(0, 3), st.integers(0, 2), st.booleans(), st.sampled_from([Say, Play, WaitDigit]))
def test_hangup_is_never_mistaken(
    moment: float, notices: int, leave: bool, kind: type[Say]
) -> None:
    """A caller who hangs up at any moment, with any setting: no success, no failure, no data."""
    asterisk = Asterisk(asked)
    wire = session(asterisk, [65536], verify=False)
    hung_up_at = wire.now + moment
    asterisk.hang_up_at(hung_up_at, notices, leave)
    results = 0
    hung_up = False
    while not hung_up:
        number = 100 + results
        try:
            assert wire.drive(wire.protocol.execute(kind(number), None)) == number
        except AGIHangup:
            hung_up = True
        else:
            results += 1
            wire.pass_time(0.3)
    assert wire.now >= hung_up_at
    assert results <= moment / 0.4 + 1
    wire.pass_time(1)
    if not leave:
        assert wire.drive(wire.protocol.execute(Noop("7"), None)) == Said("0", "7")
    with pytest.raises(AGIHangup):
        wire.drive(wire.protocol.execute(kind(1), None))


@given(st.booleans())
def test_failure_is_never_mistaken_for_hangup(verify: bool) -> None:
    asterisk = Asterisk(
        lambda line: Doing(b"200 result=%b\n" % (b"6" if b"STATUS" in line else b"-1"))
    )
    wire = session(asterisk, [1], verify)
    for _ in range(3):
        with pytest.raises(AGIAppError):
            wire.drive(wire.protocol.execute(Say(), None))
    assert wire.protocol.hangup is None


# ---- arguments ----

TEXT = st.text(
    st.characters(exclude_characters="\n\0", codec=None)
    | st.sampled_from('"\\ \t\r\x1b')
    | st.integers(0xDC80, 0xDCFF).map(chr),
    max_size=200,
)


# ---- the short ways ----

PARTS: list[bytes] = [
    *(b"200 result=", b"0", b"1", b"-1", b" (", b")", b"\n", b")\n", b" endpos=", b"timeout"),
    *(b"200 result=1", b"200 result=0\n", b"HANGUP\n"),
]


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(parts)


@given(
    action=st.sampled_from([Noop("1"), Say(), Play(), Value(), Exec(), WaitDigit()]),
    got=st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PARTS)).map(_joined)),
    verify=st.booleans(),
)
@example(action=Value(), got=b"200 result=1 (" + b"x" * 1300 + b")\n", verify=False)
def test_the_short_way_says_what_the_long_one_says(
    action: AnyAction, got: bytes, verify: bool
) -> None:
    short, long = Protocol(verify_values=verify), Protocol(verify_values=verify)
    for protocol in (short, long):
        protocol.started(ENVIRONMENT)
        assert protocol.begin(action) == action.line
        protocol.sending = False
    before = short.reply
    concluded = short.conclude(action, got)
    if concluded is None:
        assert short.reply is before
        return
    with pytest.raises(StopIteration) as end:
        next(long.finish(action, got, None))  # it wants to know no more
    assert concluded[0] == end.value.value
    assert short.reply is not None
    assert long.reply is not None
    assert vars(short.reply) == vars(long.reply)
    assert (short.hung_up, short.closed) == (long.hung_up, long.closed)
    assert short.begin(action) == long.begin(action) == action.line


@given(
    st.lists(
        st.sampled_from(["agi_", "agi_a", ": ", ":", " ", "x", "\n", "\nagi_b: ", "\nagi_c:", "é"]),
        max_size=9,
    ).map("".join)
)
def test_the_variables_are_read_line_by_line(text: str) -> None:
    expected: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.startswith("agi_") and " " not in name:
            last = name
            expected[last] = value.removeprefix(" ")
        elif last:
            expected[last] += "\n" + line
    assert variables_of(text.encode()) == expected


def _encoded(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        assume(condition=False)
        raise


@given(TEXT)
@example('"')
@example("\\")
@example('\\"')
@example("a\\")
@example("")
def test_any_text_survives_asterisks_tokenizer(value: str) -> None:
    expected = _encoded(value)
    line = Verbose(value, 3).line
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert words(line[:-1]) == [b"VERBOSE", expected, b"3"]


@given(TEXT)
def test_any_value_survives(value: str) -> None:
    expected = _encoded(value)
    assert words(SetVariable("X", value).line[:-1]) == [b"SET", b"VARIABLE", b"X", expected]


@given(TEXT, st.sampled_from("\n\0"), TEXT)
def test_no_text_starts_a_second_command(before: str, end: str, after: str) -> None:
    with pytest.raises(ValueError, match="message"):
        Verbose(before + end + after)
