"""What real exchanges said is read as it was read then, whole and byte by byte.

The transcripts are the proof that the spec is right, too: every outcome in it was seen on a real
exchange, or `tests.asterisk.exclusions` says why it cannot be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import BY_COMMAND, COMMANDS
from pystrix_typed.agi.protocol import Protocol

from .asterisk.coverage import outcomes_of, seen_in, unexplained, why_not
from .asterisk.exclusions import EXCLUSIONS
from .asterisk.scenes import SCENES
from .tokenizer import words
from .transcript import ANSWER, INTERRUPTED, built, load, plain, spoken, unkept_promise

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from .transcript import Take

MAJORS = (22, 16)
TRANSCRIPTS = {major: load(major) for major in MAJORS}
TAKES = [
    pytest.param(take, id=f"{major}-{take.command}-{take.outcome}-{number}")
    for major, transcript in TRANSCRIPTS.items()
    for number, take in enumerate(transcript.takes)
]
REFRESH = "nox -s asterisk -- --record-transcripts"

DEAD = b"511 Command Not Permitted on a dead channel or intercept routine\n"

_MARK = re.compile(rb"fence-[0-9a-f]{16}-\d+")


def whole(data: bytes) -> Iterable[bytes]:
    """Give what came in one piece."""
    return [data]


def bytewise(data: bytes) -> Iterable[bytes]:
    """Give what came in single bytes."""
    return (data[at : at + 1] for at in range(len(data)))


class Replay:
    """The exchange's part of a take, on a clock that stands still.

    Fences are drawn by lot, so each is answered by its own name; and where bytes come one by one,
    the protocol sends more of them than when the take was made.
    """

    def __init__(self, take: Take, cut: Callable[[bytes], Iterable[bytes]]) -> None:
        self._left = list(take.said)
        self._cut = cut
        self._coming: list[bytes] = []

    def drive(
        self, protocol: Protocol, steps: Generator[tuple[bytes, float | None], bytes | None, object]
    ) -> object:
        """Feed a protocol what the exchange said."""
        try:
            line, until = next(steps)
            while True:
                if line:
                    protocol.sending = False
                    self._hear(line)
                if self._coming:
                    line, until = steps.send(self._coming.pop(0))
                else:
                    assert until is not None, "it waits for more than there was"
                    protocol.now = until
                    line, until = steps.send(None)
        except StopIteration as stop:
            return stop.value

    def _hear(self, line: bytes) -> None:
        mark = _MARK.search(line)
        if mark is None and not self._left:
            # The notice that came with the reply is not read yet, so the session asks.
            assert line == b"CHANNEL STATUS\n"
            assert self._coming
            answer = DEAD
        elif mark is None:
            sent, answer = self._left.pop(0)
            assert line == sent
        elif self._left and _MARK.search(self._left[0][0]):
            _, recorded = self._left.pop(0)
            answer = _MARK.sub(mark[0], recorded)
        else:
            answer = b"200 result=1 (%b)\n" % mark[0]
        self._coming += self._cut(answer)


def test_there_are_transcripts_of_both() -> None:
    for major, transcript in TRANSCRIPTS.items():
        assert transcript.version.startswith(f"{major}.")


@pytest.mark.parametrize("cut", [whole, bytewise])
@pytest.mark.parametrize("take", TAKES)
def test_a_reply_is_read_as_it_was(take: Take, cut: Callable[[bytes], Iterable[bytes]]) -> None:
    if take.outcome.startswith(INTERRUPTED):
        interrupt(take, cut)
        return
    action, replies = spoken(built(take.action), take.said[0][0])
    # A value that arrives in pieces has to be fenced, or it might end where it only seems to.
    protocol = Protocol(verify_values=cut is bytewise)
    result: object = None
    error: agi.AGIException | None = None
    try:
        result = Replay(take, cut).drive(protocol, protocol.execute(action, None))
    except agi.AGIException as caught:
        error = caught
    reply = error.reply if error is not None and error.reply is not None else replies[-1]
    assert not unkept_promise(BY_COMMAND[take.command], take.outcome, reply, result, error)
    assert (type(error).__name__ if error is not None else "") == take.raises
    if result is None:
        assert take.gives is None
    else:
        assert isinstance(result, agi.Record)
        names = result.__match_args__
        assert {name: plain(getattr(result, name)) for name in names} == take.gives


def interrupt(take: Take, cut: Callable[[bytes], Iterable[bytes]]) -> None:
    """Abandon a command, feed what came of that, and see that the session is in step."""
    action = built(take.action)
    protocol = Protocol()
    steps = protocol.execute(action, 1.0)
    assert next(steps)[0] == take.said[0][0] == action.line
    protocol.sending = False
    with pytest.raises(agi.AGITimeoutError):
        steps.send(None)
    mark = _MARK.search(protocol.abandon(1.0))
    assert mark is not None
    protocol.sending = False
    answer = take.said[-1][1].removesuffix(ANSWER) + b"200 result=1 (%b)\n" % mark[0]
    for piece in cut(answer):
        protocol.received(piece)
    steps = protocol.execute(core.Noop(), 2.0)
    assert next(steps)[0] == b"NOOP\n"
    with pytest.raises(StopIteration):
        steps.send(b"200 result=0\n")
    assert protocol.hangup is None


# ---- the transcripts are those of the scenes ----


@pytest.mark.parametrize("major", MAJORS)
def test_each_scene_is_recorded(major: int) -> None:
    wanted = sorted(
        (scene.name, ask.action, ask.outcome) for scene in SCENES for ask in scene.asked_on(major)
    )
    recorded = sorted((take.scene, take.action, take.outcome) for take in TRANSCRIPTS[major].takes)
    assert recorded == wanted, f"the scenes have changed: refresh with `{REFRESH}`"


def test_scenes_have_names_of_their_own() -> None:
    names = [scene.name for scene in SCENES]
    assert len(names) == len(set(names))


# ---- coverage ----


def test_every_outcome_was_seen_or_is_excluded() -> None:
    seen = {transcript.version: seen_in(transcript.takes) for transcript in TRANSCRIPTS.values()}
    assert unexplained(seen) == []


@pytest.mark.parametrize("exclusion", EXCLUSIONS, ids=lambda each: f"{each.commands[0]}")
def test_an_exclusion_names_something_that_is_never_seen(
    exclusion: tuple[tuple[str, ...], tuple[str, ...], str, tuple[int, ...]],
) -> None:
    commands, outcomes, why, only = exclusion
    assert why
    for major, transcript in TRANSCRIPTS.items():
        if only and major not in only:
            continue
        seen = seen_in(transcript.takes)
        for name in commands:
            for outcome in outcomes:
                assert outcome in outcomes_of(BY_COMMAND[name])
                assert (name, outcome) not in seen


def test_what_a_version_cannot_answer_was_not_seen() -> None:
    for transcript in TRANSCRIPTS.values():
        for name, outcome in seen_in(transcript.takes):
            assert not why_not(BY_COMMAND[name], outcome, transcript.version), (name, outcome)


# ---- what pystrix gets wrong ----


def takes_of(*names: str) -> list[Take]:
    """Give the takes of some commands, on both."""
    return [take for each in TRANSCRIPTS.values() for take in each.takes if take.command in names]


def test_send_image_is_sent_as_such() -> None:
    takes = [take for take in takes_of("SEND IMAGE") if take.outcome == "done"]
    assert takes
    for take in takes:
        assert take.said[0] == (b'SEND IMAGE "no-such-picture"\n', b"200 result=0\n")


def test_positions_are_those_that_asterisk_tells() -> None:
    checked = 0
    for take in takes_of("STREAM FILE", "GET OPTION", "CONTROL STREAM FILE", "RECORD FILE"):
        told = re.search(rb" endpos=(-?\d+)", take.said[0][1])
        if take.gives is not None and told is not None:
            position = int(told[1])
            given = take.gives.get("end_position", take.gives.get("offset"))
            assert given == (None if position < 0 else position)
            checked += 1
    assert checked > 20


def test_arguments_are_quoted_once() -> None:
    read = [take for take in takes_of("GET VARIABLE") if take.action == 'GetVariable("GIVEN")']
    assert len(read) == 2
    for take in read:
        assert take.gives == {"value": "two words (1)"}
    for take in takes_of(*BY_COMMAND):
        line = take.said[0][0]
        if line == built(take.action).line:
            assert not any(re.fullmatch(rb'".*"', word) for word in words(line.rstrip(b"\n")))


def test_a_hangup_is_never_a_result() -> None:
    takes = [take for take in takes_of(*BY_COMMAND) if take.outcome == "hangup"]
    assert {"GET DATA", "WAIT FOR DIGIT", "RECORD FILE"} <= {take.command for take in takes}
    for take in takes:
        assert take.gives is None
        assert take.raises == "AGIResultHangup"
    for take in takes_of("GET DATA"):
        assert take.gives is None or take.gives["digits"] != "-1"


def test_a_recording_that_failed_has_not_timed_out() -> None:
    takes = [take for take in takes_of("RECORD FILE") if take.outcome in {"no-file", "no-beep"}]
    assert takes
    for take in takes:
        assert take.gives is None
        assert take.raises == "AGIAppError"


def test_receive_text_gives_the_text() -> None:
    texts = [take.gives for take in takes_of("RECEIVE TEXT") if take.outcome == "received"]
    assert {"text": "hi there"} in texts
    assert {"text": "l1 (a)\nl2 )"} in texts


def test_a_tree_that_was_deleted_is_a_success() -> None:
    takes = [take for take in takes_of("DATABASE DELTREE") if take.outcome == "deleted"]
    assert takes
    for take in takes:
        assert take.said[0][1] == b"200 result=0\n"
        assert take.gives == {"deleted": True}
        assert not take.raises


def test_all_commands_are_in_the_transcripts() -> None:
    for transcript in TRANSCRIPTS.values():
        assert {take.command for take in transcript.takes} == {each.name for each in COMMANDS}
