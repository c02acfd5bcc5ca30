"""Checks and normalises what an action is built with.

One function per argument type of the spec. Whatever it is given (a program that no checker has seen
gives anything) it checks; the generated constructors carry the types. Each takes the action and the
argument's name for its message, and gives the value in the wire's unit; giving it that value again
changes nothing, so that `dataclasses.replace` and pickle round-trip. `TypeError` names a wrong
kind, `ValueError` a value that Asterisk would misread, cut, or take for a second command.
"""

# ruff: noqa: RET503 - `_wrong` never returns, which ruff does not see in quotes
from pystrix_typed.agi.wire import LINE_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence  # noqa: F401 - some are named in casts only
    from datetime import timedelta  # noqa: F401
    from os import PathLike  # noqa: F401
    from typing import NoReturn, TypeVar, cast

    from pystrix_typed.agi.record import AnyAction

    Plain = TypeVar("Plain", int, str)
else:

    def cast(_kind: str, value: object) -> object:
        """Stand in for `typing.cast`, which only the checkers look at."""
        return value


DTMF = "0123456789ABCD*#"
INT32 = (-(2**31), 2**31 - 1)
#: Of a GOSUB (app_stack.c, MAX_ARGS).
ROUTINE_ARGUMENTS = 100


def _wrong(
    error: "type[Exception]", action: "AnyAction", name: str, value: object, rule: str
) -> "NoReturn":
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - an int of thousands of digits has none, for one
        shown = f"<{type(value).__name__}>"
    if len(shown) > 80:
        shown = shown[:77] + "..."
    raise error(f"{type(action).__name__}({name}={shown}): {rule}")


def string(
    action: "AnyAction",
    name: str,
    value: object,
    *,
    forbids: str = "",
    why: str = "",
    allow_empty: bool = True,
    max_bytes: "int | None" = None,
) -> str:
    """Check a text: one word on the wire, whatever it holds."""
    if (
        type(value) is str
        and value.isprintable()
        and value.isascii()
        and not forbids
        and (value or allow_empty)
        and max_bytes is None
    ):
        return value  # nearly every text, and sooner than by the steps below
    if not isinstance(value, str):
        _wrong(TypeError, action, name, value, f"must be a str, not {type(value).__name__}")
    # Of a subclass the text itself, whatever its methods say: a member of an enumeration, for one.
    value = str.__str__(value)
    if "\n" in value or "\0" in value:
        what = "a line feed" if "\n" in value else "a NUL"
        _wrong(ValueError, action, name, value, f"must not hold {what}: AGI cannot express it")
    if not value and not allow_empty:
        _wrong(ValueError, action, name, value, "must not be empty")
    for character in forbids:
        if character in value:
            rule = f"must not hold {character!r}"
            _wrong(ValueError, action, name, value, f"{rule}: {why}" if why else rule)
    if not value.isascii():
        try:
            size = len(value.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            _wrong(ValueError, action, name, value, "holds a lone surrogate, which is no character")
    else:
        size = len(value)
    if max_bytes is not None and size > max_bytes:
        _wrong(
            ValueError,
            action,
            name,
            value,
            f"has {size} bytes in UTF-8, and Asterisk would cut it at {max_bytes}",
        )
    return value


def path(
    action: "AnyAction", name: str, value: object, *, forbids: str = "", allow_empty: bool = True
) -> str:
    """Check a file name: a str, or anything that `os.fspath` gives one for."""
    if type(value) is str and value and value.isprintable() and value.isascii() and not forbids:
        return value  # as in `string`
    given = value
    if not isinstance(value, str) and hasattr(type(value), "__fspath__"):
        # Not os.fspath, whose errors do not name the argument.
        value = cast("object", cast("PathLike[str]", value).__fspath__())
    if not isinstance(value, str):
        kind = type(value).__name__
        _wrong(
            TypeError, action, name, given, f"must be a str or an os.PathLike of str, not {kind}"
        )
    return string(action, name, value, forbids=forbids, allow_empty=allow_empty)


def digits(action: "AnyAction", name: str, value: object) -> str:
    """Check telephone keys, as a text or an iterable of keys: 0-9, A-D, ``*`` and ``#``."""
    if type(value) is str and not value.strip(DTMF):
        return value
    keys = "".join(_texts(action, name, value, "key")).upper()
    for key in keys:
        if key not in DTMF:
            _wrong(ValueError, action, name, value, f"{key!r} is no telephone key (0-9, A-D, *, #)")
    return keys


def spoken_digits(action: "AnyAction", name: str, value: object) -> str:
    """Check the digits that SAY DIGITS speaks: ``*``, ``#`` and ``-`` may follow a digit."""
    if isinstance(value, int) and not isinstance(value, bool):
        keys = _text(action, name, value, value, "number")
    else:
        keys = "".join(_texts(action, name, value, "key"))
    for key in keys:
        if key not in "0123456789*#-":
            _wrong(ValueError, action, name, value, f"SAY DIGITS cannot speak {key!r}")
    leading = keys[1:2] if keys[:1] == "-" else keys[:1]
    if not leading.isdecimal():
        _wrong(
            ValueError,
            action,
            name,
            value,
            "must begin with a decimal digit, or Asterisk refuses it; SayAlpha speaks any of them",
        )
    return keys


def _texts(action: "AnyAction", name: str, value: object, what: str) -> "Sequence[str]":
    """Give a text as it is, and the elements of an iterable as texts."""
    if isinstance(value, str):
        return str.__str__(value)
    try:
        parts = iter(cast("Iterable[object]", value))
    except TypeError:
        parts = None
    # Of a mapping only the keys would travel: as keys of the telephone they may, a menu's for one.
    lossy = what == "argument" and hasattr(value, "keys")
    if parts is None or lossy or isinstance(value, (bytes, bytearray)):
        kind = type(value).__name__
        rule = f"must be a str or an iterable with a str or an int for each {what}, not {kind}"
        _wrong(TypeError, action, name, value, rule)
    texts: list[str] = []
    for part in parts:
        if len(texts) == LINE_LIMIT:  # an iterator without end would take all memory
            _wrong(ValueError, action, name, value, f"holds more {what}s than a line has bytes")
        texts.append(_text(action, name, value, part, what))
    return texts


def _text(action: "AnyAction", name: str, value: object, part: object, what: str) -> str:
    """Write one element; a member of an enumeration is the value that it stands for."""
    if isinstance(part, str):
        return str.__str__(part)
    if isinstance(part, bool) or not isinstance(part, int):
        _wrong(TypeError, action, name, value, f"every {what} must be a str or an int")
    try:
        return int.__repr__(part)
    except ValueError:  # Python writes no more than some thousand digits
        _wrong(ValueError, action, name, value, f"a {what} has too many digits")


def integer(
    action: "AnyAction",
    name: str,
    value: object,
    low: "int | None" = INT32[0],
    high: "int | None" = INT32[1],
) -> int:
    """Check a whole number."""
    if type(value) is int and (low is None or value >= low) and (high is None or value <= high):
        return value  # as in `string`
    if isinstance(value, bool) or not isinstance(value, int):
        _wrong(TypeError, action, name, value, f"must be an int, not {type(value).__name__}")
    _within(action, name, value, value, low, high)
    return int(value)


def _within(
    action: "AnyAction",
    name: str,
    value: object,
    amount: float,
    low: "float | None",
    high: "float | None",
    unit: str = "",
) -> None:
    """Refuse a value that is too low or too high as a number of that unit."""
    if (low is None or low <= amount) and (high is None or amount <= high):
        return
    limits = f"between {low} and {high}"
    if low is None or high is None:
        limits = f"at most {high}" if low is None else f"at least {low}"
    _wrong(ValueError, action, name, value, f"must be {limits}{unit}")


def _amount(action: "AnyAction", name: str, value: object, unit: str, per_second: int) -> float:
    """Give a time as a number in the wire's unit."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value - value != 0:  # infinite, or not a number
            _wrong(ValueError, action, name, value, f"must be a finite number of {unit}")
        return value
    if hasattr(type(value), "total_seconds"):
        # A timedelta, told by its method: importing datetime to ask would cost every call.
        # Its parts are whole numbers, so that no rounding creeps in.
        time = cast("timedelta", value)
        microseconds = (time.days * 86_400 + time.seconds) * 1_000_000 + time.microseconds
        return microseconds * per_second / 1_000_000
    kind = type(value).__name__
    _wrong(TypeError, action, name, value, f"must be a number of {unit} or a timedelta, not {kind}")


def _whole(
    action: "AnyAction",
    name: str,
    value: object,
    unit: str,
    per_second: int,
    low: "int | None",
    high: "int | None",
) -> int:
    amount = _amount(action, name, value, unit, per_second)
    if amount != int(amount):
        _wrong(ValueError, action, name, value, f"must be a whole number of {unit}")
    _within(action, name, value, amount, low, high, f" {unit}")
    return int(amount)


def milliseconds(
    action: "AnyAction",
    name: str,
    value: object,
    low: "int | None" = INT32[0],
    high: "int | None" = INT32[1],
) -> int:
    """Check a time in milliseconds; a `timedelta` works too."""
    return _whole(action, name, value, "milliseconds", 1000, low, high)


def seconds(
    action: "AnyAction",
    name: str,
    value: object,
    low: "int | None" = INT32[0],
    high: "int | None" = INT32[1],
) -> int:
    """Check a time in whole seconds; a `timedelta` works too."""
    return _whole(action, name, value, "seconds", 1, low, high)


def fractional_seconds(
    action: "AnyAction",
    name: str,
    value: object,
    low: "float | None" = None,
    high: "float | None" = None,
) -> float:
    """Check a time in seconds, fractions allowed; a `timedelta` works too."""
    amount = _amount(action, name, value, "seconds", 1)
    _within(action, name, value, amount, low, high, " seconds")
    if 0 < abs(amount) < 0.000001:
        _wrong(ValueError, action, name, value, "is below a microsecond and would be sent as 0")
    try:
        return amount + 0.0  # a float, and no negative zero
    except OverflowError:
        _wrong(ValueError, action, name, value, "must be a number of seconds that a float can hold")


#: A position in samples is a whole number like any other.
samples = integer


def epoch(
    action: "AnyAction",
    name: str,
    value: object,
    low: "int | None" = INT32[0],
    high: "int | None" = INT32[1],
) -> int:
    """Check a moment: seconds since 1970 in UTC, a datetime, a date, a time of today, None for now.

    A `datetime` without a time zone, a `date` and a `time` are local to this machine. Fractions of
    a second are dropped.
    """
    if value is None:
        from time import time as now

        value = now()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value - value != 0:
            _wrong(ValueError, action, name, value, "must be a finite number of seconds")
        moment = value.__floor__()
        _within(action, name, value, moment, low, high, " seconds since 1970")
        return moment
    import datetime

    when = value
    if isinstance(when, datetime.time):
        when = datetime.datetime.combine(datetime.datetime.now(when.tzinfo).date(), when)
    elif isinstance(when, datetime.date) and not isinstance(when, datetime.datetime):
        when = datetime.datetime.combine(when, datetime.time())
    if not isinstance(when, datetime.datetime):
        _wrong(
            TypeError,
            action,
            name,
            value,
            "must be seconds since 1970, a datetime, a date, a time or None, "
            f"not {type(value).__name__}",
        )
    try:
        moment = when.timestamp().__floor__()
    except (OSError, OverflowError, ValueError):  # local time at the very edge of the calendar
        _wrong(ValueError, action, name, value, "is outside of what this machine's clock can tell")
    _within(action, name, value, moment, low, high, " seconds since 1970")
    return moment


def label(action: "AnyAction", name: str, value: object, low: int = 1) -> "int | str":
    """Check a priority: a positive number, or a label's name.

    Asterisk reads whatever begins with a number as that number, so such a label is refused.
    """
    if not isinstance(value, str):
        return integer(action, name, value, low)
    if value.isascii() and value.isdecimal():
        return integer(action, name, int(value[:11]), low)
    if value.lstrip().removeprefix("-").removeprefix("+")[:1].isdecimal():
        rule = "Asterisk would take this label for the number that it begins with"
        _wrong(ValueError, action, name, value, rule)
    return string(action, name, value, allow_empty=False)


def choice(action: "AnyAction", name: str, value: object, values: "tuple[Plain, ...]") -> "Plain":
    """Check one of a few values; a member of the enumeration gives its plain value."""
    if not isinstance(value, bool):
        for plain in values:
            if plain == value:
                return plain
    shown = ", ".join([repr(plain) for plain in values])
    error = ValueError if isinstance(value, type(values[0])) else TypeError
    _wrong(error, action, name, value, f"must be one of {shown}")


def flag(action: "AnyAction", name: str, value: object) -> bool:
    """Check a yes or no."""
    if value is not True and value is not False:
        _wrong(TypeError, action, name, value, f"must be a bool, not {type(value).__name__}")
    return value


_SPLITTING = str.maketrans({character: "\\" + character for character in '\\",()[]'})


def options(action: "AnyAction", name: str, value: object) -> str:
    r"""Compose an application's arguments.

    Args:
        action: The action, for messages.
        name: The argument's name, for messages.
        value: A str is the whole argument text as the dialplan would write it, sent as it is. Of
            an iterable each element is one argument: what Asterisk would split or strip (commas,
            quotes, backslashes, brackets) is escaped, so that a stranger's text stays one argument;
            so is the brace of ``${``, which an exchange with AGIEXECFULL set would evaluate.
    """
    if isinstance(value, str):
        return string(action, name, value)
    parts = _texts(action, name, value, "argument")
    escaped = [part.translate(_SPLITTING).replace("${", "$\\{") for part in parts]
    return string(action, name, ",".join(escaped))


def routine_arguments(action: "AnyAction", name: str, value: object) -> str:
    """Compose the arguments of a routine, which GOSUB splits and leaves as they are.

    Args:
        action: The action, for messages.
        name: The argument's name, for messages.
        value: A str is sent as it is. Of an iterable each element is one argument; nothing can be
            escaped (the backslash would arrive too), so an element that Asterisk would split, or
            that would swallow the next one, is refused.
    """
    if isinstance(value, str):
        return string(action, name, value)
    parts = _texts(action, name, value, "argument")
    if len(parts) > ROUTINE_ARGUMENTS:
        rule = f"Asterisk would join all arguments from the {ROUTINE_ARGUMENTS}th on into one"
        _wrong(ValueError, action, name, value, rule)
    for part in parts:
        if "," in part or "\\" in part or not _balanced(part):
            _wrong(
                ValueError,
                action,
                name,
                part,
                "a routine's argument cannot hold a comma, a backslash, or a quote or bracket that "
                "is not closed; hand it over in a variable",
            )
    return string(action, name, ",".join(parts))


def _balanced(part: str) -> bool:
    """Tell whether Asterisk is in no quotes and brackets at the end of a text (main/app.c)."""
    open_brackets = {"(": 0, "[": 0}
    quoted = False
    for character in part:
        if character == '"':
            quoted = not quoted
        elif character in "([":
            open_brackets[character] += 1
        elif character in ")]":
            bracket = "(" if character == ")" else "["
            open_brackets[bracket] = max(open_brackets[bracket] - 1, 0)
    return not quoted and not any(open_brackets.values())


def caller_id(number: str, name: "str | None") -> str:
    """Compose the one word that SET CALLERID takes: ``"name" <number>``."""
    if name is None:
        return f"<{number}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{number}>'
