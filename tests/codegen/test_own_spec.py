"""A spec of someone's own, from YAML to an action on the wire, and to what the checkers see."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pystrix_typed.agi import AGIAppError, AGIUnknownError, wire

from ..checkers import INSTALLED, PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from .workshop import Workshop


@pytest.fixture
def mine(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Give the package that was generated from the sample spec."""
    assert workshop.run().status == 0
    monkeypatch.setattr(sys, "path", [str(workshop.out.parent), *sys.path])
    importlib.invalidate_caches()
    yield importlib.import_module("mine")
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]


def test_action_goes_over_the_wire(mine: Any) -> None:
    action = mine.Ask("beep", max_digits=4)
    assert action.line == b'GET DATA "beep" 2000 4\n'
    assert dataclasses.replace(action, timeout=1).line == b'GET DATA "beep" 1 4\n'
    assert [field.name for field in dataclasses.fields(action)] == [
        *("filename", "timeout", "max_digits")
    ]
    assert pickle.loads(pickle.dumps(action)) == action
    with pytest.raises(ValueError, match="between 1 and 1023"):
        mine.Ask("beep", max_digits=0)


def test_replies_are_read(mine: Any) -> None:
    action = mine.Ask("beep")
    reply = wire.parse(b"200 result=12 (timeout)")
    assert action._read(reply) == mine.AskResult("12", True)
    assert reply.outcome == "timed-out"
    with pytest.raises(AGIAppError, match="GET DATA: the prompt cannot be played"):
        action._read(wire.parse(b"200 result=-1"))
    with pytest.raises(AGIUnknownError):
        mine.SayColour("red")._read(wire.parse(b"200 result=7"))


def test_result_of_the_core_can_be_borrowed(mine: Any) -> None:
    from pystrix_typed.agi.core import DigitResult

    found = mine.SayColour("red")._read(wire.parse(b"200 result=35"))
    assert found == DigitResult("#")
    assert type(found) is DigitResult


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, b'SAY COLOUR "red" ""\n'),
        ({"shade": "dark"}, b'SAY COLOUR "red" "" "dark"\n'),
        ({"zone": "z"}, b'SAY COLOUR "red" "" "plain" "z"\n'),
        ({"zone": "z", "loud": True}, b'SAY COLOUR "red" "" "plain" "z" "LOUD"\n'),
        ({"zone": "z", "rest": 5}, b'SAY COLOUR "red" "" "plain" "z" s=5\n'),
    ],
)
def test_omitted_arguments_travel_as_the_spec_says(
    arguments: dict[str, object], line: bytes, mine: Any
) -> None:
    assert mine.SayColour("red", **arguments).line == line


@pytest.mark.parametrize("arguments", [{"loud": True}, {"rest": 5}])
def test_omitted_argument_before_a_given_one_is_refused(
    arguments: dict[str, object], mine: Any
) -> None:
    with pytest.raises(ValueError, match=r"SayColour\((loud|rest)=.*\): needs zone as well"):
        mine.SayColour("red", **arguments)


def test_choice_takes_members_and_values(mine: Any) -> None:
    assert mine.SayColour(mine.Colour.BLUE) == mine.SayColour("blue")
    assert type(mine.SayColour(mine.COLOUR_RED).colour) is str
    with pytest.raises(ValueError, match="must be one of 'red', 'blue'"):
        mine.SayColour("green")


def test_environment_is_typed(mine: Any) -> None:
    environment = mine.Environment({"agi_callerid": "unknown", "agi_priority": "2", "agi_x": "y"})
    assert environment.caller_id is None
    assert environment.priority == 2
    assert environment.others == {"agi_x": "y"}


def test_all_is_all(mine: ModuleType) -> None:
    names: list[str] = mine.__all__
    assert names == sorted(set(names))
    assert {name for name in dir(mine) if not name.startswith("_")} - {
        *("TYPE_CHECKING", "annotations")
    } == set(names)
    for name in names:
        assert getattr(mine, name) is vars(mine)[name]
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = mine.Nonsense


def test_a_spec_needs_only_commands(workshop: Workshop) -> None:
    for name in ("results", "enumerations", "environment"):
        (workshop.spec / f"{name}.yaml").unlink()
    workshop.edit("commands/sample.yaml", "enumeration: Colour", "enumeration: TDDSetting")
    workshop.edit("commands/sample.yaml", "result: AskResult", "result: GetDataResult")
    for old, new in (
        ('SayColour("red")', 'SayColour("on")'),
        ('SAY COLOUR "red" ""', 'SAY COLOUR "on" ""'),
        ("SayColour(Colour.RED,", "SayColour(TDDSetting.OFF,"),
        ('SAY COLOUR "red"', 'SAY COLOUR "off"'),
        ('SayColour("blue"', 'SayColour("mate"'),
        ('SAY COLOUR "blue"', 'SAY COLOUR "mate"'),
    ):
        workshop.edit("commands/sample.yaml", old, new)
    done = workshop.run()
    assert done.status == 0, done.err
    assert {path.name for path in workshop.out.iterdir()} == {
        *("__init__.py", "_ask.py", "_say_colour.py", "catalogue.py", "py.typed", "sample.py")
    }


def test_checkers_have_nothing_to_say(mine: ModuleType, workshop: Workshop) -> None:
    folder = workshop.out.parent
    (folder / "pyrightconfig.json").write_text(
        f'{{"typeCheckingMode": "strict", "include": ["mine"], "extraPaths": ["{PACKAGES}"]}}'
    )
    for command in (
        ["mypy", "--strict", "--cache-dir", "cache", "mine"],
        ["pyright", "--pythonpath", sys.executable],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            # An installed package is found by itself, and mypy refuses to be told where it is.
            env={**os.environ, **({} if INSTALLED else {"MYPYPATH": str(PACKAGES)})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
