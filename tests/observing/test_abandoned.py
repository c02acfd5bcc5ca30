"""Replies that come late, behind fences, in pieces: the dialogue hides them all the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pystrix_typed.agi import core
from pystrix_typed.agi.dialogue import Dialogue
from pystrix_typed.agi.exceptions import AGIException
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.redaction import Redactor
from tests.peer import ENVIRONMENT, Abandoned, Asterisk, Doing, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pystrix_typed.agi.record import AnyAction

REDACTOR = Redactor()


class Act(NamedTuple):
    """One command of a handler's.

    Attributes:
        action: What is executed.
        secret: What its reply holds.
        lasts: How long it takes.
        interrupted: Whether a fence ends it, and what it answers then; "" for nothing.
        leave: After how long it is abandoned; infinity for never.
    """

    action: AnyAction
    secret: str
    lasts: float
    interrupted: str | None
    leave: float


class Watched(Asterisk):
    """The peer, whose every byte goes through a dialogue."""

    def __init__(self, answer: Callable[[bytes], Doing], dialogue: Dialogue) -> None:
        super().__init__(answer)
        self.dialogue = dialogue
        self.shown: list[str] = []

    def see(self, sent: bool, data: bytes) -> None:
        self.shown += [line.text for line in self.dialogue.feed(sent, data)]

    def write(self, data: bytes, now: float) -> None:
        self.see(True, data)
        super().write(data, now)


class Tapped(Protocol):
    """A protocol that tells what comes between commands."""

    peer: Watched

    def received(self, data: bytes) -> None:
        self.peer.see(False, data)
        super().received(data)


class Tap(Wire):
    """A wire that tells what comes within a command."""

    def _wait(self, until: float, leave: float) -> bytes | None:
        data = super()._wait(until, leave)
        if data:
            assert isinstance(self.asterisk, Watched)
            self.asterisk.see(False, data)
        return data


SECRETS = st.text("2468", min_size=5, max_size=9)
#: The action, and its reply to what was keyed in.
ASKING: list[tuple[AnyAction, str]] = [
    (core.GetData("x"), "200 result={}"),
    (core.GetData("x"), "200 result={} (timeout)"),
    (core.ReceiveText(5), "200 result=1 ({})"),
    (core.GetVariable("CARD_PIN"), "200 result=1 ({})"),
    (core.GetVariable("CARD_PIN"), "200 result=1 (a\n200 result=1 ({})\n{})"),
    (
        core.SpeechRecognize("x", 5),
        '200 result=1 (speech) endpos=0 results=1 score0=9 text0="{}" grammar0=g',
    ),
]
TIMES = st.sampled_from([0.01, 0.05, 0.15, 0.5, 3.0])


@st.composite
def acts(draw: st.DrawFn) -> tuple[Act, str]:
    action, form = draw(st.sampled_from(ASKING))
    secret = draw(SECRETS)
    return (
        Act(
            action,
            secret,
            draw(TIMES),
            draw(st.sampled_from([None, "", "200 result=1\n"])),
            draw(st.one_of(st.just(math.inf), TIMES)),
        ),
        form.format(secret, secret),
    )


@given(st.lists(acts(), min_size=1, max_size=6), st.integers(1, 60), st.booleans())
def test_no_reply_shows_late_what_it_would_not_show_in_time(
    planned: list[tuple[Act, str]], size: int, listens: bool
) -> None:
    left = list(planned)

    def answer(line: bytes) -> Doing:
        if line.startswith(b"NOOP"):
            return Doing(b"200 result=0\n")
        # Those that were abandoned before they were sent are left out.
        while left[0][0].action.line != line + b"\n":
            del left[0]
        act, reply = left.pop(0)
        ending = None if act.interrupted is None else act.interrupted.encode()
        return Doing(f"{reply}\n".encode(), act.lasts, ending)

    def cut(data: bytes) -> Iterable[bytes]:
        return [data[at : at + size] for at in range(0, len(data), size)]

    peer = Watched(answer, Dialogue(REDACTOR))
    protocol = Tapped()
    protocol.peer = peer
    wire = Tap(protocol, peer, cut, ENVIRONMENT)
    wire.drive(protocol.start(None))
    told: list[object] = []
    for act, _ in planned:
        try:
            told.append(wire.drive(protocol.execute(act.action, None), wire.now + act.leave))
        except (Abandoned, AGIException):
            wire.pass_time(0.02, listens)
    wire.drive(protocol.execute(core.Noop("the end"), None))
    assert not peer.violations
    assert 'NOOP "the end"' in peer.shown
    assert peer.shown[-1] == "200 result=0"
    for act, _ in planned:
        assert not [line for line in peer.shown if act.secret in line]
