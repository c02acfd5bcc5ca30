"""The protocol against a peer on a clock that stands still: no socket, no thread, no luck."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi.exceptions import (
    AGIAppError,
    AGIClosedError,
    AGIDeadChannelError,
    AGIError,
    AGIException,
    AGIHangup,
    AGIProtocolError,
    AGIResultHangup,
    AGISIGHUPHangup,
    AGISIGPIPEHangup,
    AGITimeoutError,
)
from pystrix_typed.agi.protocol import Protocol

from .cases import (
    BROKEN,
    CASES,
    LAST,
    Case,
    Exec,
    Named,
    Noop,
    Play,
    Said,
    Say,
    Value,
    WaitDigit,
    parameters,
)
from .peer import (
    ENVIRONMENT,
    Abandoned,
    Asterisk,
    Doing,
    Hung,
    Wire,
    asked,
    bytewise,
    scripted,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pystrix_typed.agi.record import AnyAction


def session(
    asterisk: Asterisk,
    *,
    cut: Callable[[bytes], Iterable[bytes]] | None = None,
    verify: bool = False,
    resync_timeout: float = 30.0,
) -> Wire:
    """Give a session that has read its variables."""
    protocol = Protocol(verify_values=verify, resync_timeout=resync_timeout)
    wire = Wire(protocol, asterisk, greeting=ENVIRONMENT)
    wire.drive(protocol.start(None))
    if cut is not None:
        wire.cut = cut
    return wire


def execute(
    wire: Wire, action: AnyAction, timeout: float | None = None, leave: float = math.inf
) -> object:
    """Execute an action, with a deadline or a moment of being abandoned, in seconds from now."""
    wire.pass_time(0)
    deadline = None if timeout is None else wire.now + timeout
    return wire.drive(wire.protocol.execute(action, deadline), wire.now + leave)


# ---- the table ----


def cut_at(position: int) -> Callable[[bytes], Iterable[bytes]]:
    """Cut what is written at a time at one position."""
    return lambda data: [data[:position], data[position:]]


def play(case: Case, cut: Callable[[bytes], Iterable[bytes]] | None, verify: bool) -> None:
    """Play a case, and compare what comes of it."""
    asterisk = Asterisk(
        scripted(*[answer for _, answer, _ in case.answers], status=case.status),
        leaves_after=len(case.answers) if case.ends else math.inf,
    )
    wire = session(asterisk, cut=cut, verify=verify)
    if case.unasked:
        wire.protocol.received(case.unasked)
    for action, _, expected in case.answers:
        if isinstance(expected, type):
            with pytest.raises(AGIException) as caught:
                execute(wire, action)
            assert type(caught.value) is expected, caught.value
            assert action.command in str(caught.value)
            assert caught.value.action is action
        else:
            assert execute(wire, action) == expected
    wire.pass_time(1)
    assert (wire.protocol.hangup is not None) == case.hung_up
    assert asterisk.violations == []


@parameters(CASES)
@pytest.mark.parametrize("verify", [False, True], ids=["trusting", "verifying"])
def test_whole(case: Case, verify: bool) -> None:
    play(case, None, verify)


@parameters(CASES)
@pytest.mark.parametrize("verify", [False, True], ids=["trusting", "verifying"])
def test_byte_by_byte(case: Case, verify: bool) -> None:
    play(case, bytewise, verify or not case.in_pieces)


@parameters(CASES)
def test_cut_at_every_position(case: Case) -> None:
    longest = max(len(answer) for _, answer, _ in case.answers)
    for position in range(1, longest, max(1, longest // 300)):
        play(case, cut_at(position), not case.in_pieces)
        play(case, cut_at(-position), verify=True)


@parameters(BROKEN)
@pytest.mark.parametrize("size", [60_000, 1])
def test_too_much(case: Case, size: int) -> None:
    action, answer, expected = case.answers[0]
    assert isinstance(expected, type)
    asterisk = Asterisk(scripted(answer))
    if size == 1:
        answer = answer[:30_000]
        asterisk.answer = scripted(answer)
    wire = session(
        asterisk, cut=lambda data: [data[at : at + size] for at in range(0, len(data), size)]
    )
    if size == 1:
        wire.protocol = Protocol(max_reply=20_000)
        wire.arriving.append(ENVIRONMENT)
        wire.drive(wire.protocol.start(None))
    with pytest.raises(AGIProtocolError, match=action.command):
        execute(wire, action)
    with pytest.raises(AGIClosedError, match="exceed"):
        execute(wire, Noop())
    assert wire.protocol.closed
    assert asterisk.heard == [action.line.rstrip(b"\n")]


@pytest.mark.parametrize(
    "answer", [b"HANGUP\n" * 200_000, b"200 result=9\n" * 100_000, b"x" * 1_200_000]
)
def test_too_much_unasked(answer: bytes) -> None:
    wire = session(Asterisk(scripted()))
    wire.protocol.received(answer)
    if answer.startswith(b"HANGUP"):
        assert wire.protocol.hangup is AGISIGHUPHangup
        assert not wire.protocol.closed
    else:
        with pytest.raises(AGIClosedError, match="unasked"):
            execute(wire, Noop())


@pytest.mark.parametrize(
    "answer",
    [b"520-\n" * 4000, b"200 result=1 (\n" * 1300, b"200 result=1 (" + b")\n(" * 6600],
    ids=["usage", "value", "verified"],
)
def test_drip_is_searched_once(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply of 20,000 bytes, one at a time: searching it from its start each time takes a while.

    Counted are the bytes that are looked at, not the seconds.
    """
    looked = 0

    class Counting(bytearray):
        def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
            nonlocal looked
            looked += len(self) - start
            return super().find(sub, start, end)

    protocol = Protocol(verify_values=True)
    monkeypatch.setattr(protocol, "_buffer", Counting())
    asterisk = Asterisk(scripted(answer))
    wire = Wire(protocol, asterisk, greeting=ENVIRONMENT, cut=bytewise)
    wire.drive(protocol.start(None))
    asterisk.ignores_fences = True
    with pytest.raises(AGITimeoutError):
        execute(wire, Value(), timeout=0.01)
    assert looked < 100 * len(answer)


@pytest.mark.parametrize(
    "answer", [b"404 result=0\n", b"200 OK\n", b"200 result=many\n", b"503 result=-2\n"]
)
def test_answer_that_comes_behind_something_undefined(answer: bytes) -> None:
    """What AGI does not define may not be the answer, which then comes later."""
    asterisk = Asterisk(scripted(answer, LAST[1]))
    wire = session(asterisk)
    with pytest.raises(AGIError):
        execute(wire, Say())
    asterisk.writes(b"200 result=5\n", wire.now)
    assert wire.drive(wire.protocol.execute(LAST[0], None)) == LAST[2]


# ---- the variables at the start ----


def start(greeting: bytes, cut: Callable[[bytes], Iterable[bytes]] = bytewise) -> dict[str, str]:
    """Read variables from a peer that sends these bytes and leaves."""
    asterisk = Asterisk(scripted(), leaves_after=0)
    protocol = Protocol()
    return Wire(protocol, asterisk, cut, greeting).drive(protocol.start(None))


@pytest.mark.parametrize("cut", [whole, bytewise])
@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (b"\n", {}),
        (b"agi_a: 1\n\n", {"agi_a": "1"}),
        (b"agi_a:\nagi_b: \nagi_c:  x\n\n", {"agi_a": "", "agi_b": "", "agi_c": " x"}),
        (b"agi_a: b: c\n\n", {"agi_a": "b: c"}),
        (b"agi_a: \xff\xe4\n\n", {"agi_a": "\udcff\udce4"}),
        (b"agi_a: Al\nice\nagi_b: 2\n\n", {"agi_a": "Al\nice", "agi_b": "2"}),
        (b"agi_a: 1\nagi_ x: 2\n\n", {"agi_a": "1\nagi_ x: 2"}),
        (b"agi_a: 1\nHANGUP\n\n", {"agi_a": "1\nHANGUP"}),
    ],
)
def test_variables(
    greeting: bytes, expected: dict[str, str], cut: Callable[[bytes], Iterable[bytes]]
) -> None:
    assert start(greeting, cut) == expected


@pytest.mark.parametrize("cut", [whole, bytewise])
@pytest.mark.parametrize(
    ("greeting", "expected", "message"),
    [
        (b"", AGISIGPIPEHangup, "closed the connection"),
        (b"agi_a: 1\n", AGISIGPIPEHangup, "closed the connection"),
        (b"GET / HTTP/1.1\n\n", AGIProtocolError, "does not speak AGI"),
        (b"\x16\x03\x01", AGIProtocolError, "does not speak AGI"),
        (b"agix", AGIProtocolError, "does not speak AGI"),
        (b"agi_" + b"x" * 70_000, AGIProtocolError, "exceed 65536 bytes"),
        (b"agi_" + b"x\n" * 40_000 + b"\n\n", AGIProtocolError, "exceed 65536 bytes"),
    ],
)
def test_no_variables(
    greeting: bytes,
    expected: type[Exception],
    message: str,
    cut: Callable[[bytes], Iterable[bytes]],
) -> None:
    with pytest.raises(expected, match=message):
        start(greeting, cut)


def test_slow_variables() -> None:
    protocol = Protocol()
    wire = Wire(protocol, Asterisk(scripted()), greeting=b"agi_a: 1\n")
    with pytest.raises(AGITimeoutError, match="variables"):
        wire.drive(protocol.start(wire.now + 5))
    assert wire.now == 1005


@pytest.mark.parametrize("cut", [whole, bytewise])
@pytest.mark.parametrize("gap", [0, 5])
def test_name_that_forges_the_end_of_the_variables(
    cut: Callable[[bytes], Iterable[bytes]], gap: float
) -> None:
    """What follows the forged end must not answer the first command."""
    early, late = ENVIRONMENT.split(b"unknown", 1)
    rest = late.replace(b"100", b"100\n200 result=9\n510 no")
    asterisk = Asterisk(scripted(LAST[1]))
    protocol = Protocol()
    wire = Wire(protocol, asterisk, cut, early + b"Al\n\nice")
    assert wire.drive(protocol.start(None))["agi_callerid"] == "Al"
    asterisk.writes(rest, wire.now + gap)
    assert execute(wire, LAST[0]) == LAST[2]
    assert asterisk.violations == []


# ---- abandoned commands ----


def answered(wire: Wire, number: int = 4711) -> None:
    """Assert that the session goes on: the next command gets its own answer."""
    assert execute(wire, Noop(str(number))) == Said("0", str(number))
    assert wire.asterisk.violations == []


ABANDONED: list[tuple[AnyAction, float]] = [
    (Play(5000), 0.0),
    (WaitDigit(5000), 0.0),
    (Say(5000), 4.75),
    (Value("5000"), 4.75),
]


@pytest.mark.parametrize(("action", "remains"), ABANDONED)
@pytest.mark.parametrize("how", ["deadline", "interrupt"])
@pytest.mark.parametrize("pause", [0.0, 0.05, 2.0, 3600.0])
@pytest.mark.parametrize("listens", [True, False], ids=["listening", "blocking"])
def test_abandoned(
    action: AnyAction, remains: float, how: str, pause: float, listens: bool
) -> None:
    """The next command has its answer as soon as the abandoned one has ended."""
    wire = session(Asterisk(asked))
    if how == "deadline":
        with pytest.raises(AGITimeoutError, match=action.command) as caught:
            execute(wire, action, timeout=0.25)
        assert isinstance(caught.value, TimeoutError)
    else:
        with pytest.raises(Abandoned):
            execute(wire, action, leave=0.25)
    assert wire.now == 1000.25
    wire.pass_time(pause, listens)
    begun = wire.now
    answered(wire)
    assert abs(wire.now - begun - max(0.0, remains - pause)) < 0.001


@pytest.mark.parametrize(("action", "remains"), ABANDONED)
@pytest.mark.parametrize("pause", [0.0, 0.05, 2.0, 3600.0])
@pytest.mark.parametrize("listens", [True, False], ids=["listening", "blocking"])
def test_abandoned_in_one_gulp(
    action: AnyAction, remains: float, pause: float, listens: bool
) -> None:
    """Asterisk reads the command and the fence together, and does not see the fence."""
    asterisk = Asterisk(asked, lag=0.01)
    wire = session(asterisk)
    with pytest.raises(AGITimeoutError):
        execute(wire, action, timeout=0.005)
    wire.pass_time(pause, listens)
    begun = wire.now
    answered(wire)
    # A nudge comes after a tenth of a second, and brings Asterisk to see it.
    assert wire.now - begun <= max(5.01 - pause if remains else 0, 0) + 0.25


def test_nudges_are_few() -> None:
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    with pytest.raises(Abandoned):
        execute(wire, Say(25_000), leave=0.1)
    for _ in range(1000):
        with pytest.raises(AGITimeoutError, match="abandoned"):
            execute(wire, Noop(), timeout=0.01)
    answered(wire)
    assert asterisk.fences < 15


def test_next_command_does_not_wait_behind_a_nudge() -> None:
    """A command that Asterisk reads in one gulp with a nudge would never be seen."""
    for milliseconds in range(90, 130):
        asterisk = Asterisk(asked, lag=0.002)
        wire = session(asterisk)
        with pytest.raises(Abandoned):
            execute(wire, Say(milliseconds), leave=0.02)
        answered(wire)


def test_late_reply_is_nobodys() -> None:
    wire = session(Asterisk(asked))
    with pytest.raises(AGITimeoutError):
        execute(wire, Say(50), timeout=0.01)
    assert execute(wire, Say(7)) == 7


def test_deadline_while_another_command_ends() -> None:
    """The deadline of a command covers the wait for the one before it, and it is not sent."""
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    with pytest.raises(AGITimeoutError):
        execute(wire, Say(1000), timeout=0.1)
    for _ in range(3):
        with pytest.raises(AGITimeoutError, match="NOOP was not sent"):
            execute(wire, Noop("1"), timeout=0.2)
    assert asterisk.heard == [b'SAY NUMBER 1000 ""']
    answered(wire)
    assert abs(wire.now - 1001) < 0.001


@pytest.mark.parametrize("timeout", [5.0, 30.0])
def test_fence_that_never_comes_back(timeout: float) -> None:
    asterisk = Asterisk(asked)
    asterisk.ignores_fences = True
    wire = session(asterisk, resync_timeout=timeout)
    with pytest.raises(Abandoned):
        execute(wire, Play(1000), leave=0.1)
    wire.pass_time(3600)
    begun = wire.now
    with pytest.raises(AGIClosedError, match=f"NOOP was not sent: .* within {timeout:g} seconds"):
        execute(wire, Noop())
    assert abs(wire.now - begun - timeout) < 0.001
    with pytest.raises(AGIClosedError, match="lost step"):
        execute(wire, Noop())
    assert wire.protocol.closed
    assert asterisk.heard == [b'STREAM FILE 1000 ""']


def test_fence_that_never_comes_back_in_small_steps() -> None:
    """Deadlines that are shorter than the fence's do not keep a broken session alive."""
    asterisk = Asterisk(asked)
    asterisk.ignores_fences = True
    wire = session(asterisk)
    with pytest.raises(Abandoned):
        execute(wire, Play(1000), leave=0.1)
    errors: list[type[Exception]] = []
    for _ in range(8):
        with pytest.raises((AGITimeoutError, AGIClosedError)) as caught:
            execute(wire, Noop(), timeout=4)
        errors.append(caught.type)
    assert errors == [AGITimeoutError] * 7 + [AGIClosedError]


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (Value(), b"200 result=1 (a)\nb)\n"),
        (Value(), b"200 result=1 (%b)\n" % (b"s" * 2000)),
        (Exec(), b"200 result=1\n"),
    ],
)
def test_fence_behind_a_reply_that_never_comes_back(action: AnyAction, answer: bytes) -> None:
    asterisk = Asterisk(scripted(answer))
    asterisk.ignores_fences = True
    wire = session(asterisk)
    with pytest.raises(AGIClosedError, match=f"{action.command}: no answer to the fence"):
        execute(wire, action)
    assert wire.now == 1030


def test_stray_behind_which_no_fence_comes_back() -> None:
    asterisk = Asterisk(asked)
    asterisk.ignores_fences = True
    wire = session(asterisk)
    wire.protocol.received(b"200 result=0\n")
    with pytest.raises(AGIClosedError, match="not asked for"):
        execute(wire, Noop())
    assert asterisk.heard == []


@pytest.mark.parametrize("at", [0.0, 0.05, 0.3, 1.0, 4.0])
def test_abandoned_while_draining(at: float) -> None:
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    with pytest.raises(Abandoned):
        execute(wire, Say(5000), leave=0.1)
    with pytest.raises(Abandoned):
        execute(wire, Play(1), leave=at)
    assert asterisk.heard == [b'SAY NUMBER 5000 ""']
    answered(wire)


def test_abandoned_while_settling() -> None:
    """The failure was told, but not yet whether it means hangup."""

    def answer(line: bytes) -> Doing:
        if line == b"CHANNEL STATUS":
            return Doing(b"200 result=6\n", lasts=1.0)
        return Doing(b"200 result=-1\n") if line.startswith(b"SAY") else asked(line)

    wire = session(Asterisk(answer))
    with pytest.raises(AGITimeoutError, match="SAY NUMBER"):
        execute(wire, Say(), timeout=0.5)
    answered(wire)
    assert abs(wire.now - 1001) < 0.001


@pytest.mark.parametrize("action", [Value("1"), Exec()])
@pytest.mark.parametrize("steps", range(4))
def test_interrupted_at_every_step(action: AnyAction, steps: int) -> None:
    """While a value or a second answer is being fenced: the fence that is out does as well."""
    asterisk = Asterisk(asked, lag=0.01)
    wire = session(asterisk, verify=True, cut=bytewise)
    with pytest.raises(Abandoned):
        execute(wire, action, leave=0.003 + 0.005 * steps)
    answered(wire)
    assert asterisk.fences <= 3


def test_interrupted_before_each_read() -> None:
    """The generator dies at its n-th step; what it had written whole is fenced, and no more."""
    for steps in range(100):
        asterisk = Asterisk(asked)
        wire = session(asterisk, cut=bytewise, verify=True)
        left = steps

        def cut(data: bytes) -> Iterable[bytes]:
            nonlocal left
            for piece in bytewise(data):
                if not left:
                    raise Abandoned
                left -= 1
                yield piece

        wire.cut = cut
        try:
            execute(wire, Value("1"))
        except Abandoned:
            wire.cut = bytewise
            answered(wire)
        else:
            assert steps > 50
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("action", [Noop(), Play(1), Value()])
def test_partly_written_command_breaks_the_session(action: AnyAction) -> None:
    """Whatever followed would be read as the rest of that line."""
    asterisk = Asterisk(asked)
    protocol = session(asterisk).protocol
    steps = protocol.execute(action, None)
    next(steps)
    assert protocol.abandon(1000) == b""
    assert protocol.closed
    with pytest.raises(AGIClosedError, match=f"{action.command} was only partly written"):
        next(protocol.execute(Noop(), None))


def test_partly_written_fence_breaks_the_session() -> None:
    protocol = session(Asterisk(asked)).protocol
    next(protocol.execute(Play(), None))
    protocol.sending = False
    assert protocol.abandon(1000).startswith(b'GET FULL VARIABLE "fence-')
    with pytest.raises(AGIClosedError, match="partly written"):
        next(protocol.execute(Noop(), None))


def test_exchange_that_was_not_even_abandoned() -> None:
    """A second interrupt can keep the driver from it: the next command looks for its place."""
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    steps = wire.protocol.execute(Play(5000), None)
    asterisk.write(next(steps)[0], wire.now)
    wire.protocol.sending = False
    del steps
    answered(wire)


def test_abandoning_nothing_does_no_harm() -> None:
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    assert wire.protocol.abandon(wire.now) == b""
    answered(wire)
    assert wire.protocol.abandon(wire.now) == b""
    with pytest.raises(Abandoned):
        execute(wire, Play(1000), leave=0.1)
    assert wire.protocol.abandon(wire.now) == b""
    answered(wire)


def test_hangup_is_noticed_behind_an_abandoned_command() -> None:
    """Without another command: somebody may be waiting for just that."""
    for action in (Play(1000), WaitDigit(1000), Say(1000), Value("1000")):
        asterisk = Asterisk(asked)
        wire = session(asterisk)
        with pytest.raises(Abandoned):
            execute(wire, action, leave=0.1)
        wire.pass_time(0.01)
        asterisk.hang_up(wire.now)
        wire.pass_time(1)
        assert wire.protocol.hangup is AGISIGHUPHangup


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("lag", [0.0, 0.0004, 0.01])
def test_a_thousand_commands(seed: int, lag: float) -> None:
    """One in ten is abandoned at a random moment: every result belongs to its own question."""
    chance = random.Random(f"{seed} {lag}")
    asterisk = Asterisk(asked, lag)
    wire = session(asterisk, verify=seed % 2 == 1)
    abandoned = 0
    for question in range(1000):
        number = 2 + question % 997
        action, expected = chance.choice(
            [
                (Noop(str(question)), Said("0", str(question))),
                (Play(number), number),
                (WaitDigit(number), number),
                (Say(number), number),
                (Value(str(number)), f"{number})\n200 result=1 (x\n{number}"),
                (Exec(), 1),
            ]
        )
        leave = chance.expovariate(10) if chance.random() < 0.1 else math.inf
        try:
            assert execute(wire, action, leave=leave) == expected
        except Abandoned:
            abandoned += 1
            wire.pass_time(chance.choice([0, 0, 0.05, 1]), chance.random() < 0.5)
    assert asterisk.violations == []
    assert abandoned > 20


# ---- the end of the call ----


def test_dead_commands_after_a_hangup() -> None:
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    wire.protocol.received(b"HANGUP\n")
    asterisk.hang_up(wire.now)
    for action in (Say(), Play(), Named()):
        with pytest.raises(AGISIGHUPHangup, match=f"{action.command} was not sent"):
            execute(wire, action)
    assert asterisk.heard == []
    answered(wire)
    assert execute(wire, Value("5")) == "5)\n200 result=1 (x\n5"


@pytest.mark.parametrize("kind", [AGISIGHUPHangup, AGISIGPIPEHangup, AGIResultHangup])
def test_first_notice_counts(kind: type[AGIHangup]) -> None:
    wire = session(Asterisk(asked))
    wire.protocol.note_hangup(kind)
    wire.protocol.note_hangup(AGIDeadChannelError)
    with pytest.raises(kind):
        execute(wire, Say())


@pytest.mark.parametrize("notices", [0, 1, 2])
@pytest.mark.parametrize("leave", [False, True])
@pytest.mark.parametrize("action", [Say(5000), Play(5000), WaitDigit(5000)])
def test_hangup_in_the_middle_of_a_command(action: AnyAction, notices: int, leave: bool) -> None:
    """With each of the settings AGISIGHUP and AGIEXITONHANGUP."""
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    heard: list[str] = []
    wire.protocol.on_hangup.append(lambda: heard.append("hangup"))
    steps = wire.protocol.execute(action, None)
    asterisk.hang_up_at(wire.now + 1, notices, leave)
    with pytest.raises(AGIResultHangup):
        wire.drive(steps)
    assert heard == ["hangup"]
    wire.pass_time(1)
    if leave:
        with pytest.raises(AGIHangup, match=r"left|closed"):
            execute(wire, Noop())
    else:
        answered(wire)
    with pytest.raises(AGIHangup, match=r"was not sent|left|closed"):
        execute(wire, action)
    assert heard == ["hangup"]


def test_hangup_is_settled_by_what_asterisk_says() -> None:
    """A failure on a live channel stays a failure, and one round trip tells."""
    asterisk = Asterisk(scripted(b"200 result=-1\n", b"200 result=-1\n", b"200 result=-1\n"))
    wire = session(asterisk)
    with pytest.raises(AGIAppError):
        execute(wire, Say(3))
    assert asterisk.heard == [b'SAY NUMBER 3 ""', b"CHANNEL STATUS"]
    with pytest.raises(AGIAppError):
        execute(wire, Named())
    assert execute(wire, Noop()) == Said("-1")
    assert asterisk.heard[2:] == [b"HANGUP", b"NOOP"]


def test_settling_has_the_commands_deadline() -> None:
    def answer(line: bytes) -> Doing:
        return (
            Doing(b"200 result=6\n", 9) if line == b"CHANNEL STATUS" else Doing(b"200 result=-1\n")
        )

    wire = session(Asterisk(answer))
    with pytest.raises(AGITimeoutError):
        execute(wire, Say(), timeout=2)
    assert wire.now == 1002


def test_connection_that_ends_while_settling() -> None:
    asterisk = Asterisk(scripted(b"200 result=-1\n", status=b""), leaves_after=2)
    with pytest.raises(AGIResultHangup):
        execute(session(asterisk), Say())


@pytest.mark.parametrize("notice", [b"", b"HANGUP\n"])
@pytest.mark.parametrize("listens", [True, False])
def test_connection_that_ends_behind_an_abandoned_command(notice: bytes, listens: bool) -> None:
    wire = session(Asterisk(scripted(b"200 result=5\n" + notice, b"")))
    asterisk = wire.asterisk
    asterisk.ignores_fences = True
    with pytest.raises(Abandoned):
        wire.drive(wire.protocol.execute(Named(), None), leave=wire.now)
    wire.pass_time(0, listens)
    asterisk.hang_up(wire.now, 0, leave=True)
    with pytest.raises(AGISIGHUPHangup if notice else AGISIGPIPEHangup):
        wire.drive(wire.protocol.execute(Noop(), None))


def test_result_that_means_hangup() -> None:
    class Gone(Named):
        __slots__ = ()

        def _read(self, reply: object) -> Said:
            raise AGIResultHangup("gone")

    wire = session(Asterisk(asked))
    with pytest.raises(AGIResultHangup):
        execute(wire, Gone())
    assert wire.protocol.hangup is AGIResultHangup


# ---- callbacks ----


class Fed(BaseException):
    """What a callback raises to end the program."""


@pytest.mark.parametrize(
    "answer",
    [b"HANGUP\n200 result=0 (4711)\n", b"200 result=0 (4711)\nHANGUP\n"],
    ids=["before", "behind"],
)
def test_callback_that_raises_leaves_the_session_sound(answer: bytes) -> None:
    wire = session(Asterisk(scripted(answer, *[LAST[1]] * 3)))
    heard: list[int] = []

    def fail() -> None:
        heard.append(1)
        raise Fed

    wire.protocol.on_hangup += [fail, lambda: heard.append(2)]
    with pytest.raises(Fed):
        execute(wire, Noop())
    assert execute(wire, LAST[0]) == LAST[2]
    wire.protocol.note_hangup()
    assert heard == [1, 2]
    with pytest.raises(AGISIGHUPHangup):
        execute(wire, Say())
    assert wire.asterisk.violations == []


def test_callback_that_raises_at_the_end_of_the_stream() -> None:
    def fail() -> None:
        raise Fed

    wire = session(Asterisk(scripted(b""), leaves_after=1))
    wire.protocol.on_hangup.append(fail)
    with pytest.raises(Fed):
        execute(wire, Noop())
    assert wire.protocol.closed
    with pytest.raises(AGISIGPIPEHangup):
        execute(wire, Noop())


# ---- refusals ----


def test_closed() -> None:
    asterisk = Asterisk(asked)
    wire = session(asterisk)
    wire.protocol.close()
    assert wire.protocol.closed
    with pytest.raises(AGIClosedError, match="NOOP was not sent: the session was closed"):
        execute(wire, Noop())
    wire.protocol.received(b"200 result=1\n")
    wire.protocol.received(b"")
    with pytest.raises(AGIClosedError):
        execute(wire, Noop())
    assert asterisk.heard == []


@pytest.mark.parametrize(
    ("version", "limit"),
    [(b"22.10.1", 8191), (b"22.5.2", 2047), (b"16.28.0~dfsg", 2047), (b"", 2047), (b"x", 2047)],
)
def test_line_that_asterisk_would_cut(version: bytes, limit: int) -> None:
    protocol = Protocol()
    asterisk = Asterisk(asked)
    wire = Wire(protocol, asterisk, greeting=ENVIRONMENT.replace(b"22.10.1", version))
    wire.drive(protocol.start(None))
    fits = limit - len(b'NOOP ""\n')
    with pytest.raises(ValueError, match=r"NOOP: .* cut it"):
        execute(wire, Noop("x" * (fits + 1)))
    assert asterisk.heard == []
    execute(wire, Noop("x" * fits))
    assert len(asterisk.heard[0]) == limit - 1
    answered(wire)


def test_nothing_ever_comes() -> None:
    """The peer of these tests tells when a session would wait forever."""
    with pytest.raises(Hung):
        execute(session(Asterisk(scripted())), Noop())
