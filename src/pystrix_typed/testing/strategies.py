"""Hypothesis strategies: callers, keys, hangups and other faults (extra ``testing``).

::

    from hypothesis import given
    from pystrix_typed.testing import Caller, HungUp, SimulatedAsterisk
    from pystrix_typed.testing.strategies import callers, hangups

    @given(callers(), hangups())
    def test_the_flow_always_ends_well(caller: Caller, hangup: HungUp) -> None:
        call = SimulatedAsterisk().call(flow, caller=caller, faults=[hangup])
        assert not call.mistaken

What fails shrinks to few steps, few keys and early moments, and is printed as code that makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi.core.catalogue import BY_COMMAND, COMMANDS
from pystrix_typed.testing.caller import Caller
from pystrix_typed.testing.faults import Answered, Cut, Delayed, Fault, Forbidden, HungUp

try:
    from hypothesis import strategies as st
except ImportError as _error:  # pragma: no cover - tried in an environment of its own
    raise ImportError(
        "the strategies need Hypothesis: pip install 'pystrix-typed[testing]'"
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Collection

    from hypothesis.strategies import SearchStrategy

__all__ = [
    "KEYS",
    "RELEASES",
    "callers",
    "cuts",
    "delays",
    "faults",
    "forbidden",
    "hangups",
    "keys",
    "moments",
    "outcomes",
    "versions",
]

#: The keys of most telephones.
KEYS = "0123456789*#"
#: Releases that differ in what they know, one of each branch at least.
RELEASES = ("16.28.0", "18.26.0", "20.15.0", "20.16.0", "21.11.0", "22.5.0", "22.6.0", "22.10.1")
_ALL = tuple(command.name for command in COMMANDS)


def keys(alphabet: str = KEYS, *, at_least: int = 1, at_most: int = 8) -> SearchStrategy[str]:
    """Keys that a caller presses one after the other.

    Args:
        alphabet: Which ones; ``"0123456789*#ABCD"`` for a telephone that has them all.
        at_least: The fewest.
        at_most: The most.
    """
    return st.text(st.sampled_from(alphabet), min_size=at_least, max_size=at_most)


def moments(longest: float = 60.0) -> SearchStrategy[float]:
    """Times in seconds, to the millisecond, from 0 to the longest."""
    return st.integers(0, round(longest * 1000)).map(lambda number: number / 1000)


def callers(
    *,
    alphabet: str = KEYS,
    steps: int = 6,
    longest: float = 10.0,
    hangs_up: bool | None = None,
    numbers: SearchStrategy[str] | None = None,
) -> SearchStrategy[Caller]:
    """Callers who press keys, wait, speak and hang up as they please.

    They listen for nothing, so they never wait in vain: what they do falls into whatever moment of
    the flow it falls into.

    Args:
        alphabet: The keys that they press.
        steps: The most that they do.
        longest: Seconds that one step may last.
        hangs_up: Whether they hang up in the end; None for either.
        numbers: Their numbers; by default one number, or none (withheld).
    """
    return _callers(
        st.one_of(
            keys(alphabet, at_most=6).map(lambda pressed: ("presses", pressed)),
            moments(longest).map(lambda seconds: ("waits", seconds)),
            moments(longest).map(lambda seconds: ("says", seconds)),
        ),
        steps,
        st.booleans() if hangs_up is None else st.just(hangs_up),
        st.sampled_from(["5550123", ""]) if numbers is None else numbers,
    )


# Not `st.builds`: what fails is shown as the code that makes the caller, and not as a call of this.
@st.composite
def _callers(
    draw: st.DrawFn,
    step: SearchStrategy[tuple[str, str | float]],
    steps: int,
    ending: SearchStrategy[bool],
    number: SearchStrategy[str],
) -> Caller:
    caller = Caller(draw(number))
    for name, value in draw(st.lists(step, max_size=steps)):
        if isinstance(value, str):
            caller = caller.presses(value)
        else:
            caller = caller.waits(value) if name == "waits" else caller.says(value)
    return caller.hangs_up() if draw(ending) else caller


def hangups(
    commands: Collection[str] = (), *, longest: float = 60.0, nth: int = 5
) -> SearchStrategy[HungUp]:
    """The caller hangs up at any moment of the call, or of some command.

    Args:
        commands: Only during these, each up to its `nth` use; by default at any moment, whatever
            goes on.
        longest: Seconds, since the call or the command began, up to which it may happen.
        nth: See `commands`.

    Raises:
        ValueError: There is no such command.
    """
    if not commands:
        return st.builds(HungUp, at=moments(longest))
    during = st.sampled_from(_checked(commands))
    return st.builds(HungUp, during, after=moments(longest), nth=st.integers(1, nth))


def cuts(
    commands: Collection[str] = (), *, longest: float = 60.0, nth: int = 5
) -> SearchStrategy[Cut]:
    """The connection is cut, at any moment of the call or at some command; as for `hangups`."""
    if not commands:
        return st.builds(Cut, at=moments(longest))
    return st.builds(Cut, st.sampled_from(_checked(commands)), nth=st.integers(1, nth))


def delays(
    commands: Collection[str] = (), *, longest: float = 30.0, nth: int | None = None
) -> SearchStrategy[Delayed]:
    """An answer comes late, by up to `longest` seconds; `commands` and `nth` as for `outcomes`."""
    late = st.sampled_from(_checked(commands)) if commands else st.just("")
    return st.builds(Delayed, moments(longest), late, _uses(nth))


def outcomes(commands: Collection[str] = (), *, nth: int | None = None) -> SearchStrategy[Answered]:
    """A command is answered with any of the outcomes that the spec has for it.

    Args:
        commands: Which commands; by default any of them.
        nth: Each of its uses up to this one by itself; None for all of its uses together.

    Raises:
        ValueError: There is no such command.
    """
    rows = [(name, row.id) for name in _checked(commands) for row in BY_COMMAND[name].outcomes]
    return _answers(rows, _uses(nth))


@st.composite
def _answers(
    draw: st.DrawFn, rows: list[tuple[str, str]], uses: SearchStrategy[int | None]
) -> Answered:
    command, outcome = draw(st.sampled_from(rows))
    return Answered(command, outcome, draw(uses))


def forbidden(
    commands: Collection[str] = (), *, nth: int | None = None
) -> SearchStrategy[Forbidden]:
    """Asterisk does not know a command (510); as for `outcomes`."""
    return st.builds(Forbidden, st.sampled_from(_checked(commands)), _uses(nth))


def faults(
    commands: Collection[str] = (), *, longest: float = 60.0, nth: int = 5
) -> SearchStrategy[Fault]:
    """Any of these faults.

    Args:
        commands: Those that the flow uses; by default any.
        longest: See `hangups`.
        nth: Up to which use of a command.
    """
    return st.one_of(
        hangups(longest=longest),
        hangups(commands or _ALL, longest=longest, nth=nth),
        outcomes(commands, nth=nth),
        forbidden(commands, nth=nth),
        cuts(longest=longest),
        cuts(commands or _ALL, nth=nth),
        delays(commands, longest=min(longest, 30.0), nth=nth),
    )


def versions() -> SearchStrategy[str]:
    """Releases of Asterisk, the newest one first, that differ in what they know."""
    return st.sampled_from(tuple(reversed(RELEASES)))


def _uses(nth: int | None) -> SearchStrategy[int | None]:
    return st.none() if nth is None else st.integers(1, nth)


def _checked(commands: Collection[str]) -> tuple[str, ...]:
    if isinstance(commands, str):
        raise TypeError(f"commands={commands!r}: give a list of commands")
    if not commands:
        return _ALL
    found = tuple(" ".join(each.upper().split()) for each in commands)
    for each in found:
        if each not in BY_COMMAND:
            raise ValueError(f"{each!r} is no AGI command; write it as in 'STREAM FILE'")
    return found
