"""Every way through a message: kept, listened to, recorded again, erased, left in the middle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import voicemail
from hypothesis import given, settings

from pystrix_typed.testing import Answered, Caller, Fault, HungUp, SimulatedAsterisk
from pystrix_typed.testing.strategies import callers, hangups

if TYPE_CHECKING:
    from pathlib import Path

    from pystrix_typed.testing import SimulatedCall

TALKS = Caller("5550123", "Ann").hears("vm-intro").hears("beep").says("call me back", seconds=3.0)
DONE = TALKS.presses("#").hears("vm-review")


def place(caller: Caller, *faults: Fault) -> tuple[SimulatedCall, list[dict[str, Any]]]:
    """Give the call, and what is known about the messages in the box."""
    asterisk = SimulatedAsterisk()
    call = asterisk.call(voicemail.server, "leave?box=sales", caller=caller, faults=faults)
    # A family ends at the first slash, whichever side of the key that is on.
    return call, [json.loads(row) for _, row in asterisk.database.items()]


def test_a_message_is_kept() -> None:
    call, [message] = place(DONE.presses("1"))
    assert call.recordings[0].words == ("call me back",)
    assert (message["from"], message["name"]) == ("5550123", "Ann")
    assert message["seconds"] == pytest.approx(3.0, abs=0.5)
    assert message["file"].endswith("sales-1767225600.1.wav")
    assert call.played[-1] == "vm-msgsaved"


def test_no_choice_keeps_it() -> None:
    assert len(place(DONE)[1]) == 1


def test_they_listen_to_it() -> None:
    call, messages = place(DONE.presses("2").hears("vm-review").presses("1"))
    assert call.played.count("vm-review") == 2
    assert len(messages) == 1


def test_they_record_it_again() -> None:
    again = DONE.presses("3").hears("beep").says("no, I call you").presses("#").hears("vm-review")
    call, [message] = place(again.presses("1"))
    assert [recording.words for recording in call.recordings][-1] == ("no, I call you",)
    assert message["seconds"] < 3.0


def test_who_leaves_at_the_second_beep_keeps_the_first() -> None:
    _, [message] = place(DONE.presses("3").hears("beep", only=0.1).hangs_up())
    assert message["seconds"] == pytest.approx(3.0, abs=0.5)


def test_a_key_at_the_second_beep_keeps_the_first() -> None:
    again = DONE.presses("3").hears("beep", only=0.1).presses("#").hears("vm-review")
    _, [message] = place(again.presses("1"))
    assert message["seconds"] == pytest.approx(3.0, abs=0.5)


def test_a_database_that_fails_does_not_fail_the_call() -> None:
    call, messages = place(DONE.presses("1"), Answered("DATABASE PUT", "failed"))
    assert messages == []
    assert call.played[-1] == "vm-msgsaved"


def test_they_erase_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voicemail, "FOLDER", tmp_path)
    file = tmp_path / "sales-1767225600.1.wav"
    file.touch()
    call, messages = place(DONE.presses("*"))
    assert call.played[-1] == "vm-deleted"
    assert messages == []
    assert not file.exists()


def test_too_short_is_no_message() -> None:
    quick = Caller().hears("beep").presses("#")
    call, messages = place(quick.hears("beep").presses("#").hears("beep").presses("#"))
    assert call.played.count("vm-tooshort") == 3
    assert messages == []


def test_silence_ends_it() -> None:
    call, [message] = place(Caller().hears("beep").says(2.0))
    assert call.recordings[0].ended_by == "silence"
    assert message["seconds"] >= 2.0


def test_who_hangs_up_has_left_a_message() -> None:
    call, [message] = place(TALKS.hangs_up())
    assert call.recordings[0].ended_by == "hangup"
    assert message["seconds"] == pytest.approx(3.0, abs=0.5)


def test_who_hangs_up_at_once_has_not() -> None:
    assert place(Caller().hears("beep").waits(0.2).hangs_up())[1] == []


def test_a_file_that_cannot_be_written() -> None:
    call, messages = place(Caller(), Answered("RECORD FILE", "no-file"))
    assert call.played[-1] == "sorry-youre-having-problems"
    assert messages == []


@given(callers(), hangups())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_whatever_the_caller_does(caller: Caller, hangup: HungUp) -> None:
    call, messages = place(caller, hangup)
    assert not call.mistaken
    assert len(messages) <= 1
