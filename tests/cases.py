"""What Asterisk may answer, and what must come of it: one table for every driver.

The commands here are the test's own, one for each trait that the session looks at, so that the
table says everything that it depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pystrix_typed.agi.exceptions import (
    AGIAppError,
    AGIDeadChannelError,
    AGIInvalidCommandError,
    AGINoResultError,
    AGIProtocolError,
    AGIResultHangup,
    AGISIGHUPHangup,
    AGISIGPIPEHangup,
    AGIUnknownError,
    AGIUsageError,
)
from pystrix_typed.agi.record import Action
from pystrix_typed.agi.wire import text

if TYPE_CHECKING:
    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.wire import Reply

__all__ = [
    "CASES",
    "Case",
    "Exec",
    "Gosub",
    "Named",
    "Noop",
    "Play",
    "Said",
    "Say",
    "Value",
    "WaitDigit",
]

# The spec's facts on an action, as generated classes state them.
# pyright: reportPrivateUsage=false


# ---- commands ----


class Said(NamedTuple):
    """All that a reply said."""

    result: str
    data: str | None = None
    text: str = ""
    pairs: tuple[tuple[str, str], ...] = ()


def _said(reply: Reply) -> Said:
    assert reply.result is not None
    return Said(reply.result, reply.data, reply.text, tuple(reply.pairs.items()))


class Noop(Action[Said]):
    """Legal on a dead channel, and gives whatever was said."""

    __slots__ = ("note",)
    command = "NOOP"
    _dead = True
    note: str

    def __init__(self, note: str = "") -> None:
        object.__setattr__(self, "note", note)

    def _words(self) -> str:
        return text(self.note) if self.note else ""

    def _read(self, reply: Reply) -> Said:
        return _said(reply)


class Say(Action[int]):
    """Needs a live channel, runs to its end, fails with -1."""

    __slots__ = ("number",)
    command = "SAY NUMBER"
    _settles = ("failed",)
    number: int

    def __init__(self, number: int = 1) -> None:
        object.__setattr__(self, "number", number)

    def _words(self) -> str:
        return f'{self.number} ""'

    def _read(self, reply: Reply) -> int:
        assert reply.result is not None
        if reply.result == "-1":
            reply.outcome = "failed"
            raise self._error(AGIAppError, reply, "it failed")
        return int(reply.result)


class Play(Say):
    """Needs a live channel, and is interrupted without a word."""

    __slots__ = ()
    command = "STREAM FILE"

    def __init__(self, number: int = 1) -> None:
        super().__init__(number)


class WaitDigit(Say):
    """Needs a live channel, and says 1 when it is interrupted."""

    __slots__ = ()
    command = "WAIT FOR DIGIT"

    def __init__(self, number: int = 1) -> None:
        super().__init__(number)


class Value(Action["str | None"]):
    """Gives a value, which may be anything."""

    __slots__ = ("name",)
    command = "GET VARIABLE"
    _dead = True
    _multiline = True
    name: str

    def __init__(self, name: str = "X") -> None:
        object.__setattr__(self, "name", name)

    def _words(self) -> str:
        return text(self.name)

    def _read(self, reply: Reply) -> str | None:
        return reply.data if reply.result == "1" else None


class Exec(Action[int]):
    """Answers a second time when its result is 1."""

    __slots__ = ()
    command = "EXEC"
    _dead = True
    _answers_twice = True

    def _read(self, reply: Reply) -> int:
        assert reply.result is not None
        return int(reply.result)


class Gosub(Action[Said]):
    """Says that it is on its way, and may answer 503; ends abnormally on a hangup."""

    __slots__ = ()
    command = "GOSUB"
    _codes = (200, 503)
    _settles = ("abnormal",)

    def _read(self, reply: Reply) -> Said:
        if reply.code == 503:
            raise self._error(AGIAppError, reply, "no memory")
        if reply.data == "abnormal exit":
            reply.outcome = "abnormal"
        return _said(reply)


class Named(Action[Said]):
    """Fails with -1, but about something else than this channel: nothing to settle."""

    __slots__ = ()
    command = "HANGUP"

    def _read(self, reply: Reply) -> Said:
        if reply.result == "-1":
            raise self._error(AGIAppError, reply, "no such channel")
        return _said(reply)


# ---- the table ----


@dataclass(frozen=True)
class Case:
    """Some commands, what the peer says to them, and what comes of it.

    Attributes:
        id: A name.
        answers: For each command: the action, what the peer writes, and what the command gives or
            raises.
        unasked: What the peer writes before the first command.
        status: What it answers to CHANNEL STATUS.
        ends: It closes the connection behind its last answer.
        in_pieces: The result is the same without `verify_values` when the answer comes in pieces.
            Asterisk never writes a value in pieces.
        hung_up: What is known of the call afterwards.
    """

    id: str
    answers: tuple[tuple[AnyAction, bytes, object], ...]
    unasked: bytes = b""
    status: bytes = b"200 result=6\n"
    ends: bool = False
    in_pieces: bool = True
    hung_up: bool = False


#: Asked behind every case whose session goes on: it must get its own answer.
LAST = (Noop("last"), b"200 result=4711 (last)\n", Said("4711", "last"))

USAGE = (
    b"520-Invalid command syntax.  Proper usage follows:\n"
    b"Usage: <literal>SAY NUMBER</literal>\n"
    b"\n"
    b"200 result=1 is what it answers\n"
    b"HANGUP\n"
    b"520 End of proper usage.\n"
)
SHORT_USAGE = b"520 Invalid command syntax.  Proper usage not available.\n"
GLUED_USAGE = (
    b"520-Invalid command syntax.  Proper usage follows:\nSays a number520 End of proper usage.\n"
)
UNDEAD = b"511 Command Not Permitted on a dead channel\n"
LONG_DEAD = b"511 Command Not Permitted on a dead channel or intercept routine\n"


def _one(
    name: str,
    action: AnyAction,
    answer: bytes,
    expected: object,
    *,
    unasked: bytes = b"",
    status: bytes = b"200 result=6\n",
    ends: bool = False,
    in_pieces: bool = True,
    hung_up: bool = False,
) -> Case:
    last = () if ends else (LAST,)
    answers = ((action, answer, expected), *last)
    return Case(name, answers, unasked, status, ends, in_pieces, hung_up)


def _value(name: str, value: bytes, *, in_pieces: bool = True, behind: bytes = b"") -> Case:
    return _one(
        f"value-{name}",
        Value(),
        b"200 result=1 (%b)\n%b" % (value, behind),
        value.decode("utf-8", "surrogateescape"),
        in_pieces=in_pieces,
        hung_up=bool(behind),
    )


CASES = [
    # -- one line
    _one("plain", Noop(), b"200 result=0\n", Said("0")),
    _one("negative", Noop(), b"200 result=-1\n", Said("-1")),
    _one("empty-result", Noop(), b"200 result=\n", Said("")),
    _one("empty-result-and-data", Noop(), b"200 result= (timeout)\n", Said("", "timeout")),
    _one("empty-data", Noop(), b"200 result=1 ()\n", Said("1", "")),
    _one("data", Noop(), b"200 result=12 (timeout)\n", Said("12", "timeout")),
    _one("pair", Noop(), b"200 result=0 endpos=8000\n", Said("0", pairs=(("endpos", "8000"),))),
    _one(
        "data-and-pair",
        Noop(),
        b"200 result=-1 (hangup) endpos=160\n",
        Said("-1", "hangup", pairs=(("endpos", "160"),)),
    ),
    _one(
        "pairs",
        Noop(),
        b"200 result=1 (digit) digit=5 endpos=-1\n",
        Said("1", "digit", pairs=(("digit", "5"), ("endpos", "-1"))),
    ),
    _one("bare-words", Gosub(), b"200 result=0 Gosub complete\n", Said("0", text="Gosub complete")),
    _one("letters", Noop(), b"200 result=12AB*#\n", Said("12AB*#")),
    _one("bytes", Noop(), b"200 result=1 (\xff\xfe)\n", Said("1", "\udcff\udcfe")),
    _one("unclosed", Noop(), b"200 result=1 (oh\n", Said("1", text="(oh")),
    # -- provisional, and other codes
    _one("provisional", Gosub(), b"100 result=0 Trying...\n200 result=0\n", Said("0")),
    _one("provisional-twice", Gosub(), b"100 Trying...\n100\n200 result=0\n", Said("0")),
    _one("out-of-memory", Gosub(), b"503 result=-2 Memory allocation failure\n", AGIAppError),
    _one("503-elsewhere", Noop(), b"503 result=-2 Memory allocation failure\n", AGIUnknownError),
    _one("unknown-command", Noop(), b"510 Invalid or unknown command\n", AGIInvalidCommandError),
    _one("510-bare", Noop(), b"510\n", AGIInvalidCommandError),
    _one("dead", Say(), UNDEAD, AGIDeadChannelError, hung_up=True),
    _one("dead-long", Say(), LONG_DEAD, AGIDeadChannelError, hung_up=True),
    _one("usage", Say(), USAGE, AGIUsageError),
    _one("usage-in-one-line", Say(), SHORT_USAGE, AGIUsageError),
    _one("usage-glued", Say(), GLUED_USAGE, AGIUsageError),
    _one("unknown-code", Noop(), b"299 result=0\n", AGIUnknownError),
    _one("code-of-zeros", Noop(), b"000 result=0\n200 result=0\n", Said("0")),
    _one("no-result", Noop(), b"200 OK\n", AGINoResultError),
    _one("no-result-bare", Noop(), b"200\n", AGINoResultError),
    _one("no-number", Say(), b"200 result=many\n", AGIUnknownError),
    _one("no-number-but-empty", Say(), b"200 result=\n", AGIUnknownError),
    _one("huge-number", Say(), b"200 result=%b\n" % (b"9" * 5000), AGIUnknownError),
    # -- a line that is not the answer
    _one("noise", Noop(), b"Hello\n\n 200 result=9\n2000 result=9\n200 result=0\n", Said("0")),
    _one("noise-bytes", Noop(), b"\x00\xff\r\n\xb2\xb2\xb2 x\n200 result=0\n", Said("0")),
    _one("stray-before", Noop(), b"200 result=0\n", Said("0"), unasked=b"200 result=9 (stray)\n"),
    _one("stray-behind", Noop(), b"200 result=0\n200 result=9\n", Said("0")),
    _one("usage-behind", Noop(), b"200 result=0\n" + USAGE, Said("0")),
    _one("unknown-then-answer", Noop(), b"404 not me\n200 result=0\n", AGIUnknownError),
    _one("no-result-then-answer", Noop(), b"200 OK\n200 result=0\n", AGINoResultError),
    _one("value-behind", Value(), b"200 result=0\n200 result=1 (stray)\n", None),
    # -- notices
    _one("notice-before", Noop(), b"200 result=0\n", Said("0"), unasked=b"HANGUP\n", hung_up=True),
    _one("notice-glued", Noop(), b"HANGUP\n200 result=0\n", Said("0"), hung_up=True),
    _one("notices-glued", Noop(), b"HANGUP\nHANGUP\n200 result=0\n", Said("0"), hung_up=True),
    _one("notice-behind", Noop(), b"200 result=0\nHANGUP\n", Said("0"), hung_up=True),
    _one("notice-in-gosub", Gosub(), b"100 x\nHANGUP\n200 result=0\n", Said("0"), hung_up=True),
    _one("notice-before-usage", Say(), b"HANGUP\n" + USAGE, AGIUsageError, hung_up=True),
    _one("notice-behind-usage", Say(), USAGE + b"HANGUP\n", AGIUsageError, hung_up=True),
    _one("no-notice", Noop(), b"HANGUP?\nhangup\nHANGUP \n200 result=0\n", Said("0")),
    _one("data-is-no-notice", Noop(), b"200 result=1 (HANGUP)\n", Said("1", "HANGUP")),
    # -- values
    _one("no-value", Value(), b"200 result=0\n", None),
    _value("empty", b""),
    _value("plain", b"hello world"),
    _value("parentheses", b"a (b) c)(d"),
    _value("closing", b"a)"),
    _value("closings", b")))"),
    _value("pair", b"x) endpos=1"),
    _value("line-feed", b"line1\nline2"),
    _value("line-feeds", b"\n\n\n"),
    _value("ends-with-line-feed", b"line\n"),
    _value("line-closes", b"a)\nb", in_pieces=False),
    _value("line-closes-at-the-end", b"a)\n", in_pieces=False),
    _value("lines-close", b")\n)\n)", in_pieces=False),
    _value("reply", b"200 result=1"),
    _value("replies", b"\n200 result=1 (fake\n200 result=0\n510 no"),
    _value("forged", b"x)\n200 result=1 (fake", in_pieces=False),
    _value("forged-usage", b"x)\n" + USAGE, in_pieces=False),
    _value("notice", b"HANGUP"),
    _value("notice-in-lines", b"a\nHANGUP\nb"),
    _value("notice-forged", b"a)\nHANGUP\nb", in_pieces=False),
    _value("notice-forged-at-the-end", b"a)\nHANGUP\n", in_pieces=False),
    _value("notice-behind", b"a", behind=b"HANGUP\n"),
    _value("notices-behind", b"a\nb", behind=b"HANGUP\nHANGUP\n"),
    _value("notice-behind-forged", b"a)\nHANGUP\nb", behind=b"HANGUP\n", in_pieces=False),
    _value("fence", b"200 result=1 (fence-0123456789abcdef-0)"),
    _value("bytes", bytes(byte for byte in range(1, 256))),
    _value("half-a-character", b"\xe2\x82"),
    _value("carriage-return", b"a\r\nb\r"),
    _value("of-a-segment", b"s" * 1184),
    _value("of-more-than-a-segment", b"s" * 1300),
    _value("of-several-segments", b"0123456789\n" * 300),
    # -- an application that returns 1
    _one("exec", Exec(), b"200 result=0\n", 0),
    _one("exec-failed", Exec(), b"200 result=-1\n", -1),
    _one("exec-usage", Exec(), b"200 result=1\n" + USAGE, 1),
    _one("exec-short-usage", Exec(), b"200 result=1\n" + SHORT_USAGE, 1),
    _one("exec-glued-usage", Exec(), b"200 result=1\n" + GLUED_USAGE, 1),
    _one("exec-no-usage", Exec(), b"200 result=1\n", 1),
    _one("exec-notice", Exec(), b"200 result=1\nHANGUP\n" + USAGE, 1, hung_up=True),
    _one("exec-notice-behind", Exec(), b"200 result=1\n" + USAGE + b"HANGUP\n", 1, hung_up=True),
    _one("exec-something-else", Exec(), b"200 result=1\n200 result=9\n", 1),
    # -- failed or hung up
    _one("failed", Say(), b"200 result=-1\n", AGIAppError),
    _one("hung-up", Say(), b"200 result=-1\n", AGIResultHangup, status=UNDEAD, hung_up=True),
    _one(
        "hung-up-long", Say(), b"200 result=-1\n", AGIResultHangup, status=LONG_DEAD, hung_up=True
    ),
    _one(
        "hung-up-late-notice",
        Say(),
        b"200 result=-1\n",
        AGIResultHangup,
        status=b"HANGUP\n" + LONG_DEAD,
        hung_up=True,
    ),
    _one("hung-up-noticed", Say(), b"HANGUP\n200 result=-1\n", AGIResultHangup, hung_up=True),
    _one("hung-up-gosub", Gosub(), b"200 result=0 (abnormal exit)\n", Said("0", "abnormal exit")),
    _one(
        "hung-up-gosub-dead",
        Gosub(),
        b"100 x\n200 result=0 (abnormal exit)\n",
        AGIResultHangup,
        status=LONG_DEAD,
        hung_up=True,
    ),
    _one("not-to-be-settled", Named(), b"200 result=-1\n", AGIAppError, status=LONG_DEAD),
    _one("status-unknown", Say(), b"200 result=-1\n", AGIAppError, status=b"510 What?\n"),
    # -- the end of the stream
    _one("end-at-once", Noop(), b"", AGISIGPIPEHangup, ends=True, hung_up=True),
    _one("end-in-a-line", Noop(), b"200 resu", AGISIGPIPEHangup, ends=True, hung_up=True),
    _one("end-in-noise", Noop(), b"what\n", AGISIGPIPEHangup, ends=True, hung_up=True),
    _one("end-in-usage", Noop(), USAGE[:60], AGISIGPIPEHangup, ends=True, hung_up=True),
    _one(
        "end-in-a-value", Value(), b"200 result=1 (a\n", AGISIGPIPEHangup, ends=True, hung_up=True
    ),
    _one("end-behind-a-reply", Noop(), b"200 result=0\n", Said("0"), ends=True, hung_up=True),
    _one("end-with-notice", Noop(), b"HANGUP\n", AGISIGHUPHangup, ends=True, hung_up=True),
    _one("end-with-notices", Noop(), b"HANGUP\nHANGUP\n", AGISIGHUPHangup, ends=True, hung_up=True),
    # -- too much
    _one("long-line", Noop(), b"200 result=1 (%b)\n" % (b"x" * 70_000), Said("1", "x" * 70_000)),
]

#: Whatever follows these, the session is over.
BROKEN = [
    _one("line-without-end", Noop(), b"2" * 1_200_000, AGIProtocolError, ends=True),
    _one("noise-without-end", Noop(), b"noise\n" * 200_000, AGIProtocolError, ends=True),
    _one("notices-without-end", Noop(), b"HANGUP\n" * 200_000, AGIProtocolError, ends=True),
    _one("usage-without-end", Noop(), b"520-x\n" * 200_000, AGIProtocolError, ends=True),
    _one("value-without-end", Value(), b"200 result=1 (\n" * 80_000, AGIProtocolError, ends=True),
    _one("provisional-without-end", Gosub(), b"100 x\n" * 200_000, AGIProtocolError, ends=True),
]


def parameters(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test for each case."""
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])
