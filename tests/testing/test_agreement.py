"""The simulated Asterisk says what the real ones said, line for line, in every scene."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.asterisk.scenes import SCENES
from tests.transcript import load

from .agreement import ALLOWED, agreement, summary

if TYPE_CHECKING:
    from tests.asterisk.scene import Scene
    from tests.transcript import Take

RELEASES = (22, 16)


@cache
def by_scene(major: int) -> dict[str, list[Take]]:
    found: dict[str, list[Take]] = {}
    for take in load(major).takes:
        found.setdefault(take.scene, []).append(take)
    return found


PLAYED = [(major, scene) for major in RELEASES for scene in SCENES if scene.asked_on(major)]


@pytest.mark.parametrize(
    ("major", "scene"), PLAYED, ids=[f"{major}-{scene.name}" for major, scene in PLAYED]
)
def test_a_scene(major: int, scene: Scene) -> None:
    takes = by_scene(major)[scene.name]
    found = agreement(scene, load(major).version, takes)
    assert found.problems == ()
    assert found.lines >= len(takes) / 2


@pytest.mark.parametrize("major", RELEASES)
def test_every_take_is_of_a_scene(major: int) -> None:
    assert set(by_scene(major)) == {scene.name for other, scene in PLAYED if other == major}


def test_every_difference_that_is_allowed_is_met() -> None:
    met: Counter[str] = Counter()
    for major, scene in PLAYED:
        met.update(agreement(scene, load(major).version, by_scene(major)[scene.name]).allowed)
    # A notice's time is a race: whether it is met, the machine decides.
    always = {each.name for each in ALLOWED} - {"notices"}
    assert always <= {name for name, count in met.items() if count}


def test_a_late_notice_is_allowed_and_a_missing_one_is_not() -> None:
    name = 'hangup: Gosub("scenes", "wait", 1)'
    scene = next(scene for scene in SCENES if scene.name == name)
    (take,) = by_scene(22)[name]
    ((sent, answer),) = take.said
    reply = answer.removesuffix(b"HANGUP\n")
    assert reply != answer
    dead = b"HANGUP\n511 Command Not Permitted on a dead channel or intercept routine\n"
    late = take._replace(said=((sent, reply), (b"CHANNEL STATUS\n", dead)))
    found = agreement(scene, "22.10.1", [late])
    assert found.problems == ()
    assert found.allowed["notices"] == 1
    assert agreement(scene, "22.10.1", [take._replace(said=((sent, reply),))]).problems
    wrong = late._replace(said=((sent, reply.replace(b"result=0", b"result=1")), late.said[1]))
    assert agreement(scene, "22.10.1", [wrong]).problems


def test_a_wrong_line_is_found() -> None:
    scene = next(scene for scene in SCENES if scene.name == "keys")
    takes = by_scene(22)["keys"]
    sent, answer = takes[0].said[0]
    spoilt = takes[0]._replace(said=((sent, answer.replace(b"result=", b"result=9")),))
    problems = agreement(scene, "22.10.1", [spoilt, *takes[1:]]).problems
    assert len(problems) == 1
    assert "result=9" in problems[0]
    assert len(agreement(scene, "22.10.1", takes[1:]).problems) == 1
    assert len(agreement(scene, "22.10.1", [*takes, takes[0]]).problems) == 1


def test_the_summary_counts() -> None:
    lines = list(summary({load(major).version: by_scene(major) for major in RELEASES}))
    assert lines[0].startswith("22.10.1: ")
    assert [line for line in lines if line.startswith("DIFFERS")] == []
