"""Sound files: given, measured, or simply assumed; and what speaking is made of."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.testing import SimulatedAsterisk
from pystrix_typed.testing.sounds import Sounds, frames
from pystrix_typed.testing.spoken import (
    DATE,
    DATETIME,
    TIME,
    alpha_files,
    digit_files,
    number_files,
    phonetic_files,
    time_files,
)

from .lines import Talk

if TYPE_CHECKING:
    from pathlib import Path


def test_lengths() -> None:
    sounds = Sounds({"menu": 1.5, "broken": None})
    assert sounds.length("menu") == 1500
    assert sounds.length("beep") == 440
    assert sounds.length("digits/1") == 600
    assert sounds.length("nothing") is None
    assert sounds.length("broken") is None
    assert (sounds.exists("broken"), sounds.exists("nothing")) == (True, False)
    assert Sounds({}, core=False).length("beep") is None
    assert Sounds(None).length("anything") == 600


def test_measured(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    with wave.open(str(tmp_path / "menu.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16000 * 2))
    (tmp_path / "digits" / "1.gsm").write_bytes(bytes(33 * 25))
    (tmp_path / "hello.ulaw").write_bytes(bytes(4000))
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "notes.txt").write_text("no sound either")
    sounds = Sounds(tmp_path)
    assert sounds.length("menu") == 2000
    assert sounds.length("digits/1") == 500
    assert sounds.length("hello") == 500
    assert sounds.length("broken") is None
    assert not sounds.exists("notes")
    with pytest.raises(NotADirectoryError, match="is no folder of sounds"):
        SimulatedAsterisk(sounds=tmp_path / "nowhere")


def test_frames() -> None:
    assert [frames(each) for each in (0, 19, 20, 1234)] == [0, 0, 160, 9760]


@pytest.mark.parametrize(
    ("number", "files"),
    [
        (0, "0"),
        (7, "7"),
        (20, "20"),
        (42, "40 2"),
        (-5, "minus 5"),
        (115, "1 hundred 15"),
        (1234, "1 thousand 2 hundred 30 4"),
        (2_000_001, "2 million 1"),
        (1_000_000_000, "1 billion"),
    ],
)
def test_numbers(number: int, files: str) -> None:
    assert number_files(number) == [f"digits/{name}" for name in files.split()]


def test_signs() -> None:
    assert digit_files("1-*#x") == ["digits/1", "digits/minus", "digits/star", "digits/pound"]
    assert alpha_files("aB1é ") == ["letters/a", "letters/b", "digits/1", "letters/space"]
    assert alpha_files("aB", "u") == ["letters/a", "uppercase", "letters/b"]
    assert alpha_files("aB", "l") == ["lowercase", "letters/a", "letters/b"]
    assert phonetic_files("a9.") == ["phonetic/a_p", "digits/9", "letters/dot"]


def test_times() -> None:
    assert time_files(0, DATE) == [
        "digits/day-4", "digits/mon-0", "digits/h-1", "digits/19", "digits/70",
    ]  # fmt: skip
    assert time_files(13 * 3600 + 5 * 60, TIME) == [
        "digits/1", "digits/oh", "digits/5", "digits/p-m",
    ]  # fmt: skip
    assert "digits/at" in time_files(0, DATETIME)
    assert time_files(0, "HM", "Asia/Tokyo")[:2] == ["digits/oh", "digits/9"]
    assert time_files(22 * 86400, "d") == ["digits/20", "digits/h-3"]
    assert time_files(1 << 62, "Y") == [
        "digits/3",
        "digits/thousand",
        "digits/8",
        "digits/hundred",
        "digits/70",
        "digits/1",
    ]
    assert time_files(-(1 << 62), "Y")[-1].startswith("digits/")


@pytest.mark.parametrize(
    ("line", "said", "seconds"),
    [
        ('SAY NUMBER 42 ""', "42", 1.2),
        ('SAY DIGITS 1234 ""', "1234", 2.4),
        ('SAY ALPHA ab ""', "ab", 1.2),
        ('SAY ALPHA "" ""', "", 0.0),
        ('SAY PHONETIC ab ""', "ab", 1.2),
        ('SAY TIME 0 ""', "0", 1.8),
        ('SAY DATETIME 0 "" ""', "0", 0.0),
    ],
)
def test_speaking(line: str, said: str, seconds: float) -> None:
    talk = Talk()
    assert talk(line) == "200 result=0"
    assert talk.call.said == [said]
    assert talk.call.now == pytest.approx(seconds)
    assert talk.call.played == []


def test_speaking_without_sounds() -> None:
    bare = SimulatedAsterisk(sounds={"digits/1": None}, core_sounds=False)
    assert Talk(bare)('SAY NUMBER 42 ""') == "200 result=-1"
    assert Talk(bare)('SAY DIGITS 42 ""') == "200 result=0"
    assert Talk(bare)('SAY DIGITS 1 ""') == "200 result=-1"


def test_releases_that_spell_badly() -> None:
    sounds = {"letters/a": 1.0, "letters/b": 1.0}
    for version, answer in (("16.28.0", -1), ("16.30.0", 0), ("20.0.1", -1), ("22.10.1", 0)):
        asterisk = SimulatedAsterisk(version, sounds=sounds, core_sounds=False)
        assert Talk(asterisk)('SAY ALPHA éa ""') == f"200 result={answer}"
        assert Talk(asterisk)('SAY ALPHA aé ""') == "200 result=0"
        assert Talk(asterisk)('SAY ALPHA é ""') == "200 result=0"
