"""The dialogue of one call as it may be shown: whole lines, redacted, whatever pieces they came in.

What a reply may tell depends on the command that it answers, so both directions go through one
`Dialogue`. A command that was abandoned may still answer until its fence does; so a reply counts as
the answer to the last real command, and a value as going on until the next one is sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pystrix_typed.agi.keyed import MASK, Keyed
from pystrix_typed.agi.wire import reply_code

if TYPE_CHECKING:
    from pystrix_typed.agi.redaction import Redactor, Rule

__all__ = ["Dialogue", "Line", "Unredacted", "printable"]

#: Bytes of one line that are kept; what is longer is not shown at all.
_MOST: Final = 65_536
#: Characters of a line that are shown.
_SHOWN: Final = 1000

_FENCE: Final = re.compile(rb'GET FULL VARIABLE "fence-[0-9a-f]{16}-[0-9]+"')
_FENCE_ANSWER: Final = re.compile(rb"200 result=1 \(fence-[0-9a-f]{16}-[0-9]+\)")
_NO_VALUE: Final = re.compile(rb"200 result=(?:-1|0)|51[01] [A-Za-z ]+|520[ -][A-Za-z .:]+")
_ARGUMENT: Final = re.compile(r"(agi_arg_[0-9]+: )([0-9*#]{3,})")
_CODE: Final = re.compile(r"[0-9]{3}[ -](?:result=)?")
#: Applications that are given, or told to say, what callers key in.
_SECRETIVE: Final = frozenset(
    [
        "authenticate",
        "disa",
        "sayalpha",
        "sayalphacase",
        "saydigits",
        "saymoney",
        "saynumber",
        "sayordinal",
        "sayphonetic",
        "senddtmf",
        "vmauthenticate",
    ]
)


class Line(NamedTuple):
    """One line of a dialogue.

    Attributes:
        sent: Whether it went to Asterisk.
        text: What may be shown of it.
    """

    sent: bool
    text: str


class _Word(NamedTuple):
    start: int
    end: int
    text: str


class _Expected(NamedTuple):
    """What the replies may tell.

    Attributes:
        rule: The command that was sent; None for one that no catalogue knows.
        value: Whether it asks for a value that is hidden by its name.
    """

    rule: Rule | None
    value: bool


class Dialogue:
    """What is said in one call, line by line.

    Args:
        redactor: Decides what is shown.
        keyed: What was keyed in, if others remember it too.
        exact: Give lines as they are, and not made `printable`.
    """

    def __init__(
        self, redactor: Redactor, keyed: Keyed | None = None, *, exact: bool = False
    ) -> None:
        self._exact = exact
        self.keyed: Keyed = Keyed() if keyed is None else keyed
        self._redactor = redactor
        self._halves = {True: bytearray(), False: bytearray()}
        self._skipping = {True: False, False: False}
        self._greeted = False
        self._expected: _Expected | None = None
        #: A value that is hidden has begun: no line is a reply until the next command.
        self._in_value = False
        #: More of it may come behind that command, from a peer that writes it in pieces.
        self._left_over = False

    def feed(self, sent: bool, data: bytes) -> list[Line]:
        """Take a piece of what was sent or received; give the lines that it completes."""
        half = self._halves[sent]
        half += data
        found: list[Line] = []
        if b"\n" in data:
            *lines, half[:] = half.split(b"\n")
            for line in lines:
                text = self._line(sent, bytes(line))
                if text is not None:
                    found.append(Line(sent, text if self._exact else printable(text)))
        if len(half) > _MOST:
            half.clear()
            self._skipping[sent] = True
        return found

    def end(self) -> list[Line]:
        """Give the lines that were not completed."""
        found: list[Line] = []
        for sent, half in self._halves.items():
            if half:
                found += self.feed(sent, b"\n")
        return found

    def _line(self, sent: bool, line: bytes) -> str | None:
        """Give what may be shown of a line, None for nothing at all."""
        if self._skipping[sent] or len(line) > _MOST:
            self._skipping[sent] = False
            return f"{MASK} (a line of more than {_MOST} bytes)"
        if sent:
            return self._command(line)
        if not self._greeted:
            return self._variable(line)
        return self._reply(line)

    # ---- what Asterisk sends first ----

    def _variable(self, line: bytes) -> str:
        text = line.decode("utf-8", "surrogateescape")
        if not text:
            self._greeted = True
        name, _, value = text.partition(": ")
        if name == "agi_threadid" and value.isdecimal():
            return text  # a number of Asterisk's own that is as long as a card's
        if name in ("agi_network_script", "agi_request"):
            address, question, query = value.partition("?")
            fields = "&".join(map(self._field, query.split("&")))
            text = f"{name}: {address}{question}{fields}"
        # The dialplan may have read it from the caller.
        text = _ARGUMENT.sub(rf"\1{MASK}", text)
        return self._redactor.scrub(text, self.keyed)

    def _field(self, field: str) -> str:
        name, _, value = field.partition("=")
        if not value or not self._redactor.sensitive(name, self.keyed):
            return field
        self.keyed.add(value)
        return f"{name}={MASK}"

    # ---- commands ----

    def _command(self, line: bytes) -> str:
        text = line.decode("utf-8", "surrogateescape")
        if _FENCE.fullmatch(line):
            return text
        # Commands are only sent when Asterisk has told all its variables.
        self._greeted = True
        self._left_over, self._in_value = self._in_value, False
        given = words(text)
        rule, size = self._find(given)
        self._expected = _Expected(rule, value=False)
        if rule is None:
            return _masked(text, given, set(range(_bare(text, given), len(given))), "")
        arguments = [word.text for word in given[size:]]
        hidden, instead = self._hidden(rule, arguments)
        shown = _masked(text, given, {size + index for index in hidden}, instead)
        return self._redactor.scrub(shown, self.keyed)

    def _find(self, given: list[_Word]) -> tuple[Rule | None, int]:
        """Find the command that words begin with, and how many of them are its name."""
        for size in (3, 2, 1):
            name = " ".join(word.text.upper() for word in given[:size])
            if name in self._redactor.rules:
                return self._redactor.rules[name], size
        return None, 0

    def _hidden(self, rule: Rule, arguments: list[str]) -> tuple[set[int], str]:
        """Give which arguments are hidden, and what to show instead of the first of them."""
        command = rule.command
        names = [argument.name for argument in command.arguments]
        if rule.speaks:
            return {0}, ""
        if command.name == "EXEC" and len(arguments) > 1:
            shown = self._options(arguments[0], arguments[1])
            return (set(), "") if shown == arguments[1] else ({1}, shown)
        if command.topic == "variables":
            return self._stored(rule, names, arguments)
        name = arguments[0] if arguments else ""
        if command.name == "SPEECH SET" and self._redactor.sensitive(name, self.keyed):
            return {1}, ""
        return set(), ""

    def _stored(self, rule: Rule, names: list[str], arguments: list[str]) -> tuple[set[int], str]:
        """The same for the commands on variables and the database."""
        given = dict(zip(names, arguments, strict=False))
        value = given.pop("value", None)
        given.pop("channel", None)
        if not self._redactor.sensitive("/".join(given.values()), self.keyed):
            return set(), ""
        self._expected = _Expected(rule, value=rule.command.multiline)
        hidden: set[int] = set()
        if value is not None:
            self.keyed.add(value)
            hidden.add(names.index("value"))
        if "family" in given and self._redactor.sensitive(given["family"], self.keyed):
            # What callers key in is looked up, too.
            hidden |= {index for index, name in enumerate(names) if name.startswith("key")}
        instead = ""
        if "family" not in given and arguments:
            instead = self._redactor.shown_name(arguments[0])
            if instead != arguments[0]:
                hidden.add(0)
        return hidden, instead if 0 in hidden else ""

    def _options(self, application: str, options: str) -> str:
        """Give what may be shown of the arguments of an application."""
        name = application.lower()
        self._redactor.see_application(application, options, self.keyed)
        if name in _SECRETIVE:
            return MASK if options else ""
        if name in ("set", "mset"):
            variable, equals, _ = options.partition("=")
            if equals and self._redactor.sensitive(variable, self.keyed):
                return f"{self._redactor.shown_name(variable)}={MASK}"
            pairs = options.split(",") if name == "mset" else []
            for index, pair in enumerate(pairs):
                variable = pair.partition("=")[0]
                if self._redactor.sensitive(variable, self.keyed):
                    return ",".join([*pairs[:index], MASK])
        elif name == "dial":
            return re.sub(r"D\([^)]*\)?", f"D({MASK})", options)
        return options

    # ---- replies ----

    def _reply(self, line: bytes) -> str | None:
        text = line.decode("utf-8", "surrogateescape")
        if line == b"HANGUP" or _FENCE_ANSWER.fullmatch(line):
            return text
        expected = self._expected
        if expected is None:
            return self._scrub(text)
        if self._left_over and not reply_code(line):
            return MASK
        if expected.rule is None:
            return MASK if not _NO_VALUE.fullmatch(line) or line.startswith(b"200") else text
        hears = bool(expected.rule.hears)
        if not hears and not expected.value:
            return self._scrub(text)
        if self._in_value or (
            line.startswith(b"200 result=1 (")
            and (expected.value or expected.rule.command.multiline)
        ):
            begun, self._in_value = self._in_value, True
            self.keyed.add(text.removeprefix("200 result=1 (").removesuffix(")"))
            if begun:
                return None
            return f"200 result=1 ({MASK})"
        if expected.value or expected.rule.command.multiline:
            return text if _NO_VALUE.fullmatch(line) else MASK
        return self._redactor.reply_of(expected.rule, line, self.keyed)

    def _scrub(self, text: str) -> str:
        """Scrub a reply but for its code, which somebody may have keyed in."""
        code = _CODE.match(text)
        size = 0 if code is None else code.end()
        return text[:size] + self._redactor.scrub(text[size:], self.keyed)


class Unredacted(Dialogue):
    """The dialogue as it is: for the workbench, not for the log of a service."""

    def _line(self, sent: bool, line: bytes) -> str | None:
        if self._skipping[sent]:
            return super()._line(sent, line)
        return line.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Give a text on one line that does nothing to a terminal, and is not too long."""
    shown = text[:_SHOWN]
    if not shown.isprintable():
        shown = "".join([sign if sign.isprintable() else _escaped(sign) for sign in shown])
    return f"{shown}... ({len(text)} characters)" if len(text) > _SHOWN else shown


def _escaped(sign: str) -> str:
    number = ord(sign)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode("ascii")


def words(line: str) -> list[_Word]:
    """Take a command line apart as Asterisk does (res_agi.c, parse_args), and say what is where."""
    found: list[_Word] = []
    start, text = -1, ""
    quoted = escaped = False
    for at, sign in enumerate(line):
        if escaped:
            escaped = False
        elif sign in " \t" and not quoted:
            if start >= 0:
                found.append(_Word(start, at, text))
            start, text = -1, ""
            continue
        elif sign in '"\\':
            quoted, escaped = quoted ^ (sign == '"'), sign == "\\"
            start = at if start < 0 else start
            continue
        start = at if start < 0 else start
        text += sign
    if start >= 0:
        found.append(_Word(start, len(line), text))
    return found


def _bare(line: str, given: list[_Word]) -> int:
    """Tell how many words at the start are letters without quotes: the name of a command."""
    count = 0
    for word in given:
        if not line[word.start : word.end].isalpha():
            break
        count += 1
    return count


def _masked(line: str, given: list[_Word], hidden: set[int], instead: str) -> str:
    """Give a line with words hidden; the first of them is shown as `instead` if that is given."""
    if not hidden:
        return line
    shown: list[str] = []
    for index, word in enumerate(given):
        if index not in hidden:
            shown.append(line[word.start : word.end])
        elif instead:
            shown.append(f'"{instead}"')
            instead = ""
        else:
            shown.append(MASK)
    return " ".join(shown)
