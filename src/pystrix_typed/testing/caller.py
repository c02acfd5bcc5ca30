"""The caller, as a script: what a person at a telephone does, and what they wait for.

::

    Caller().hears("welcome").presses("12#").hears("menu", only=0.5).hangs_up()

A caller is a value: each method gives a new one, so that a beginning can be shared by many tests.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = [
    "Awaits",
    "Caller",
    "HangsUp",
    "Hears",
    "Presses",
    "Says",
    "Sends",
    "Step",
    "Waits",
]

_KEYS = frozenset("0123456789*#ABCD")
#: Seconds that a word takes to say.
_WORD = 0.4
#: Seconds that a key is held, and between two keys.
_HOLD, _GAP = 0.1, 0.05


class Waits(NamedTuple):
    """Does nothing for some seconds."""

    seconds: float

    def __str__(self) -> str:
        return f"waits {self.seconds:g} s"


class Presses(NamedTuple):
    """Presses keys, each held for `hold` seconds with `gap` seconds behind it."""

    keys: str
    hold: float
    gap: float

    def __str__(self) -> str:
        return f"presses {self.keys}"


class Hears(NamedTuple):
    """Waits for a sound; `only` is how many seconds of it, None for all."""

    what: str
    only: float | None

    def __str__(self) -> str:
        return f"hears {self.what!r}"


class Awaits(NamedTuple):
    """Waits until the script gives a command."""

    command: str

    def __str__(self) -> str:
        return f"awaits {self.command or 'a command'}"


class Says(NamedTuple):
    """Speaks for some seconds; `words` is what a speech engine may recognise."""

    words: str
    seconds: float

    def __str__(self) -> str:
        return f"says {self.words!r}" if self.words else f"speaks for {self.seconds:g} s"


class Sends(NamedTuple):
    """Sends a text message in the call."""

    text: str

    def __str__(self) -> str:
        return f"sends {self.text!r}"


class HangsUp(NamedTuple):
    """Hangs up."""

    def __str__(self) -> str:
        return "hangs up"


Step: TypeAlias = Waits | Presses | Hears | Awaits | Says | Sends | HangsUp


class Caller:
    """Who calls, and what they do; it begins when the call begins.

    Steps are done one after the other; nothing comes after `hangs_up` (a `ValueError`). After the
    last one the caller stays on the line until the script ends. All times are virtual.

    Args:
        number: The caller's number; empty when it is withheld.
        name: The caller's name.
    """

    __slots__ = ("_name", "_number", "_steps")

    def __init__(self, number: str = "5550123", name: str = "") -> None:
        self._number = number
        self._name = name
        self._steps: tuple[Step, ...] = ()

    @property
    def number(self) -> str:
        """The caller's number; empty when it is withheld."""
        return self._number

    @property
    def name(self) -> str:
        """The caller's name."""
        return self._name

    @property
    def steps(self) -> tuple[Step, ...]:
        """What they do, in order."""
        return self._steps

    def _then(self, step: Step) -> Caller:
        if self._steps and isinstance(self._steps[-1], HangsUp):
            raise ValueError(f"the caller {step} after hangs_up(), which is the last step there is")
        other = Caller(self._number, self._name)
        other._steps = (*self._steps, step)
        return other

    def waits(self, seconds: float) -> Caller:
        """Do nothing for some seconds.

        Raises:
            ValueError: The time is negative.
        """
        return self._then(Waits(_time("seconds", seconds)))

    def presses(self, keys: str, *, hold: float = _HOLD, gap: float = _GAP) -> Caller:
        """Press keys, one after the other.

        A key counts when it is released, as with Asterisk. One that comes while no command listens
        is lost, as there.

        Args:
            keys: ``0-9*#A-D``; blanks are for the eye.
            hold: Seconds that each key is held.
            gap: Seconds between keys.

        Raises:
            ValueError: No telephone has such a key.
        """
        pressed = keys.replace(" ", "").upper()
        wrong = sorted(set(pressed) - _KEYS)
        if wrong or not pressed:
            raise ValueError(f"keys={keys!r}: the keys of a telephone are 0-9, *, # and A-D")
        return self._then(Presses(pressed, _time("hold", hold), _time("gap", gap)))

    def hears(self, what: str, *, only: float | None = None) -> Caller:
        """Listen until a sound has been played, to its end or to where it was broken off.

        What was played since the last thing that the caller listened for counts as well, so a sound
        that is over already is no reason to wait. To press a key in the middle of a prompt, hear
        only some of it: ``hears("menu", only=0.5).presses("1")``.

        Args:
            what: The name of a sound file, as the script has it; or what a SAY command is to say,
                as in ``"42"``.
            only: Go on after so many seconds of it; 0 as soon as it begins.

        Raises:
            ValueError: The time is negative, or there is no name.
        """
        if not what:
            raise ValueError("what='': name the sound that the caller waits for")
        return self._then(Hears(what, None if only is None else _time("only", only)))

    def awaits(self, command: str = "") -> Caller:
        """Wait until the script gives a command, for what has no sound: ``WAIT FOR DIGIT``.

        A command that is running already counts, once; one that is over does not.

        Args:
            command: The command's words; empty for any.
        """
        return self._then(Awaits(" ".join(command.upper().split())))

    def says(self, what: str | float, *, seconds: float | None = None) -> Caller:
        """Speak.

        Args:
            what: The words, for a speech engine to recognise; or just how many seconds.
            seconds: How long the words take; by default 0.4 seconds each.

        Raises:
            ValueError: The time is negative.
        """
        if isinstance(what, str):
            length = _WORD * max(len(what.split()), 1) if seconds is None else seconds
            return self._then(Says(what, _time("seconds", length)))
        return self._then(Says("", _time("what", what)))

    def sends(self, text: str) -> Caller:
        """Send a text message in the call, for ``RECEIVE TEXT``."""
        return self._then(Sends(text))

    def hangs_up(self) -> Caller:
        """Hang up."""
        return self._then(HangsUp())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Caller):
            return NotImplemented
        return (self.number, self.name, self.steps) == (other.number, other.name, other.steps)

    def __hash__(self) -> int:
        return hash((self.number, self.name, self.steps))

    def __repr__(self) -> str:
        named = f", {self.name!r}" if self.name else ""
        made = [f"Caller({self.number!r}{named})", *map(_as_code, self.steps)]
        return ".".join(made)


def _as_code(step: Step) -> str:
    match step:
        case Waits(seconds):
            return f"waits({seconds!r})"
        case Presses(keys, hold, gap):
            more = f", hold={hold!r}" if hold != _HOLD else ""
            return f"presses({keys!r}{more}{f', gap={gap!r}' if gap != _GAP else ''})"
        case Hears(what, only):
            return f"hears({what!r}{'' if only is None else f', only={only!r}'})"
        case Awaits(command):
            return f"awaits({command!r})" if command else "awaits()"
        case Says(words, seconds):
            return f"says({words!r}, seconds={seconds!r})" if words else f"says({seconds!r})"
        case Sends(text):
            return f"sends({text!r})"
        case HangsUp():
            return "hangs_up()"


def _time(name: str, value: float) -> float:
    if not value >= 0 or value == float("inf"):
        raise ValueError(f"{name}={value!r}: it must be a number of seconds, 0 or more")
    return float(value)
