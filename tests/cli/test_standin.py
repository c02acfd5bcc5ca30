"""The stand-in says what Asterisk says: the lines are Asterisk 22's own."""

from __future__ import annotations

import io

import pytest

from pystrix_typed.cli.standin import StandIn, split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'NOOP "a b"', ["NOOP", "a b"]),
        (b'NOOP a"b c"d', ["NOOP", "ab cd"]),
        (b'NOOP "a""b"', ["NOOP", "ab"]),
        (b'NOOP "a"b', ["NOOP", "ab"]),
        (b'NOOP ""', ["NOOP", ""]),
        (b'NOOP x""', ["NOOP", "x"]),
        (rb"NOOP a\ b", ["NOOP", "a b"]),
        (rb'NOOP "a\"b"', ["NOOP", 'a"b']),
        (rb'NOOP "a\\b"', ["NOOP", r"a\b"]),
        (rb'NOOP "a\nb"', ["NOOP", "anb"]),
        (b"NOOP abc\\", ["NOOP", "abc"]),
        (b'NOOP "unterminated x', ["NOOP", "unterminated x"]),
        (b"NOOP 'a b'", ["NOOP", "'a", "b'"]),
        (b'NOOP a\tb "c\td"', ["NOOP", "a", "b", "c\td"]),
        ("NOOP käse".encode(), ["NOOP", "käse"]),
        (b"NOOP \xff", ["NOOP", "\udcff"]),
        (b"", []),
        (b"  ", []),
    ],
)
def test_line_is_split_by_the_rules_of_asterisk(line: bytes, words: list[str]) -> None:
    assert split(line + b"\n") == words


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"ANSWER", "200 result=0"),
        (b"CHANNEL STATUS", "200 result=4"),
        (b"channel status", "200 result=4"),
        (b'"CHANNEL" status', "200 result=4"),
        (b"NOOP any number of words", "200 result=0"),
        (b'STREAM FILE "prompt" ""', "200 result=0 endpos=12000"),
        (b'STREAM FILE "prompt" "2"', "200 result=50 endpos=160"),
        (b'STREAM FILE "missing" ""', "200 result=-1 endpos=0"),
        (b'STREAM FILE "missing" "" 800', "200 result=-1 endpos=800"),
        (b'GET DATA "prompt" 2000 2', "200 result=12"),
        (b'GET DATA "prompt" 2000 3', "200 result=12 (timeout)"),
        (b'GET DATA "ended" 2000 255', "200 result=12"),
        (b'GET DATA "silent"', "200 result= (timeout)"),
        (b'GET DATA "missing"', "200 result=-1"),
        (b'GET DATA ""', "200 result= (timeout)"),
        (b"WAIT FOR DIGIT 0", "200 result=0"),
        (b'SAY DIGITS 12 ""', "200 result=0"),
        (b'GET VARIABLE "SET"', "200 result=1 (a value)"),
        (b'GET VARIABLE "UNSET"', "200 result=0"),
        (b'GET FULL VARIABLE "<${SET}|${UNSET}>"', "200 result=1 (<a value|>)"),
        (b'SET VARIABLE "X" "y"', "200 result=1"),
        (b'DATABASE GET "family" "key"', "200 result=1 (stored)"),
        (b'DATABASE GET "family" "other"', "200 result=0"),
        (b'DATABASE PUT "family" "key" "value"', "200 result=1"),
        (b'EXEC "NoOp" "x"', "200 result=0"),
        (b'EXEC "Nonsense"', "200 result=-2"),
        (b"VERBOSE hello", "200 result=1"),
        (b"HANGUP", "200 result=1"),
        (b"", "510 Invalid or unknown command"),
        (b"STREAM", "510 Invalid or unknown command"),
        (b"NOOP\r", "510 Invalid or unknown command"),
        (b"CHANNELSTATUS", "510 Invalid or unknown command"),
        (b"STREAM FILE x", "520 Invalid command syntax.  Proper usage not available."),
        (b'DATABASE GET "a" "b" "c"', "520 Invalid command syntax.  Proper usage not available."),
    ],
)
def test_command_is_answered_as_asterisk_does(line: bytes, reply: str) -> None:
    call = StandIn(
        keys={"prompt": "12", "ended": "12#3"},
        sounds=dict.fromkeys(["prompt", "ended", "silent"], 1.5),
        variables={"SET": "a value"},
        database={("family", "key"): "stored"},
    )
    assert call.answer(line + b"\n") == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b'STREAM FILE "prompt" ""', "200 result=-1 endpos=160"),
        (b'GET DATA "prompt"', "200 result=-1"),
        (b"WAIT FOR DIGIT -1", "200 result=-1"),
        (b'EXEC "Wait" "10"', "200 result=-1"),
    ],
)
def test_notice_of_a_hangup_follows_the_command_that_it_cut_short(line: bytes, reply: str) -> None:
    command = line.decode().partition(" ")[0]
    call = StandIn(
        sounds={"prompt": 1.5},
        hangs_up_at=next(
            name
            for name in ("STREAM FILE", "GET DATA", "WAIT FOR DIGIT", "EXEC")
            if name.startswith(command)
        ),
    )
    script = io.BytesIO(line + b"\nCHANNEL STATUS\nNOOP\n")
    heard = io.BytesIO()
    call.converse(script, heard, "script")
    assert heard.getvalue().decode().partition("\n\n")[2].splitlines() == [
        reply,
        "HANGUP",
        "511 Command Not Permitted on a dead channel or intercept routine",
        "200 result=0",
    ]


def test_environment_is_that_of_asterisk() -> None:
    heard = io.BytesIO()
    StandIn(number="", name="").converse(io.BytesIO(), heard, "agi://h/x", [("network", "yes")])
    text = heard.getvalue().decode()
    assert text.endswith("\n\n")
    lines = dict(line.split(": ", 1) for line in text.splitlines() if line)
    assert list(lines)[:3] == ["agi_network", "agi_request", "agi_channel"]
    assert lines["agi_callerid"] == lines["agi_calleridname"] == "unknown"
    assert lines["agi_accountcode"] == ""
