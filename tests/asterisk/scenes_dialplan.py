"""Scenes of what the dialplan reckons, and where it is sent: expressions, functions, routines."""

from __future__ import annotations

from .scene import Ask, Scene

__all__ = ["RECKONS"]

PLACE = "${EXTEN} ${GOSUB_RETVAL} ${ARG1} ${ARGC}"
EXPRESSIONS = {
    "1 + 2 * 3": "7",
    "-7 % 3": "-1",
    "10 / 3": "3.33333333333333333",
    "1 / 0": "2147483647",
    '"a" = a': "0",
    '"${GIVEN}" = "a-b"': "1",
    "10 > 9": "1",
    '"10" > "9"': "0",
    "!a": "1",
    '"" | x': '""',
    '"x" & 0': "0",
    "5 +": "0",
    "a b": "a",
    "1 > 2 ? yes :: no": "no",
    '"abcd" =~ "b(.)d"': "c",
    '"abc" : "ab"': "2",
    "ROUND(2.5)": "3",
    "LEN(abc)": "3",
}
FUNCTIONS = {
    "MATH(7/2)": "3.500000",
    "MATH(7/2,int)": "3",
    "MATH(8>9)": "FALSE",
    "TOUPPER(aé)": "Aé",
    "BASE64_DECODE(YW)": "a",
    "CUT(GIVEN,-,2)": "b",
    "CUT(GIVEN,-)": "",
    "IF(00?yes:no)": "no",
    "STRREPLACE(GIVEN,-,+)": "a+b",
    'REGEX("^a" abc)': "1",
    "MD5()": "",
    "DB_EXISTS(scenes)": "",
}


def _value(text: str, value: str) -> Ask:
    return Ask(f"GetFullVariable({text!r})", "value", gives={"value": value})


RECKONED = (
    *(_value(f"$[{text}]", value) for text, value in EXPRESSIONS.items()),
    *(_value(f"${{{text}}}", value) for text, value in FUNCTIONS.items()),
    _value("${GIVEN:0:1}${GIVEN:-1}${GIVEN::2}", "aba-b"),
)

RECKONS = (
    Scene("reckoning", RECKONED, variables={"GIVEN": "a-b"}),
    Scene(
        "a routine for later",
        (
            Ask('Exec("Gosub", "subs,join,1(a,b)")', "value", gives={"value": 0}),
            _value(PLACE, "join  a 2"),
            Ask('Exec("Return", "early")', "value", gives={"value": 0}),
            _value(PLACE, "near early  "),
            Ask('Exec("Return")', "value", gives={"value": -1}),
            Ask('Exec("Goto", "landing,s,third")', "value", gives={"value": 0}),
            _value("${CONTEXT} ${EXTEN} ${PRIORITY}", "landing s 2"),
        ),
    ),
    Scene(
        "arguments of a routine",
        (
            Ask('Gosub("subs", "join", 1)', "returned", 'GOSUB subs join 1 "(a,b),c"'),
            _value("${GOSUB_RETVAL}", "(a,b)-c"),
        ),
    ),
)
