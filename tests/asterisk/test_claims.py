"""What the reference says of names and arguments, where a reply alone does not show it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core

from .fastagi import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .exchange import Exchange

ROUTINE = """
[claims]
exten => tell,1,Return(${ARGC}:${ARG99}:${ARG100})
exten => two,1,Return(${ARG1}|${ARG2}|${ARGC})
"""
#: As they are, in an application's list and among a routine's arguments alike.
TEXTS = ["$[1 + 1]", "${SECRET}", "[x]", "(y)", "it's", " a b ", "100%;", 'say "so"', ""]
#: What only an application can be given.
SPLITTING = ["a,b", "\\", "\\,", '"', "(x", "x]", "$\\{SECRET}"]


@pytest.fixture
def session(exchange: Exchange) -> Iterator[agi.Session]:
    with (
        Listener() as listener,
        exchange.call(listener.url, variables={"SECRET": "told"}),
        contextlib.closing(agi.FastAGI(listener.accept())) as session,
    ):
        yield session


def value(session: agi.Session, text: str) -> str | None:
    return session.execute(core.GetFullVariable(text)).value


def test_the_case_of_a_channels_name(exchange: Exchange, session: agi.Session) -> None:
    name = session.environment.channel
    assert session.execute(core.ChannelStatus(name)).state is core.ChannelState.UP
    assert session.execute(core.GetFullVariable("${EXTEN}", name.upper())).value == "near"
    if exchange.release.major == 16:
        with pytest.raises(agi.AGIAppError, match="give the exact name"):
            session.execute(core.ChannelStatus(name.upper()))
    else:
        assert session.execute(core.ChannelStatus(name.upper())).state is core.ChannelState.UP
    session.execute(core.Hangup(name.upper()))


def test_a_routine_takes_a_hundred_arguments(exchange: Exchange, session: agi.Session) -> None:
    exchange.dialplan(ROUTINE)
    session.execute(core.Gosub("claims", "tell", 1, range(1, 101)))
    assert value(session, "${GOSUB_RETVAL}") == "100:99:100"
    session.execute(core.Gosub("claims", "tell", 1, ",".join(map(str, range(1, 103)))))
    assert value(session, "${GOSUB_RETVAL}") == "100:99:100,101,102"


def test_an_element_stays_one_argument_of_a_routine(
    exchange: Exchange, session: agi.Session
) -> None:
    exchange.dialplan(ROUTINE)
    for text in TEXTS:
        session.execute(core.Gosub("claims", "two", 1, [text, "ok"]))
        assert value(session, "${GOSUB_RETVAL}") == f"{text}|ok|2"


@pytest.mark.parametrize("evaluated", ["", "true"])
def test_an_element_stays_one_argument(session: agi.Session, evaluated: str) -> None:
    session.execute(core.SetVariable("AGIEXECFULL", evaluated))
    for text in (*TEXTS, *SPLITTING):
        session.execute(core.Exec("MSet", [f"FIRST={text}", "SECOND=ok"]))
        got = [session.execute(core.GetVariable(name)).value for name in ("FIRST", "SECOND")]
        assert got == [text, "ok"]


def test_a_pattern_of_the_database(session: agi.Session) -> None:
    families = ("claims_1", "claims-1", "CLAIMS_1")
    for family in families:
        session.execute(core.DatabasePut(family, "a/k", "v"))
    assert session.execute(core.Exec("DBdeltree", "claims_1/a")).value == 0
    for family in families:
        with pytest.raises(agi.AGIDBError):
            session.execute(core.DatabaseGet(family, "a/k"))


def test_a_moment_of_auto_hangup(session: agi.Session) -> None:
    session.execute(core.SetAutohangup(0.000001))
    with pytest.raises(agi.AGIHangup):
        session.execute(core.WaitForDigit(5000))
