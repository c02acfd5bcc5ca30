"""Outcomes that no call of these tests can be brought to, each with the reason.

A test holds this list to the spec and to the transcripts: an outcome that was seen has no place
here, and neither has one that the spec does not know.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EXCLUSIONS", "Exclusion"]


class Exclusion(NamedTuple):
    """Outcomes of some commands that stay unseen.

    Attributes:
        commands: The command words.
        outcomes: Their ids.
        why: The reason.
        only: The releases that it holds for; empty for all.
    """

    commands: tuple[str, ...]
    outcomes: tuple[str, ...]
    why: str
    only: tuple[int, ...] = ()


_NO_ENGINE = "needs a speech engine, and this Asterisk has no module for one of our own"
#: `engine` needs res_speech_aeap, which 16 has not.
_BEFORE_AEAP = (16,)
_NO_MEMORY = "needs an Asterisk that is out of memory"
_RACE = (
    "the caller would have to hang up within the microseconds between the arrival of the command "
    "and its end: Asterisk notices a hangup before it reads the next command"
)
GRAMMAR = (
    "SPEECH LOAD GRAMMAR",
    "SPEECH UNLOAD GRAMMAR",
    "SPEECH ACTIVATE GRAMMAR",
    "SPEECH DEACTIVATE GRAMMAR",
)

EXCLUSIONS: tuple[Exclusion, ...] = (
    Exclusion(("ANSWER",), ("failed",), "needs a channel driver that fails to answer"),
    Exclusion(("TDD MODE",), ("supported",), "needs TDD hardware (DAHDI)"),
    Exclusion(
        ("EXEC",),
        ("value-and-usage",),
        "needs an application that returns 1; the one that is known to, StatsD, is not packaged",
    ),
    Exclusion(("GOSUB",), ("failed",), "needs the routine to vanish between look-up and start"),
    Exclusion(("GOSUB", "DATABASE GET"), ("no-memory",), _NO_MEMORY),
    Exclusion(("WAIT FOR DIGIT",), ("failed",), "needs a channel whose driver breaks"),
    Exclusion(("RECORD FILE",), ("broken",), "needs a channel whose driver breaks"),
    Exclusion(
        ("RECORD FILE",),
        ("no-silence-detection",),
        "needs a channel whose sound Asterisk cannot translate to signed linear",
    ),
    Exclusion(
        ("RECEIVE CHAR",),
        ("empty",),
        "needs a far end that sends an empty text; Asterisk itself sends none",
    ),
    Exclusion(("SEND TEXT", "SEND IMAGE"), ("hangup",), _RACE),
    Exclusion(GRAMMAR, ("accepted",), "needs a speech engine that knows grammars"),
    Exclusion(("SPEECH CREATE",), ("created",), _NO_ENGINE, _BEFORE_AEAP),
    Exclusion(("SPEECH SET",), ("set",), _NO_ENGINE, _BEFORE_AEAP),
    Exclusion(("SPEECH DESTROY",), ("destroyed",), _NO_ENGINE, _BEFORE_AEAP),
    Exclusion(
        ("SPEECH RECOGNIZE",),
        ("speech", "digit", "timed-out", "hangup"),
        _NO_ENGINE,
        _BEFORE_AEAP,
    ),
)
