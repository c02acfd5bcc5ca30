"""Variables, functions, expressions and the database."""

from __future__ import annotations

import pytest

from pystrix_typed.testing import Caller, Identity, SimulatedAsterisk
from pystrix_typed.testing.database import Database
from pystrix_typed.testing.expressions import evaluate, substring

from .lines import Talk


def talk(version: str = "22.10.1") -> Talk:
    asterisk = SimulatedAsterisk(
        version,
        globals={"COMPANY": "ACME"},
        database={("agents", "7"): "Ann"},
        functions={"TWICE": lambda _channel, argument: argument * 2},
    )
    return Talk(
        asterisk,
        caller=Caller("5550199", "Ann (sales)"),
        variables={"X": "abcdef", "NAME": "X", "EMPTY": "", "LIST": "a-b-c"},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "abcdef"),
        ("EMPTY", ""),
        ("NOBODY", None),
        ("", None),
        ("X:1:2", None),
        ("COMPANY", "ACME"),
        ("EXTEN", "100"),
        ("CONTEXT", "default"),
        ("PRIORITY", "1"),
        ("UNIQUEID", "1767225600.1"),
        ("EPOCH", "1767225600"),
        ("CALLERID(num)", "5550199"),
        ("CALLERID(name)", "Ann (sales)"),
        ("CALLERID(all)", '"Ann (sales)" <5550199>'),
        ("CALLERID(dnid)", "100"),
        ("CALLERID(nonsense)", None),
        ("CHANNEL(state)", "Ring"),
        ("CHANNEL(language)", "en"),
        ("GLOBAL(COMPANY)", "ACME"),
        ("DB(agents/7)", "Ann"),
        ("DB(agents/8)", None),
        ("DB_EXISTS(agents/8)", "0"),
        ("LEN(grüße)", "7"),
        ("TWICE(ab)", "abab"),
        ("NO_SUCH(x)", None),
        ("TIMEOUT(absolute)", "0"),
    ],
)
def test_get_variable(name: str, value: str | None) -> None:
    wanted = "200 result=0" if value is None else f"200 result=1 ({value})"
    assert talk()(f'GET VARIABLE "{name}"') == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${X}/${EXTEN}", "abcdef/100"),
        ("${NOBODY}", ""),
        ("${X:1:2}${X:-2}${X:0:-4}", "bcefab"),
        ("${${NAME}:2}", "cdef"),
        ("${LEN(${X})}", "6"),
        ("$[1 + 2 * 3]", "7"),
        ("$[${LEN(${X})} > 5]", "1"),
        ("${IF($[1 = 2]?yes:no)}", "no"),
        ("${CUT(LIST,-,2-3)}", "b-c"),
        ("${FIELDQTY(LIST,-)}", "3"),
        ("${TOUPPER(${X:0:1})}${TOLOWER(AB)}", "Aab"),
        ("${BASE64_ENCODE(${X})}", "YWJjZGVm"),
        ("${BASE64_DECODE(YWJj)}", "abc"),
        ("${URIENCODE(a b/(c)!)}${URIDECODE(%41)}", "a%20b%2F(c)!A"),
        ("${MD5(a)}", "0cc175b9c0f1b6a831c399e269772661"),
        ("${FILTER(0-9,a1b2)}${REPLACE(LIST,-,+)}", "12a+b+c"),
        ("${STRFTIME(0,,%Y-%m-%d)}", "1970-01-01"),
        ("${SET(NEW=5)}${NEW}${MATH(6*7)}", "5542.000000"),
        ("${ISNULL(${EMPTY})}${EXISTS(${EMPTY})}${EVAL(${X})}", "10abcdef"),
        ("a $ b ${X", "a $ b abcdef"),
        ("$", "$"),
    ],
)
def test_full_variables(text: str, value: str) -> None:
    assert talk()(f'GET FULL VARIABLE "{text}"') == f"200 result=1 ({value})"


def test_setting_what_is_more_than_a_variable() -> None:
    call = talk()
    for name, value in (
        ("CALLERID(name)", "Bob"),
        ("CALLERID(num)", "77"),
        ("CHANNEL(language)", "de"),
        ("GLOBAL(NEW)", "1"),
        ("DB(agents/9)", "Eve"),
        ("__INHERITED", "yes"),
        ("TIMEOUT(absolute)", "60"),
        ("NO_SUCH(x)", "1"),
    ):
        assert call(f'SET VARIABLE "{name}" "{value}"') == "200 result=1"
    assert call("GET VARIABLE CALLERID(all)") == '200 result=1 ("Bob" <77>)'
    assert call("GET VARIABLE NEW") == "200 result=1 (1)"
    assert call("GET VARIABLE INHERITED") == "200 result=1 (yes)"
    assert call("GET VARIABLE TIMEOUT(absolute)") == "200 result=1 (60.000)"
    assert call.call.database["agents", "9"] == "Eve"


def test_variables_of_other_channels() -> None:
    call = talk()
    assert call("GET FULL VARIABLE x nobody") == "200 result=0"
    assert call(f"GET FULL VARIABLE x {call.call.channel.name.upper()}") == "200 result=1 (x)"
    assert call(f"GET FULL VARIABLE x {call.call.channel.unique_id}") == "200 result=1 (x)"


def test_long_values_are_cut() -> None:
    call = talk()
    call(f"SET VARIABLE LONG {'x' * 2000}")
    assert call("GET VARIABLE LONG") == f"200 result=1 ({'x' * 1023})"
    assert call("GET FULL VARIABLE ${LONG}") == f"200 result=1 ({'x' * 2000})"


@pytest.mark.parametrize(
    ("given", "number", "name"),
    [
        (r'"\"Ann Lee\" <123>"', "123", "Ann Lee"),
        ("123", "123", ""),
        ("Ann", "", "Ann"),
        ("<123>", "123", ""),
    ],
)
def test_set_callerid(given: str, number: str, name: str) -> None:
    call = talk()
    assert call(f"SET CALLERID {given}") == "200 result=1"
    identity = call.call.channel.identity
    assert (identity.number, identity.name) == (number, name)


def test_an_identity_in_full() -> None:
    identity = Identity("1", "", "2", "3", presentation=32, account="acct")
    call = SimulatedAsterisk().prepare(identity=identity)
    call.begin()
    lines = call.output().decode().splitlines()
    assert lines[6:11] == [
        "agi_version: 22.10.1",
        "agi_callerid: 1",
        "agi_calleridname: unknown",
        "agi_callingpres: 32",
        "agi_callingani2: 0",
    ]
    assert "agi_rdnis: 3" in lines
    assert "agi_accountcode: acct" in lines


#: As real exchanges of versions 16 and 22 reckon them.
RECKONED = [
    ("!a", "1"),
    ('!"a"', "1"),
    ('!""', "1"),
    ("!abc", "1"),
    ("!10", "0"),
    ("!00", "1"),
    ("!0.0", "1"),
    ("! 1", "0"),
    ("!(1)", "0"),
    ("!-1", "0"),
    ("5 +", "0"),
    ("+ 5", ""),
    ("=", ""),
    ("a b", "a"),
    ("a b c", "a"),
    ("1 2", "1"),
    ("(1", "0"),
    ("1)", "1"),
    ("(1 + 2", "0"),
    ("1 +", "0"),
    ('"a"', '"a"'),
    ('"a" = a', "0"),
    ('a = "a"', "0"),
    ('"5" = 5', "0"),
    ('5 = "5"', "0"),
    ('"5" + 1', "1"),
    ('"10" > 9', "0"),
    ('10 > "9"', "1"),
    ('"a" > 5', "0"),
    ("a > 5", "1"),
    ("5.0 = 5", "1"),
    ('"" = ""', "1"),
    ("a!=b", "1"),
    ("1<2", "1"),
    ("1>=1", "1"),
    ("10 / 3", "3.33333333333333333"),
    ("2 / 3", "0.666666666666666667"),
    ("1 / 3 * 3", "1"),
    ("10.0", "10.0"),
    ("10.50", "10.50"),
    ("1.0 + 1", "2"),
    ("007", "007"),
    ("007 + 1", "8"),
    ("-3", "-3"),
    ("-3 + 5", "2"),
    ("3-5", "-2"),
    ("a-b", "0"),
    ('"a-b"', '"a-b"'),
    ("1,2", "1"),
    ("1 , 2", "1"),
    ("5 % 0", "0"),
    ("5.5 % 2", "1.5"),
    ("-", "0"),
    ("--", "0"),
    ('"a" & "b"', '"a"'),
    ('"a" & 0', "0"),
    ('0 & "a"', "0"),
    ('"0" & 1', '"0"'),
    ('1 & "0"', "1"),
    ('"0" | 5', '"0"'),
    ('0 | ""', '""'),
    ('"" & 1', '""'),
    ("a | b", "a"),
    ("1 = 1 | 0", "1"),
    ("2 * 3 + 1", "7"),
    ("1 + 2 > 2", "1"),
    ("1 > 2 ? a :: b", "b"),
    ('1 ? "y" :: "n"', '"y"'),
    ('"x y" ? 1 :: 2', "1"),
    ('"abc" : "b"', "0"),
    ('"abc" : "ab"', "2"),
    ('"abc" : "(b)"', ""),
    ('"abc" : "a(b)"', "b"),
    ('"abc" =~ "z"', "0"),
    ('"abc" =~ "(z)"', ""),
    ("abc =~ b", "1"),
    ("abc : ab", "2"),
    ('"123" =~ "^[0-9]+$"', "3"),
    ('12345 : "[0-9]+"', "5"),
    ('"a" ~~ "b"', "ab"),
    ("a ~~ b", "ab"),
    ("ABS(-3)", "3"),
    ("ABS(3 - 5)", "2"),
    ("SQRT(16)", "4"),
    ("POW(2,3)", "8"),
    ("FLOOR(-2.5)", "-3"),
    ("CEIL(2.1)", "3"),
    ("ROUND(-2.5)", "-3"),
    ("TRUNC(2.9)", "2"),
    ("FOO(1)", "0"),
    ("a\tb", "a"),
    ("1\t+ 1", "2"),
    ("é", "é"),
    ('"é" = "é"', "1"),
    ("#", "#"),
    ("$", ""),
    ("$5", "$5"),
    ("@a", "@a"),
    ("a.b", "a.b"),
    ("a_b", "a_b"),
    ("a:b", "0"),
    ('"a', "a"),
    ('a"', "a"),
    ('"a" "b"', '"a"'),
    ("'a'", "'a'"),
    ('\\"a\\"', "\\"),
    ("a\\ b", "a\\"),
    ("1 & 1 & 1", "1"),
    ("0 | 0 | 3", "3"),
    ("1 - 1 | 5", "5"),
    ("12345678901234567890 + 1", "1.23456789012345679e+19"),
    ("0.1 * 3", "0.3"),
    ("1.1 + 2.2", "3.3"),
    ("100000000000000000000 * 10", "1e+21"),
    ("1.5 * 2", "3"),
    (".5 + .5", "0"),
    ("5. + 1", "1"),
    ("1e2", "1e2"),
    ("{", ""),
    ("}", ""),
    ("a = b = c", "0"),
    ("1 < 2 < 3", "1"),
    ("3 > 2 > 1", "0"),
    ("!1 | 1", "1"),
    ("!1 + 1", "1"),
    ("-1 * 3", "-3"),
    ("2 * -3", "-6"),
    ("2 - 3", "-1"),
    ("2 -3", "-1"),
    ("2-3", "-1"),
    ("(2)-(3)", "-1"),
    ("(a)", "a"),
    ('("a")', '"a"'),
    ('"a"="a"&"b"="b"', "1"),
    ("[", ""),
    ("<", ""),
    (">", ""),
    ("1 ! 2", "1"),
    ("1 !2", "1"),
    ("x!=", "0"),
    ('""', '""'),
    ('" "', '" "'),
    ('" " = ""', "0"),
    ('" a" = "a"', "0"),
    ("0", "0"),
    ("00", "00"),
    ('"0"', '"0"'),
    ("1", "1"),
    ("-0", "-0"),
    ("0 - 0", "0"),
    ("5 / 2.5", "2"),
    ("-7 / 2", "-3.5"),
    ("7 / -2", "-3.5"),
    ("-7.5 % 2", "-1.5"),
    ("a b", "a"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "value"), dict(RECKONED).items())
def test_expressions(text: str, value: str) -> None:
    assert evaluate(text) == value


def test_substrings() -> None:
    assert substring("abcdef", -3, 2) == "de"
    assert substring("abcdef", 4, -3) == ""
    assert substring("ab", -5, None) == "ab"


# ---- the database ----


def test_database_commands() -> None:
    call = talk()
    assert call("DATABASE GET agents 7") == "200 result=1 (Ann)"
    assert call("DATABASE GET agents 8") == "200 result=0"
    assert call("DATABASE PUT agents 8 Bob") == "200 result=1"
    assert call("DATABASE DEL agents 8") == "200 result=1"
    assert call("DATABASE DEL agents 8") == "200 result=1"
    assert call("DATABASE DELTREE agents") == "200 result=0"
    assert call("DATABASE DELTREE agents") == "200 result=1"
    assert talk("1.8.32")("DATABASE DEL agents 8") == "200 result=0"
    for key in ("7", "7/home", "70"):
        call(f"DATABASE PUT agents {key} x")
    assert call("DATABASE DELTREE agents 7") == "200 result=0"
    assert dict(call.call.database) == {("agents", "70"): "x"}


def test_a_busy_database() -> None:
    call = talk()
    call.call.database.busy = True
    assert call("DATABASE GET agents 7") == "200 result=0"
    assert call("DATABASE PUT agents 8 Bob") == "200 result=0"
    assert call("DATABASE DEL agents 7") == "200 result=0"
    assert call("DATABASE DELTREE agents") == "200 result=1"


def test_long_keys() -> None:
    key = "k" * 260
    assert talk()(f"DATABASE PUT f {key} v") == "200 result=1"
    assert talk("20.10.0")(f"DATABASE PUT f {key} v") == "200 result=0"
    assert talk("20.11.0")(f"DATABASE PUT f {key} v") == "200 result=1"


def test_a_database_is_a_mapping() -> None:
    database = Database({("a", "b/c"): "1", ("d", "e"): "2"})
    assert database["a/b", "c"] == "1"
    assert set(database) == {("a", "b/c"), ("d", "e")}
    assert database == {("a", "b/c"): "1", ("d", "e"): "2"}
    with pytest.raises(KeyError, match="nothing"):
        database["nothing", "there"]
    with pytest.raises(KeyError):
        del database["nothing", "there"]


def test_trees() -> None:
    rows = {("fam", "a/1"): "1", ("FAM", "b"): "2", ("family", "c"): "3", ("other", "d"): "4"}
    assert Database(rows).delete_tree("fam", "a") == 1
    assert Database(rows).delete_tree("fam") == 2  # either case
    assert Database(rows).delete_tree("f%") == 3  # SQL's wildcard
    assert Database(rows).delete_tree("", "a") == 0
    assert Database(rows).delete_tree("") == 4
