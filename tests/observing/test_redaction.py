"""What is shown of a dialogue, line by line; and what is taken out of texts."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.catalogue_model import Command, Condition, Outcome, Result, ResultField
from pystrix_typed.agi.core.catalogue import COMMANDS
from pystrix_typed.agi.dialogue import Dialogue, Unredacted, words
from pystrix_typed.agi.keyed import Keyed
from pystrix_typed.agi.redaction import Redactor
from pystrix_typed.agi.wire import parse
from tests import tokenizer

REDACTOR = Redactor()


def said(*pieces: tuple[str, str], redactor: Redactor = REDACTOR) -> list[str]:
    """What is shown of commands and their replies, each a text with line feeds of its own."""
    dialogue = Dialogue(redactor)
    dialogue.feed(False, b"\n")
    shown: list[str] = []
    for command, reply in pieces:
        for sent, text in ((True, command), (False, reply)):
            lines = dialogue.feed(sent, text.encode("utf-8", "surrogateescape") + b"\n")
            shown += [line.text for line in lines]
    return shown


@pytest.mark.parametrize(
    ("command", "reply", "shown"),
    [
        ('GET DATA "vm-password" 2000 4', "200 result=1234", "200 result=***"),
        ('GET DATA "x" 2000 4', "200 result=12 (timeout)", "200 result=*** (timeout)"),
        ('GET DATA "x" 2000 4', "200 result= (timeout)", "200 result= (timeout)"),
        ('GET DATA "x" 2000 4', "200 result=-1", "200 result=-1"),
        ('GET DATA "x" 2000 4', "200 result=0", "200 result=***"),
        ('GET DATA "x" 2000 4', "200 result=1 (5678)", "200 result=*** (***)"),
        ("GET DATA", "no reply at all", "***"),
        ("WAIT FOR DIGIT 5000", "200 result=53", "200 result=***"),
        ("WAIT FOR DIGIT 5000", "200 result=0", "200 result=0"),
        ("WAIT FOR DIGIT 5000", "200 result=-1", "200 result=-1"),
        ('STREAM FILE "x" "1" 0', "200 result=49 endpos=4160", "200 result=*** endpos=4160"),
        ('STREAM FILE "x" "1" 0', "200 result=0 endpos=4160", "200 result=0 endpos=4160"),
        ('STREAM FILE "x" "1" 0', "200 result=0 digit=5", "200 result=0 ***"),
        ('GET OPTION "x" "1" 0', "200 result=49 endpos=1", "200 result=*** endpos=1"),
        ('CONTROL STREAM FILE "x"', "200 result=49 endpos=1", "200 result=*** endpos=1"),
        ('RECORD FILE "x"', "200 result=35 (dtmf) endpos=9", "200 result=*** (dtmf) endpos=9"),
        ('SAY DIGITS "12" "#"', "200 result=35", "200 result=***"),
        ('SAY DATE 1700000000 "#"', "200 result=35", "200 result=***"),
        ("RECEIVE CHAR 5000", "200 result=97", "200 result=***"),
        ("RECEIVE CHAR 5000", "200 result=-1 (hangup)", "200 result=-1 (hangup)"),
        ("RECEIVE TEXT 5000", "200 result=1 (my pin (4) is)", "200 result=1 (***)"),
        ("RECEIVE TEXT 5000", "200 result=-1", "200 result=-1"),
        (
            'SPEECH RECOGNIZE "x" 5 0',
            '200 result=1 (speech) endpos=0 results=1 score0=9 text0="four two" grammar0=g',
            "200 result=1 (speech) endpos=0 ***",
        ),
        (
            'SPEECH RECOGNIZE "x" 5 0',
            "200 result=1 (digit) digit=5 endpos=0",
            "200 result=1 (digit) endpos=0 ***",
        ),
        ('GET VARIABLE "FOOD"', "200 result=1 (apple)", "200 result=1 (apple)"),
        ('GET VARIABLE "USER_PIN"', "200 result=1 (1234)", "200 result=1 (***)"),
        ('GET VARIABLE "USER_PIN"', "200 result=0", "200 result=0"),
        ('get variable "Password"', "200 result=1 (x)", "200 result=1 (***)"),
        ('DATABASE GET "cards" "alice"', "200 result=1 (x)", "200 result=1 (***)"),
        ('DATABASE GET "alice" "card"', "200 result=1 (x)", "200 result=1 (***)"),
        ("GET DATA", "511 Command Not Permitted on a dead channel", None),
        ("NOOP", "200 result=0", None),
        ("OPEN TICKET", "200 result=17", "***"),
        ("OPEN TICKET", "510 Invalid or unknown command", None),
    ],
)
def test_replies(command: str, reply: str, shown: str | None) -> None:
    assert said((command, reply))[1] == (reply if shown is None else shown)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ('SAY DIGITS "1234" "#"', 'SAY DIGITS *** "#"'),
        ('SAY NUMBER 1234 ""', 'SAY NUMBER *** ""'),
        ('SAY ALPHA "ab" ""', 'SAY ALPHA *** ""'),
        ('SAY PHONETIC "a\\"b" ""', 'SAY PHONETIC *** ""'),
        ('SAY DATE 1700000000 "#"', None),
        ('SAY DATETIME 1700000000 "#" "R"', None),
        ('SET VARIABLE "PIN" "x"', 'SET VARIABLE "PIN" ***'),
        ('SET VARIABLE "COLOUR" "blue"', None),
        ('SET VARIABLE "DB(pins/17)" "x"', 'SET VARIABLE "DB(***)" ***'),
        ('GET FULL VARIABLE "${PIN}" "PJSIP/a-1"', None),
        ('GET FULL VARIABLE "${MD5(${PIN}17)}"', 'GET FULL VARIABLE "***"'),
        ('GET FULL VARIABLE "${CHANNEL}"', None),
        ('DATABASE PUT "pins" "17" "99"', 'DATABASE PUT "pins" *** ***'),
        ('DATABASE DEL "pins" "17"', 'DATABASE DEL "pins" ***'),
        ('DATABASE DELTREE "pins" "17"', 'DATABASE DELTREE "pins" ***'),
        ('DATABASE PUT "menu" "17" "99"', None),
        ('EXEC "Set" "SECRET=a,b"', 'EXEC "Set" "SECRET=***"'),
        ('EXEC "Set" "HASH(x,pin)=9"', 'EXEC "Set" "HASH(***)=***"'),
        ('EXEC "Set" "COLOUR=blue"', None),
        ('EXEC "MSet" "A=1,PIN=2,B=3"', 'EXEC "MSet" "A=1,***"'),
        ('EXEC "SendDTMF" "12#"', 'EXEC "SendDTMF" "***"'),
        ('EXEC "Authenticate" "17"', 'EXEC "Authenticate" "***"'),
        ('EXEC "Read" "FOOD,beep,4"', None),
        ('EXEC "Dial" "PJSIP/a,20,tD(w17)g"', 'EXEC "Dial" "PJSIP/a,20,tD(***)g"'),
        ('SPEECH SET "api_key" "x"', 'SPEECH SET "api_key" ***'),
        ('SPEECH SET "language" "en"', None),
        ('VERBOSE "the pin: 17" 1', 'VERBOSE "the pin: ***" 1'),
        ('VERBOSE "token=abc&x=1" 1', 'VERBOSE "token=***&x=1" 1'),
        ('VERBOSE "4111 1111 1111 1111" 1', 'VERBOSE "***" 1'),
        ('VERBOSE "order 4111111111111112" 1', None),
        ('OPEN TICKET "for alice" 17', "OPEN TICKET *** ***"),
        ("", None),
    ],
)
def test_commands(command: str, shown: str | None) -> None:
    assert said((command, "200 result=0"))[0] == (command if shown is None else shown)


def test_every_command_that_tells_of_the_caller_is_known() -> None:
    # Spelled out on purpose: a new command that hears the caller must be seen here.
    hears = {command.name for command in COMMANDS if REDACTOR.rules[command.name].hears}
    assert hears == {
        "STREAM FILE",
        "GET DATA",
        "WAIT FOR DIGIT",
        "RECORD FILE",
        "CONTROL STREAM FILE",
        "GET OPTION",
        "SAY NUMBER",
        "SAY DATETIME",
        "SAY DATE",
        "SAY TIME",
        "SAY DIGITS",
        "SAY ALPHA",
        "SAY PHONETIC",
        "SPEECH RECOGNIZE",
        "RECEIVE CHAR",
        "RECEIVE TEXT",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_what_real_replies_tell_is_not_shown(command: Command) -> None:
    """Of the spec's own example lines, every field that tells of the caller."""
    rule = REDACTOR.rules[command.name]
    for outcome in command.outcomes:
        for example in outcome.examples:
            if "\n" in example.line or not rule.hears:
                continue
            shown = said((command.name, example.line))[1]
            for field, value in example.gives:
                if field in rule.hears and isinstance(value, str) and len(value) > 1:
                    assert value not in shown
                elif field == "digit" and value is not None:
                    assert re.match(r"200 result=(\*\*\*|1 \(digit\) endpos=\d+ \*\*\*)", shown)
                elif isinstance(value, tuple):
                    assert not [text for _, text, _ in value if str(text) in shown]


def test_what_was_keyed_in_is_hidden_wherever_it_comes_again() -> None:
    shown = said(
        ('GET DATA "x" 2000 8', "200 result=0864*975#"),
        ('VERBOSE "is 0864*975# right, or 864, or 975?" 1', "200 result=1"),
        ('SET VARIABLE "CODE" "0864"', "200 result=1"),
        ('GET VARIABLE "CODE"', "200 result=1 (0864)"),
        ("RECEIVE TEXT 100", '200 result=1 (say "hé\\o")'),
        ('NOOP "say \\"hé\\\\o\\""', "200 result=0"),
    )
    assert shown[2] == 'VERBOSE "is *** right, or ***, or ***?" 1'
    assert shown[4] == 'SET VARIABLE "CODE" "***"'
    assert shown[7] == "200 result=1 (***)"
    assert shown[10] == 'NOOP "***"'


def test_keys_that_come_one_at_a_time_are_an_entry_too() -> None:
    keys = [("WAIT FOR DIGIT 9", f"200 result={ord(key)}") for key in "86420"]
    shown = said(
        *keys,
        ('NOOP "8642 or 642 or 99864299"', "200 result=0"),
        ('NOOP "86 or 8765"', "200 result=0"),
    )
    assert shown[10] == 'NOOP "*** or *** or ***"'
    assert shown[12] == 'NOOP "86 or 8765"'


def test_the_variable_that_an_application_fills_is_hidden() -> None:
    shown = said(
        ('EXEC "Read" "NUMBER,beep"', "200 result=0"),
        ('GET VARIABLE "NUMBER"', "200 result=1 (17)"),
        ('GET FULL VARIABLE "${LEN(${NUMBER})}"', "200 result=1 (2)"),
        ('GET VARIABLE "NUMBERS"', "200 result=1 (all)"),
    )
    assert shown[3] == "200 result=1 (***)"
    assert shown[5] == "200 result=1 (***)"
    assert shown[7] == "200 result=1 (all)"


def test_a_value_that_is_hidden_is_hidden_to_its_end() -> None:
    shown = said(
        ('GET VARIABLE "SECRET"', "200 result=1 (one)\n200 result=1 (two)\nthree\nHANGUP\nx)"),
        ('NOOP "one, three"', "200 result=0"),
    )
    assert shown == ['GET VARIABLE "SECRET"', "200 result=1 (***)", "HANGUP", *shown[3:]]
    assert shown[3:] == ['NOOP "***, ***"', "200 result=0"]


def test_the_answer_that_comes_behind_a_fence_is_still_the_commands() -> None:
    fence = f'GET FULL VARIABLE "fence-{"0f" * 8}-0"'
    answer = f"200 result=1 (fence-{'0f' * 8}-0)"
    shown = said(('GET DATA "x" 0 4', "HANGUP"), (fence, f"200 result=8642\n{answer}"))
    assert shown == ['GET DATA "x" 0 4', "HANGUP", fence, "200 result=***", answer]


def test_the_variables_at_the_start() -> None:
    lines = Dialogue(REDACTOR).feed(
        False,
        b"agi_network_script: pay?card=4111&lang=en&PIN\n"
        b"agi_request: agi://host/pay?token=abc\n"
        b"agi_callerid: 200\n"
        b"agi_calleridname: Eve\x1b[2J\xff\n"
        b"agi_arg_1: 8642\nagi_arg_2: pin=77\nagi_arg_3: sales\n\n",
    )
    assert [line.text for line in lines] == [
        "agi_network_script: pay?card=***&lang=en&PIN",
        "agi_request: agi://host/pay?token=***",
        "agi_callerid: 200",
        "agi_calleridname: Eve\\x1b[2J\\xff",
        "agi_arg_1: ***",
        "agi_arg_2: pin=***",
        "agi_arg_3: sales",
        "",
    ]


def test_endless_lines_take_no_endless_memory() -> None:
    dialogue = Dialogue(REDACTOR)
    dialogue.feed(False, b"\n")
    for _ in range(100):
        assert dialogue.feed(False, b"8" * 9000) == []
    (line,) = dialogue.feed(False, b"64\n")
    assert line.text == "*** (a line of more than 65536 bytes)"
    (line,) = dialogue.feed(False, b"x" * 3000 + b"\n")
    assert line.text == "x" * 1000 + "... (3000 characters)"
    assert dialogue.end() == []


def test_the_code_of_a_reply_is_no_secret() -> None:
    shown = said(
        ('SET VARIABLE "PIN" "200"', "200 result=1"),
        ('GET VARIABLE "X"', "200 result=1 (200)"),
    )
    assert shown[3] == "200 result=1 (***)"


def test_long_lines_take_no_long_time() -> None:
    script = b"agi_network_script: x?" + b"pin" * 15_000 + b"\n"
    for line in (script, b"\nGET " + b"card " * 13_000 + b"\n", b"\n" + b"1 " * 30_000 + b"\n"):
        dialogue = Dialogue(REDACTOR)
        dialogue.keyed.add("\\x" * 100)
        for key in "12345678":
            dialogue.keyed.add(key)
        began = time.process_time()
        assert len(dialogue.feed(False, line)) >= 1
        assert time.process_time() - began < 5


def test_names_are_a_choice() -> None:
    fruit = Redactor("fruit")
    assert said(('GET VARIABLE "FRUIT"', "200 result=1 (fig)"), redactor=fruit)[1] == (
        "200 result=1 (***)"
    )
    for redactor in (fruit, Redactor("")):
        shown = said(('GET VARIABLE "PIN"', "200 result=1 (fig)"), redactor=redactor)
        assert shown[1] == "200 result=1 (fig)"
        # What is keyed in is hidden whatever the names are.
        assert said(("GET DATA", "200 result=17"), redactor=redactor)[1] == "200 result=***"
    with pytest.raises(re.error):
        Redactor("(")


def test_commands_of_a_spec_of_ones_own() -> None:
    ticket = Command(
        name="OPEN TICKET",
        class_name="OpenTicket",
        topic="tickets",
        summary="",
        since="1.0",
        source="",
        result="TicketResult",
        outcomes=(
            Outcome(
                id="opened",
                about="",
                when=Condition(data=True),
                examples=(),
                gives=(("number", "$result"), ("note", "$data")),
            ),
        ),
    )
    result = Result(
        "TicketResult",
        "",
        (ResultField("number", "integer", ""), ResultField("note", "string", "")),
    )
    redactor = Redactor(commands=[ticket], results=[result])
    shown = said(('OPEN TICKET "for alice"', "200 result=17 (sesame)"), redactor=redactor)
    assert shown == ['OPEN TICKET "for alice"', "200 result=*** (***)"]


def test_unredacted_shows_all() -> None:
    dialogue = Unredacted(REDACTOR)
    assert [line.text for line in dialogue.feed(True, b"SAY DIGITS 17\n")] == ["SAY DIGITS 17"]
    assert [line.text for line in dialogue.feed(False, b"200 result=49\n")] == ["200 result=49"]


def failed(text: str, cause: BaseException | None = None) -> ValueError:
    try:
        raise ValueError(text) from cause
    except ValueError as error:
        return error


def test_what_exceptions_quote() -> None:
    keyed = Keyed()
    action = core.GetData("x")
    reply = parse(b"200 result=86 (what)")
    unknown = agi.AGIUnknownError(f"GET DATA: unknown ({reply.shown})", action=action, reply=reply)
    assert REDACTOR.message(unknown, keyed) == (
        "GET DATA: unknown (Asterisk said: 200 result=*** (***))"
    )
    for name, shown in (("PIN", "200 result=***"), ("COLOUR", "200 result=7 (blue)")):
        reply = parse(b"200 result=7 (blue)", multiline=True)
        asked = core.GetVariable(name)
        error = agi.AGIUnknownError(f"no ({reply.shown})", action=asked, reply=reply)
        assert REDACTOR.message(error, Keyed()) == f"no (Asterisk said: {shown})"
    keyed.add("8642")
    group = ExceptionGroup("several", [failed("8642 is none", unknown), failed("password: ape")])
    shown = REDACTOR.error(group, keyed)
    assert "*** is none" in shown
    assert "password: ***" in shown
    assert "result=86" not in shown
    assert "raise ValueError(text) from cause" in shown


def test_a_result_that_no_catalogue_describes_is_remembered() -> None:
    class Mine(agi.Record):
        __slots__ = ("word",)
        word: str

        def __init__(self, word: str) -> None:
            object.__setattr__(self, "word", word)

    class Ask(core.Noop):
        command = "ASK RIDDLE"

    keyed = Keyed()
    REDACTOR.see(Ask("?"), Mine("sesame"), None, keyed)
    assert keyed.scrub("open sesame") == "open ***"


@given(st.binary(max_size=60).filter(lambda line: b"\n" not in line and b"\0" not in line))
def test_words_are_what_asterisk_takes_them_for(line: bytes) -> None:
    text = line.decode("latin-1")
    found = [word.text.encode("latin-1") for word in words(text)]
    assert [word for word in found if word] == [word for word in tokenizer.words(line) if word]


@given(st.lists(st.binary(max_size=20)), st.data())
def test_pieces_do_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(lines) + b"\n"
    at_once = Dialogue(REDACTOR).feed(False, whole)
    in_pieces = Dialogue(REDACTOR)
    shown: list[object] = []
    rest = whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        shown += in_pieces.feed(False, rest[:size])
        rest = rest[size:]
    assert shown == at_once


LINES = st.one_of(
    st.binary(max_size=30),
    st.tuples(
        st.sampled_from([command.name.encode() for command in COMMANDS]),
        st.sampled_from([b"", b' "PIN"', b' "a" "b" "c"', b' "', b" \\", b' "Set" "PIN"']),
    ).map(b"".join),
    st.sampled_from(
        [
            example.line.encode()
            for command in COMMANDS
            for outcome in command.outcomes
            for example in outcome.examples
        ]
    ),
)


@given(st.lists(st.tuples(st.booleans(), LINES)))
def test_whatever_is_said_it_can_be_shown(pieces: list[tuple[bool, bytes]]) -> None:
    dialogue = Dialogue(REDACTOR)
    for sent, line in pieces:
        for shown in dialogue.feed(sent, line + b"\n"):
            assert shown.text.isprintable()
    dialogue.end()


def test_an_endless_call_takes_no_endless_memory() -> None:
    keyed = Keyed()
    for number in range(10_000):
        keyed.add(f"{number:06}")
        keyed.add("7")
        keyed.fills(f"V{number}")
    assert keyed.scrub("009999") == "***"
    assert keyed.scrub("123456x") == "123456x"
    assert keyed.filled("V255")
    assert not keyed.filled("V9999")


def test_numbers_of_asterisks_own_are_shown() -> None:
    dialogue = Dialogue(Redactor())
    greeting = [line.text for line in dialogue.feed(False, b"agi_threadid: 140012345678912\n\n")]
    assert greeting[0] == "agi_threadid: 140012345678912"
    dialogue.feed(True, b'STREAM FILE "menu" "12" 0\n')
    (line,) = dialogue.feed(False, b"200 result=-1 endpos=8640\n")
    assert line.text == "200 result=-1 endpos=8640"
