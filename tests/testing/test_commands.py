"""Every command of the spec is simulated, in the version that has it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pytest

from pystrix_typed.agi.core.catalogue import BY_COMMAND, COMMANDS
from pystrix_typed.testing import SimulatedAsterisk
from pystrix_typed.testing.commands import RULES
from pystrix_typed.testing.release import Release

if TYPE_CHECKING:
    from pystrix_typed.agi.catalogue_model import Command

LATEST = Release("22.10.1")


def answers(
    *lines: str, version: str = "22.10.1", dead: bool = False, documented: bool = False
) -> list[str]:
    """Send lines, one after the other, and give what is answered to each."""
    call = SimulatedAsterisk(version, documented=documented).prepare(dead=dead)
    call.begin()
    call.output()
    found: list[str] = []
    for line in lines:
        call.feed(f"{line}\n".encode())
        call.advance()
        found.append(call.output().decode())
    return found


def having(command: Command) -> str:
    """Give the usual release or, if that is older than the command, the first that has it."""
    return "22.10.1" if LATEST.has(command) else command.since


def test_every_command_has_a_rule() -> None:
    assert set(RULES) == set(BY_COMMAND)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_number_of_words(command: Command) -> None:
    version = having(command)
    rule, most = RULES[command.name], Release(version).most_words(command)
    assert rule.least <= most
    assert (rule.least > 0 or not math.isinf(most)) == command.usage
    refused = "520 Invalid command syntax.  Proper usage not available.\n"
    if rule.least:
        assert answers(command.name + " x" * (rule.least - 1), version=version) == [refused]
    if not math.isinf(most):
        assert answers(command.name + " x" * (int(most) + 1), version=version) == [refused]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_dead_channel(command: Command) -> None:
    [answer] = answers(command.examples[0].wire, version=having(command), dead=True)
    assert answer.startswith("511 ") is not command.dead
    if not command.dead:
        assert answer == "511 Command Not Permitted on a dead channel or intercept routine\n"
        assert answers(command.examples[0].wire, dead=True, version="11.25.3") in (
            ["511 Command Not Permitted on a dead channel\n"],
            ["510 Invalid or unknown command\n"],
        )


def test_unknown_commands() -> None:
    unknown = "510 Invalid or unknown command\n"
    assert answers("", "FOO", "SAY", "STREAM", "NOOP\r") == [unknown] * 5
    assert answers('"noop"', 'stream "file" x ""')[0] == "200 result=0\n"
    assert answers("GOSUB a s 1", version="1.4.44") == [unknown]


def test_usage_in_each_form() -> None:
    text = answers("SET PRIORITY nowhere", documented=True)[0]
    assert re.fullmatch(
        r"520-Invalid command syntax\.  Proper usage follows:\n.+\n520 End of proper usage\.\n",
        text,
    )
    glued = answers("SET PRIORITY nowhere", documented=True, version="13.16.0")[0]
    assert re.fullmatch(r"520-[^\n]+\n[^\n]+520 End of proper usage\.\n", glued)


def test_line_limits() -> None:
    long = 'NOOP "' + "x" * 8190 + '"'
    assert answers(long) == ["200 result=0\n510 Invalid or unknown command\n"]
    fitting = 'NOOP "' + "x" * 8183 + '"'
    assert len(fitting) == 8190
    assert answers(fitting) == ["200 result=0\n"]
    # The excess has been read in the same piece, so it is seen only when more arrives.
    short = 'NOOP "' + "x" * 2048
    first, then = answers(short, "NOOP", version="20.15.0")
    assert first == "200 result=0\n"
    assert then == "510 Invalid or unknown command\n200 result=0\n"
    assert answers(short, "NOOP", version="20.16.0") == ["200 result=0\n"] * 2


def test_a_second_command_in_one_piece_is_not_seen() -> None:
    call = SimulatedAsterisk().prepare()
    call.begin()
    call.output()
    call.feed(b"NOOP 1\nNOOP 2\nNOOP 3\n")
    assert call.output() == b"200 result=0\n"
    call.feed(b"NOOP 4\n")
    assert call.output() == b"200 result=0\n" * 3
    assert call.transcript.commands == ["NOOP 1", "NOOP 2", "NOOP 3", "NOOP 4"]


def test_what_was_not_seen_is_seen_at_the_end() -> None:
    call = SimulatedAsterisk().prepare()
    call.begin()
    call.feed(b"NOOP 1\nNOOP 2\nNOOP 3")
    call.end()
    assert call.over
    assert call.transcript.commands == ["NOOP 1", "NOOP 2", "NOOP 3"]


def test_bytes_one_by_one() -> None:
    call = SimulatedAsterisk().prepare()
    call.begin()
    call.output()
    for byte in b"SET VARIABLE X \xff\nGET VARIABLE X\n":
        call.feed(bytes([byte]))
    assert call.output() == b"200 result=1\n200 result=1 (\xff)\n"


def test_failure_ends_the_session() -> None:
    call = SimulatedAsterisk().prepare()
    call.begin()
    call.output()
    call.feed(b"Failure: no good\n")
    assert call.over
    assert call.output() == b"HANGUP\n"
    assert call.agistatus == "FAILURE"
