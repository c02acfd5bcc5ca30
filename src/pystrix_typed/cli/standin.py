"""A stand-in for Asterisk: the exchange's end of one AGI session, for the demo.

It says what Asterisk says, in Asterisk's words and order: the variables first, then one answer to
each command line, which it takes apart by Asterisk's own rules. It knows the few commands that a
demo needs; whatever else comes is answered as an unknown command. The caller is part of it: it
presses keys when it hears a prompt and hangs up at a command.

Nothing in it waits for time to pass, so the same call always runs in the same way.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Reader", "StandIn", "Writer", "split"]

UNKNOWN = "510 Invalid or unknown command"
DEAD = "511 Command Not Permitted on a dead channel or intercept routine"
USAGE = "520 Invalid command syntax.  Proper usage not available."
SAMPLES_PER_SECOND = 8000


class Reader(Protocol):
    """Where the commands come from: a pipe, or ``socket.makefile("rb")``."""

    def readline(self) -> bytes:
        """Give a line with its line feed; nothing at the end."""
        ...


class Writer(Protocol):
    """Where the replies go: a pipe, or ``socket.makefile("wb")``."""

    def write(self, data: bytes, /) -> int | None:
        """Take some bytes."""
        ...

    def flush(self) -> None:
        """Send them."""
        ...


def split(line: bytes) -> list[str]:
    r"""Split a command line into words as Asterisk does (res_agi.c, parse_args).

    A backslash takes the next character as it is, everywhere. A double quote switches quoting on or
    off, in the middle of a word too; blanks and tabs separate words outside of quotes.

    >>> split(rb'GET DATA "a \"b\"" 5')
    ['GET', 'DATA', 'a "b"', '5']
    """
    words: list[str] = []
    word: list[str] | None = None
    quoted = escaped = False
    for character in line.rstrip(b"\n").decode("utf-8", "surrogateescape"):
        if escaped:
            word = [*(word or ()), character]
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
            word = word or []
        elif character in " \t" and not quoted:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = [*(word or ()), character]
    if word is not None:
        words.append("".join(word))
    return words


@dataclass
class StandIn:
    """One call: who calls, what the caller does, and what the exchange knows.

    Attributes:
        keys: What the caller presses, by the name of the prompt that asks for it.
        hangs_up_at: The command during which the caller hangs up.
        sounds: How long each sound plays, in seconds. A sound that is not here does not exist.
        number: The caller's number.
        name: The caller's name.
        extension: What the caller dialled.
        variables: The channel's variables.
        database: Asterisk's database, by family and key.
        log: What the script wrote with VERBOSE.
        channel_state: 4 is ringing, 6 is up.
        hung_up: Whether the caller has gone.
    """

    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    hangs_up_at: str = ""
    sounds: Mapping[str, float] = field(default_factory=dict[str, float])
    number: str = "5550123"
    name: str = "Ada Lovelace"
    extension: str = "100"
    variables: dict[str, str] = field(default_factory=dict[str, str])
    database: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    log: list[str] = field(default_factory=list[str])
    channel_state: int = 4
    hung_up: bool = False

    def call(self, address: tuple[str, int], script: str = "", *, timeout: float = 10.0) -> None:
        """Call a FastAGI server as the dialplan's ``AGI(agi://host:port/script)`` does.

        Returns when the server has closed the session.

        Args:
            address: The server's host and port.
            script: Path and query, without the slash in front.
            timeout: Seconds to wait for the connection and for each command.

        Raises:
            OSError: The server is not there, or said nothing for too long.
        """
        with (
            socket.create_connection(address, timeout) as connection,
            connection.makefile("rb") as reader,
            connection.makefile("wb") as writer,
        ):
            network = [("network", "yes")]
            if script:
                network.append(("network_script", script))
            self.converse(reader, writer, f"agi://{address[0]}:{address[1]}/{script}", network)

    def converse(
        self,
        reader: Reader,
        writer: Writer,
        request: str,
        network: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Hold the exchange's end of a session, until the script closes its own.

        Args:
            reader: What the script writes.
            writer: What the script reads.
            request: The first argument of the dialplan's ``AGI()``.
            network: The variables that only FastAGI has.
        """
        lines = [*network, ("request", request), *self._environment()]
        writer.write("".join(f"agi_{name}: {value}\n" for name, value in lines).encode() + b"\n")
        writer.flush()
        told = False
        while line := reader.readline():
            # Notice of a hangup comes a moment after the answer of the command that it cut short,
            # which makes it the first thing that the next command hears.
            notice = "HANGUP\n" if self.hung_up and not told else ""
            told = self.hung_up
            reply = f"{notice}{self.answer(line)}\n"
            writer.write(reply.encode("utf-8", "surrogateescape"))
            writer.flush()

    def answer(self, line: bytes) -> str:
        """Do what a command line says and give the reply, without its line feed."""
        words = split(line)
        for count in (3, 2, 1):
            command = " ".join(words[:count]).upper()
            rule = _COMMANDS.get(command)
            if rule is not None:
                break
        else:
            return UNKNOWN
        if self.hung_up and not rule.dead:
            return DEAD
        arguments = words[count:]
        if not rule.least <= len(arguments) <= rule.most:
            return USAGE
        if command == self.hangs_up_at:
            self.hung_up = True
        return f"200 result={rule.handle(self, arguments)}"

    def _environment(self) -> list[tuple[str, str]]:
        return [
            ("channel", "PJSIP/stand-in-00000001"),
            ("language", "en"),
            ("type", "PJSIP"),
            ("uniqueid", "1700000000.1"),
            ("version", "22.10.1"),
            ("callerid", self.number or "unknown"),
            ("calleridname", self.name or "unknown"),
            ("callingpres", "0"),
            ("callingani2", "0"),
            ("callington", "0"),
            ("callingtns", "0"),
            ("dnid", self.extension),
            ("rdnis", "unknown"),
            ("context", "default"),
            ("extension", self.extension),
            ("priority", "1"),
            ("enhanced", "0.0"),
            ("accountcode", ""),
            ("threadid", "140000000000000"),
        ]

    def _answer(self, _arguments: list[str]) -> str:
        self.channel_state = 6
        return "0"

    def _status(self, _arguments: list[str]) -> str:
        return str(self.channel_state)

    def _hang_up(self, _arguments: list[str]) -> str:
        self.hung_up = True
        return "1"

    def _stream(self, arguments: list[str]) -> str:
        sound, stops = arguments[:2]
        if sound not in self.sounds:
            return f"-1 endpos={arguments[2] if len(arguments) > 2 else 0}"
        if self.hung_up:
            return "-1 endpos=160"
        for key in self.keys.get(sound, ""):
            if key in stops:
                return f"{ord(key)} endpos=160"
        return f"0 endpos={round(self.sounds[sound] * SAMPLES_PER_SECOND)}"

    def _get_data(self, arguments: list[str]) -> str:
        sound = arguments[0]
        limit = int(arguments[2]) if len(arguments) > 2 else 1024
        if self.hung_up or (sound and sound not in self.sounds):
            return "-1"
        pressed = self.keys.get(sound, "")
        entered, ended, _ = pressed.partition("#")
        if ended or len(entered) >= limit:
            return entered[:limit]
        return f"{entered} (timeout)"

    def _say(self, _arguments: list[str]) -> str:
        return "-1" if self.hung_up else "0"

    def _set_variable(self, arguments: list[str]) -> str:
        name, value = arguments
        self.variables[name] = value
        return "1"

    def _get_variable(self, arguments: list[str]) -> str:
        value = self.variables.get(arguments[0])
        return "0" if value is None else f"1 ({value})"

    def _get_full_variable(self, arguments: list[str]) -> str:
        def value(match: re.Match[str]) -> str:
            return self.variables.get(match[1], "")

        text = re.sub(r"[$][{](\w+)[}]", value, arguments[0])
        return f"1 ({text})"

    def _database_get(self, arguments: list[str]) -> str:
        family, key = arguments
        value = self.database.get((family, key))
        return "0" if value is None else f"1 ({value})"

    def _database_put(self, arguments: list[str]) -> str:
        family, key, value = arguments
        self.database[family, key] = value
        return "1"

    def _execute(self, arguments: list[str]) -> str:
        if arguments[0].lower() not in _APPLICATIONS:
            return "-2"
        return "-1" if self.hung_up else "0"

    def _nothing(self, _arguments: list[str]) -> str:
        return "0"

    def _verbose(self, arguments: list[str]) -> str:
        self.log.append(arguments[0])
        return "1"


class _Rule(NamedTuple):
    """How many arguments a command takes, whether a dead channel may run it, and what it does."""

    least: int
    most: float
    dead: bool
    handle: Callable[[StandIn, list[str]], str]


_ANY = float("inf")
_APPLICATIONS = frozenset({"noop", "playback", "wait"})
# Reading a private method of the class above: this table is the other half of it.
# pyright: reportPrivateUsage=false
_COMMANDS: Mapping[str, _Rule] = {
    "ANSWER": _Rule(0, _ANY, False, StandIn._answer),
    "CHANNEL STATUS": _Rule(0, 1, False, StandIn._status),
    "DATABASE GET": _Rule(2, 2, True, StandIn._database_get),
    "DATABASE PUT": _Rule(3, 3, True, StandIn._database_put),
    "EXEC": _Rule(1, _ANY, True, StandIn._execute),
    "GET DATA": _Rule(1, _ANY, False, StandIn._get_data),
    "GET FULL VARIABLE": _Rule(1, 2, True, StandIn._get_full_variable),
    "GET VARIABLE": _Rule(1, 1, True, StandIn._get_variable),
    "HANGUP": _Rule(0, 1, False, StandIn._hang_up),
    "NOOP": _Rule(0, _ANY, True, StandIn._nothing),
    "SAY DIGITS": _Rule(2, 2, False, StandIn._say),
    "SAY NUMBER": _Rule(2, 3, False, StandIn._say),
    "SET VARIABLE": _Rule(2, 2, True, StandIn._set_variable),
    "STREAM FILE": _Rule(2, 3, False, StandIn._stream),
    "VERBOSE": _Rule(1, _ANY, True, StandIn._verbose),
    "WAIT FOR DIGIT": _Rule(1, 1, False, StandIn._say),
}
