"""The dialplan: its text, its routines, its applications, and where a call goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pystrix_typed.testing import Caller, SimulatedAsterisk, Wait
from pystrix_typed.testing.dialplan import Dialplan, Step

from .lines import Talk

if TYPE_CHECKING:
    from pystrix_typed.testing import Activity, SimulatedChannel

TEXT = """
; a comment
[general]
clearglobalvars = yes
[subs]
exten => join,1,Return(${ARG1}-${ARG2}) ; both
exten => labelled,1,NoOp()
 same => n(here),Return(from ${EXTEN})
exten => count,1,Set(TIMES=$[${ARGC} + 1])
 same => n,GotoIf($[${TIMES} > 2]?many:few)
 same => n(few),Return(few)
 same => 10(many),Return(many)
exten => waits,1,Wait(5)
 same => n,Return()
exten => falls,1,NoOp()
exten => hangs,1,Hangup()
exten => _9XZ.,1,Return(pattern)
exten => circle,1,Goto(circle,1)
include => more
[more]
exten => extra,1,Return(included)
"""


def talk(**applications: int) -> Talk:
    return Talk(SimulatedAsterisk(dialplan=TEXT, applications=applications))


def test_text() -> None:
    plan = Dialplan(TEXT)
    assert plan.step("subs", "join", 1) == Step("Return", "${ARG1}-${ARG2}")
    assert plan.label("subs", "labelled", "here") == 2
    assert plan.label("subs", "labelled", "there") is None
    assert plan.label("subs", "count", "many") == 10
    assert plan.step("subs", "9121", 1) is not None
    assert plan.step("subs", "9101", 1) is None
    assert plan.step("subs", "extra", 1) is not None
    assert plan.step("more", "join", 1) is None
    assert plan.step("nowhere", "s", 1) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("[a]\nnonsense", 2), ("exten => s,1,NoOp()", 1), ("[a]\nexten => s,x,NoOp()", 2)],
)
def test_text_that_is_none(text: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"line {number}: "):
        SimulatedAsterisk(dialplan=text)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("GOSUB subs join 1 left,right", "left-right"),
        ("GOSUB subs labelled here", "from labelled"),
        ("GOSUB subs count 1 a,b", "many"),
        ("GOSUB subs count 1", "few"),
        ("GOSUB subs 9155 1", "pattern"),
        ("GOSUB subs extra 1", "included"),
        ("GOSUB subs waits 1", ""),
    ],
)
def test_routines(line: str, value: str) -> None:
    call = talk()
    assert call(line) == "100 result=0 Trying...\n200 result=0 Gosub complete"
    assert call("GET VARIABLE GOSUB_RETVAL") == f"200 result=1 ({value})"
    assert call.call.location == ("default", "100", 1)
    assert call("GET VARIABLE ARG1") == "200 result=0"


@pytest.mark.parametrize("extension", ["falls", "circle"])
def test_routines_that_do_not_return(extension: str) -> None:
    answer = talk()(f"GOSUB subs {extension} 1")
    assert answer == "100 result=0 Trying...\n200 result=0 Gosub complete (abnormal exit)"


def test_a_routine_that_hangs_up() -> None:
    call = talk()
    assert call("GOSUB subs hangs 1").endswith("(abnormal exit)\nHANGUP")
    assert call.call.hung_up_by == "asterisk"
    assert call("NOOP") == "200 result=0"


def test_routines_that_are_not_there() -> None:
    for place in ("subs nobody 1", "nowhere s 1", "subs join there", "subs join 7"):
        assert talk()(f"GOSUB {place}") == "200 result=-1 Gosub label not found"


def test_applications() -> None:
    call = talk(Queue=0, StatsD=1, Odd=2)
    assert call("EXEC Queue support,t") == "200 result=0"
    assert call("EXEC noop") == "200 result=0"
    assert call("EXEC Dial PJSIP/100") == "200 result=-2"
    assert call("EXEC StatsD x").startswith("200 result=1\n520-")
    assert call("EXEC Incomplete") == "200 result=12"
    assert call.call.executed == [
        ("Queue", "support,t"), ("noop", ""), ("StatsD", "x"), ("Incomplete", ""),
    ]  # fmt: skip
    before = call.call.agistatus
    assert call("EXEC Odd") == "200 result=2"
    assert (before, call.call.agistatus) == ("SUCCESS", "FAILURE")


def test_a_tree_of_the_database_goes_by_its_pattern() -> None:
    call = talk()
    for family in ("night_desk", "night-desk", "night"):
        call(f"DATABASE PUT {family} a/k v")
    assert call("EXEC DBdeltree night_desk/a") == "200 result=0"
    assert call("EXEC DBdeltree") == "200 result=0"
    assert call("DATABASE GET night_desk a/k") == "200 result=0"
    assert call("DATABASE GET night-desk a/k") == "200 result=0"
    assert call("DATABASE GET night a/k") == "200 result=1 (v)"


def test_an_application_of_ones_own() -> None:
    def dial(channel: SimulatedChannel, options: str) -> Activity[int | None]:
        happening = yield Wait(channel.now + 30_000)
        channel.variables["DIALSTATUS"] = "CANCEL" if happening.kind == "hangup" else "NOANSWER"
        return None

    def lookup(channel: SimulatedChannel, options: str) -> None:
        channel.variables["FOUND"] = options.upper()

    asterisk = SimulatedAsterisk(applications={"Dial": dial, "Lookup": lookup})
    call = Talk(asterisk, caller=Caller().waits(40).hangs_up())
    assert call("EXEC Dial PJSIP/100") == "200 result=0"
    assert call.call.now == 30
    assert call("GET VARIABLE DIALSTATUS") == "200 result=1 (NOANSWER)"
    call("EXEC Dial PJSIP/100")
    assert call.call.variables["DIALSTATUS"] == "CANCEL"
    assert call("EXEC LOOKUP ann").endswith("200 result=0")
    assert call.call.variables["FOUND"] == "ANN"


def test_expansion_of_options() -> None:
    call = talk()
    call("SET VARIABLE X value")
    call('EXEC Set "Y=${X}"')
    assert call.call.variables["Y"] == "${X}"
    call("SET VARIABLE AGIEXECFULL yes")
    call('EXEC Set "Y=${X}"')
    assert call.call.variables["Y"] == "value"
    old = Talk(SimulatedAsterisk("16.26.0"), variables={"AGIEXECFULL": "yes"})
    old('EXEC Set "Y=${X}"')
    assert old.call.variables["Y"] == "${X}"


def test_where_the_call_goes_on() -> None:
    call = talk()
    for line in ("SET CONTEXT subs", "SET EXTENSION labelled", "SET PRIORITY here"):
        assert call(line) == "200 result=0"
    assert call("SET PRIORITY there").startswith("520")
    call.call.end()
    assert call.call.location == ("subs", "labelled", 2)
    other = talk()
    other("SET CONTEXT subs")
    other.call.end()
    assert other.call.location == ("subs", "100", 2)


def test_playing_in_the_dialplan() -> None:
    call = Talk(SimulatedAsterisk(sounds={"a": 1.0}), caller=Caller().waits(2.4).presses("5"))
    assert call("EXEC Playback a&b&a") == "200 result=0"
    assert call("GET VARIABLE PLAYBACKSTATUS") == "200 result=1 (FAILED)"
    assert call("EXEC BackGround a") == "200 result=53"
    assert call.call.answered
    assert call("EXEC WaitExten 1") == "200 result=0"
