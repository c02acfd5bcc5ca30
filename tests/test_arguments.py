"""What actions are built with: everything usable is taken, and nothing else reaches the wire."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import itertools
import pickle
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi import Action, core
from pystrix_typed.agi.core import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

UTC = datetime.UTC
NAMES = {name: getattr(core, name) for name in core.__all__}
EXAMPLES: list[Action[object]] = [
    eval(example.python, {"datetime": datetime, "PurePosixPath": PurePosixPath, **NAMES})
    for command in catalogue.COMMANDS
    for example in command.examples
]
BAD: list[object] = [
    "a\nb",
    "a\0b",
    "\n",
    b"bytes",
    object(),
    ["a\n"],
    "\ud800",
    float("nan"),
    -(10**30),
    {1.5: "a"},
    "x" * 9000,
]


@pytest.mark.parametrize("action", EXAMPLES, ids=lambda action: action.line.decode().strip())
def test_an_action_is_a_value(action: Action[object]) -> None:
    assert dataclasses.is_dataclass(action)
    names = [field.name for field in dataclasses.fields(action)]
    assert tuple(names) == type(action).__match_args__
    again = dataclasses.replace(action)
    assert again == action
    assert hash(again) == hash(action)
    assert again.line == action.line
    assert eval(repr(action), NAMES) == action
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(action, protocol)) == action
    assert copy.deepcopy(action) == action
    for name in names:
        with pytest.raises(AttributeError):
            setattr(action, name, "changed")
    assert not hasattr(action, "__dict__")


@pytest.mark.parametrize("action", EXAMPLES, ids=lambda action: action.line.decode().strip())
def test_nothing_bad_reaches_the_wire(action: Action[object]) -> None:
    for field in dataclasses.fields(action):
        for value in BAD:
            try:
                changed = dataclasses.replace(action, **{field.name: value})
                line = changed.line
            except (TypeError, ValueError) as error:
                message = str(error)
            else:
                message = ""
                assert line.count(b"\n") == 1
                assert b"\0" not in line
                assert not (isinstance(value, str) and ("\n" in value or "\0" in value))
            # Told by the action, or by the command when its line is too long.
            tellers = (f"{type(action).__name__}(", f"{action.command}:")
            assert not message or message.startswith(tellers)


NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=UTC)
EAST = datetime.timezone(datetime.timedelta(hours=5))


class Word(str, enum.Enum):  # noqa: UP042 - `str()` gives its name, which must not travel
    """As enumerations of texts were written before Python 3.11."""

    SALES = "sales"
    ONE = "1"


class Number(int, enum.Enum):
    """The same with numbers."""

    THIRTY = 30
    TWO = 2


class Odd(str):
    """A text whose methods say something else than it holds."""

    __slots__ = ()

    def __str__(self) -> str:
        return "odd"

    def __contains__(self, _key: object) -> bool:
        return False


class NumberedFile:
    """A path that is none."""

    def __fspath__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: core.GetData("a", datetime.timedelta(seconds=1.5)), b'GET DATA "a" 1500 255\n'),
        (lambda: core.GetData("a", 2000.0), b'GET DATA "a" 2000 255\n'),
        (lambda: core.GetData(PurePosixPath("a/b")), b'GET DATA "a/b" 2000 255\n'),
        (lambda: core.StreamFile("a", [1, "2", "#"]), b'STREAM FILE "a" "12#" 0\n'),
        (lambda: core.StreamFile("a", iter("ab*")), b'STREAM FILE "a" "AB*" 0\n'),
        (lambda: core.SayDigits(1234), b'SAY DIGITS "1234" ""\n'),
        (lambda: core.SayDigits("1*#"), b'SAY DIGITS "1*#" ""\n'),
        (lambda: core.SayDate(NOON), b'SAY DATE 1767355200 ""\n'),
        (lambda: core.SayTime(1767355200.9), b'SAY TIME 1767355200 ""\n'),
        (lambda: core.SetAutohangup(1.25), b"SET AUTOHANGUP 1.25\n"),
        (lambda: core.TDDMode(core.TDD_ON), b'TDD MODE "on"\n'),
        (lambda: core.SetPriority("5"), b"SET PRIORITY 5\n"),
        (lambda: core.SetVariable("A", 'say "hi" \\'), b'SET VARIABLE "A" "say \\"hi\\" \\\\"\n'),
        (
            lambda: core.Exec("MSet", ["A=b,c", "${D}"]),
            b'EXEC "MSet" "A=b\\\\,c,$\\\\{D}"\n',
        ),
        (lambda: core.Exec("MSet", "A=b,C=d"), b'EXEC "MSet" "A=b,C=d"\n'),
        (lambda: core.Gosub("a", "b", 1, ["c", "(d)"]), b'GOSUB "a" "b" 1 "c,(d)"\n'),
        (
            lambda: core.Exec(Word.SALES, [Word.SALES, Number.THIRTY, Odd("a"), 7]),
            b'EXEC "sales" "sales,30,a,7"\n',
        ),
        (lambda: core.StreamFile("a", [Word.ONE, Number.TWO]), b'STREAM FILE "a" "12" 0\n'),
        (lambda: core.StreamFile("a", {"1": "sales", "#": "end"}), b'STREAM FILE "a" "1#" 0\n'),
        (lambda: core.SayDigits(Number.THIRTY), b'SAY DIGITS "30" ""\n'),
        (lambda: core.GetData("a", Number.THIRTY, Number.TWO), b'GET DATA "a" 30 2\n'),
        (lambda: core.SetAutohangup(-0.0), b"SET AUTOHANGUP 0\n"),
        (
            lambda: core.SetAutohangup(datetime.timedelta(microseconds=1)),
            b"SET AUTOHANGUP 0.000001\n",
        ),
    ],
)
def test_what_a_python_person_has_in_hand(build: Callable[[], Action[object]], line: bytes) -> None:
    action = build()
    assert action.line == line
    assert dataclasses.replace(action).line == line


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: core.WaitForDigit(0.5), ValueError, "milliseconds"),
        (lambda: core.GetData("a", max_digits=0), ValueError, "between 1 and 1023"),
        (lambda: core.GetData("a", max_digits=True), TypeError, "int"),
        (lambda: core.StreamFile("a", "x"), ValueError, "telephone key"),
        (lambda: core.SayDigits("*1"), ValueError, "SayAlpha"),
        (lambda: core.SayDate(2**31), ValueError, "seconds"),
        (lambda: core.SetVariable("", "x"), ValueError, "empty"),
        (lambda: core.DatabaseDeltree(""), ValueError, "empty"),
        (lambda: core.DatabaseDeltree("a%"), ValueError, "must not hold '%': Asterisk would take"),
        (lambda: core.DatabaseDeltree("a_b"), ValueError, 'Exec("DBdeltree", "family/keytree")'),
        (lambda: core.DatabaseDeltree("a", "b_c"), ValueError, "keytree='b_c'): must not hold '_'"),
        (lambda: core.SetContext("x" * 80), ValueError, "79"),
        (lambda: core.SetPriority("5x"), ValueError, "number"),
        (lambda: core.Gosub("a,b", "s", 1), ValueError, "','"),
        (lambda: core.Gosub("a", "s", 1, ["b,c"]), ValueError, "comma"),
        (lambda: core.Gosub("a", "s", 1, range(101)), ValueError, "from the 100th on into one"),
        (lambda: core.SetAutohangup(float("inf")), ValueError, "finite"),
        (
            lambda: core.SayDigits(itertools.repeat(1)),
            ValueError,
            "more keys than a line has bytes",
        ),
        (lambda: core.Exec("a", itertools.count()), ValueError, "more arguments than a line has"),
        (lambda: core.SetAutohangup(1e-7), ValueError, "SetAutohangup(seconds=1e-07): is below"),
        (lambda: core.SetAutohangup(10**400), ValueError, "between 0 and 2147483647 seconds"),
        (
            lambda: core.GetData("a", 10**5000),
            ValueError,
            "GetData(timeout=<int>): must be between",
        ),
        (lambda: core.SayDigits(10**5000), ValueError, "SayDigits(digits=<int>): "),
        (
            lambda: core.SayDate(datetime.date.min),
            ValueError,
            "SayDate(seconds=datetime.date(1, 1, 1))",
        ),
        (
            lambda: core.SayDatetime(datetime.datetime.min.replace(tzinfo=EAST)),
            ValueError,
            "SayDatetime(seconds=datetime.datetime(1, 1, 1",
        ),
        (
            lambda: core.GetData("a", datetime.timedelta(days=100)),
            ValueError,
            "GetData(timeout=datetime.timedelta(days=100)): must be between",
        ),
        (lambda: core.SetVariable("A", Odd("a\nb")), ValueError, "a line feed"),
        (lambda: core.Exec("a", {"b": "c"}), TypeError, "Exec(options={'b': 'c'})"),
        # A checker refuses these three.
        (lambda: core.StreamFile(NumberedFile()), TypeError, "StreamFile(filename=<"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: core.StreamFile("a", list), TypeError, "StreamFile(escape_digits=<class"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: core.GetData("a", datetime.timedelta), TypeError, "GetData(timeout=<class"),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_the_rule_is_named(build: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        build()
    assert words in str(raised.value)
