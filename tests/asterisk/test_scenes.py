"""The spec on real calls: each scene's replies are the outcomes that the spec promises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi.core.catalogue import BY_COMMAND

from ..testing.agreement import agreement
from .scene import Scene, play
from .scenes import ROUTINES, SCENES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transcript import Take
    from .exchange import Exchange

NAMES = [scene.name for scene in SCENES]


@pytest.mark.parametrize("scene", SCENES, ids=NAMES)
def test_a_scene(exchange: Exchange, scene: Scene, seen_live: Callable[..., None]) -> None:
    if not scene.asked_on(exchange.release.major):
        pytest.skip(f"not for Asterisk {exchange.release.major}")
    exchange.dialplan(ROUTINES)
    takes: list[Take] = play(exchange, scene)
    seen_live(exchange, takes)
    assert agreement(scene, exchange.version, takes).problems == ()


def test_all_commands_are_those_that_asterisk_has(exchange: Exchange) -> None:
    listed = exchange.console("agi show commands").splitlines()
    names = {
        match[1].upper()
        for line in listed
        if (match := re.match(r"\s*(?:Yes|No)\s+(\S+(?: \S+)*?)\s{2,}", line))
    }
    assert len(names) == 47
    assert names == set(BY_COMMAND)


def test_the_dead_are_those_that_asterisk_allows(exchange: Exchange) -> None:
    listed = exchange.console("agi show commands").splitlines()
    allowed = {
        match[1].upper()
        for line in listed
        if (match := re.match(r"\s*Yes\s+(\S+(?: \S+)*?)\s{2,}", line))
    }
    assert allowed == {command.name for command in BY_COMMAND.values() if command.dead}
