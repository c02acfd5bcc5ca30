"""Whatever is wrong with a spec is told with file, line and key, and all of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from .workshop import Workshop

COMMANDS = "commands/sample.yaml"
RESULTS = "results.yaml"
ENUMERATIONS = "enumerations.yaml"
ENVIRONMENT = "environment.yaml"


class Slip(NamedTuple):
    """One mistake, and what is said about it."""

    file: str
    old: str
    new: str
    key: str
    message: str
    #: Lines below the first that changes.
    below: int = 0


ASK = "commands[0]"
SAY = "commands[1]"

FORM = {
    "misspelt key": Slip(
        COMMANDS,
        "default: 2000",
        "defualt: 2000",
        f"{ASK}.arguments[1].defualt",
        "unknown key (did you mean 'default'?)",
    ),
    "unknown key": Slip(COMMANDS, "until: ", "zzz: ", f"{SAY}.zzz", "unknown key"),
    "key twice": Slip(
        COMMANDS,
        'since: "1.0"\n',
        'since: "1.0"\n    since: "1.2"\n',
        f"{ASK}.since",
        "the key stands here twice; the first is in line 7",
        below=1,
    ),
    "missing key": Slip(
        COMMANDS, "    source: nowhere\n", "", f"{SAY}.source", "is missing", below=-64
    ),
    "version as a number": Slip(
        COMMANDS,
        'since: "1.0"',
        "since: 1.0",
        f"{ASK}.since",
        "must be a text, and is 1.0; quote it",
    ),
    "no version": Slip(
        COMMANDS, 'since: "1.0"', 'since: "new"', f"{ASK}.since", "'new' is no version of Asterisk"
    ),
    "unknown type": Slip(
        COMMANDS,
        "type: milliseconds",
        "type: miliseconds",
        f"{ASK}.arguments[1].type",
        "(did you mean 'milliseconds'?)",
    ),
    "wrong kind in a union": Slip(
        COMMANDS,
        "when: {result: 0}",
        "when: {result: 1.5}",
        f"{SAY}.outcomes[0].when.result",
        "must be a whole number, a text, a list or a mapping, and is 1.5",
    ),
    "misspelt key in a union": Slip(
        COMMANDS,
        "{min: 35",
        "{mim: 35",
        f"{SAY}.outcomes[1].when.result.mim",
        "unknown key (did you mean 'min'?)",
    ),
    "yes for a text": Slip(
        COMMANDS,
        "word: LOUD",
        "word: on",
        f"{SAY}.arguments[4].word",
        "must be a text, and is true",
    ),
    "empty text": Slip(
        COMMANDS, "source: nowhere", 'source: ""', f"{SAY}.source", "must not be empty"
    ),
    "empty list": Slip(
        ENVIRONMENT,
        "environment:\n",
        "environment: []\nother:\n",
        "environment",
        "must not be empty",
    ),
    "lower-case command": Slip(
        COMMANDS, "command: SAY COLOUR", "command: say colour", f"{SAY}.command", "'say colour'"
    ),
    "tag of another language": Slip(
        COMMANDS,
        "source: nowhere",
        "source: !!python/name:os.system",
        f"{SAY}.source",
        "constructor",
    ),
    "NUL in a text": Slip(
        COMMANDS, "source: nowhere", 'source: "no\\0where"', f"{SAY}.source", "must not hold a NUL"
    ),
    "not a number": Slip(
        COMMANDS,
        "default: 255",
        "default: .nan",
        f"{ASK}.arguments[2].default",
        ".nan is no number",
    ),
    "infinite": Slip(
        COMMANDS,
        "range: [1, 1023]",
        "range: [1, .inf]",
        f"{ASK}.arguments[2].range[1]",
        ".inf is no number",
    ),
    "three limits": Slip(
        COMMANDS,
        "range: [1, 1023]",
        "range: [1, 2, 3]",
        f"{ASK}.arguments[2].range",
        "must have 2 items, and has 3",
    ),
    "list for a word": Slip(
        COMMANDS,
        "type: milliseconds",
        "type: [milliseconds]",
        f"{ASK}.arguments[1].type",
        "and is a list",
    ),
    "no digits of ours": Slip(
        COMMANDS,
        'since: "1.0"',
        'since: "\u0661.\u0660"',
        f"{ASK}.since",
        "is no version of Asterisk",
    ),
    "number as a key": Slip(COMMANDS, "until: ", "7: ", f"{SAY}.7", "'7' is no text, so no key"),
    "misspelt field key": Slip(
        RESULTS, "type: boolean", "typ: boolean", "results[0].fields[1].typ", "did you mean 'type'"
    ),
    "alias inside itself": Slip(
        RESULTS,
        "  - class: AskResult",
        "  - &a\n    x: *a\n    class: AskResult",
        "results[0].x",
        "an alias must not stand inside what it names",
        below=1,
    ),
}

NAMES = {
    "command twice": Slip(
        COMMANDS,
        "command: SAY COLOUR",
        "command: GET DATA\n    class: Other",
        f"{SAY}.command",
        "the command 'GET DATA' stands already in spec/commands/sample.yaml:4",
    ),
    "class twice": Slip(
        COMMANDS,
        "class: Ask",
        "class: SayColour",
        f"{SAY}.command",
        "the class 'SayColour' stands already in spec/commands/sample.yaml:5",
    ),
    "class is a result's": Slip(
        COMMANDS, "class: Ask\n", "class: AskResult\n", "results[0].class", "stands already in"
    ),
    "classes of one file": Slip(
        COMMANDS,
        "class: Ask\n",
        "class: SAYColour\n",
        f"{SAY}.command",
        "the module '_say_colour' stands already in spec/commands/sample.yaml:5",
    ),
    "constant twice": Slip(
        ENUMERATIONS,
        "constant: COLOUR_BLUE",
        "constant: COLOUR_RED",
        "enumerations[0].members[1].constant",
        "the constant 'COLOUR_RED' stands already in",
    ),
    "argument twice": Slip(
        COMMANDS,
        "name: timeout",
        "name: filename",
        f"{ASK}.arguments[1].name",
        "argument 'filename' stands already in arguments[0]",
    ),
    "field twice": Slip(
        RESULTS, "name: timed_out", "name: digits", "results[0].fields[1].name", "stands already in"
    ),
    "outcome twice": Slip(
        COMMANDS, "id: timed-out", "id: failed", f"{ASK}.outcomes[1].id", "stands here already"
    ),
    "attribute twice": Slip(
        ENVIRONMENT,
        "attribute: priority",
        "attribute: caller_id",
        "environment[1].attribute",
        "stands already in",
    ),
    "class breaks the module": Slip(
        COMMANDS, "class: Ask", "class: Action", f"{ASK}.class", "has a meaning in generated code"
    ),
    "class hides an exception": Slip(
        COMMANDS, "class: Ask", "class: AGIAppError", f"{ASK}.class", "has a meaning"
    ),
    "class hides a builtin": Slip(
        COMMANDS, "class: Ask", "class: ValueError", f"{ASK}.class", "has a meaning"
    ),
    **{
        f"argument {name}": Slip(
            COMMANDS, "name: timeout", f"name: {name}", f"{ASK}.arguments[1].name", f"'{name}'"
        )
        for name in (
            *("self", "assign", "class", "lambda", "command", "line", "_x", "int", "a-b"),
            *("agi", "ValueError", "\ufb01le"),
        )
    },
    **{
        f"constant {name}": Slip(
            ENUMERATIONS,
            "constant: COLOUR_RED",
            f"constant: {name}",
            "enumerations[0].members[0].constant",
            f"'{name}'",
        )
        for name in ("catalogue", "StrEnum", "ValueError", "_x", "class", "sample")
    },
    "argument named like the checks": Slip(
        COMMANDS, "name: timeout", "name: arguments", f"{ASK}.arguments[1].name", "has a meaning"
    ),
    "field is a keyword": Slip(
        RESULTS,
        "name: digits",
        "name: from",
        "results[0].fields[0].name",
        "cannot be a Python name",
    ),
    "member is a method": Slip(
        ENUMERATIONS,
        "name: RED",
        "name: upper",
        "enumerations[0].members[0].name",
        "cannot be the name of a member",
    ),
    "attribute of every environment": Slip(
        ENVIRONMENT, "attribute: priority", "attribute: raw", "environment[1].attribute", "'raw'"
    ),
}

ARGUMENTS = {
    "required after optional": Slip(
        COMMANDS,
        "        type: integer\n        range: [1, 1023]\n        default: 255\n",
        "        type: integer\n        range: [1, 1023]\n",
        f"{ASK}.arguments[2].name",
        "the required argument 'max_digits' follows the optional 'timeout'",
        below=-1,
    ),
    "default outside of the range": Slip(
        COMMANDS,
        "default: 255",
        "default: 5000",
        f"{ASK}.arguments[2].default",
        "5000 is outside of range: [1, 1023]",
    ),
    "default of another type": Slip(
        COMMANDS, "default: 255", 'default: "255"', f"{ASK}.arguments[2].default", "whole number"
    ),
    "default that cannot be sent": Slip(
        COMMANDS, "default: 2000", "default: null", f"{ASK}.arguments[1].default", "wire: omit"
    ),
    "range upside down": Slip(
        COMMANDS, "[1, 1023]", "[1023, 1]", f"{ASK}.arguments[2].range", "1023 is more than 1"
    ),
    "range of a text": Slip(
        COMMANDS,
        "allow_empty: false",
        "range: [1, 2]",
        f"{ASK}.arguments[0].range",
        "means nothing for an argument of type path",
    ),
    "unknown enumeration": Slip(
        COMMANDS,
        "enumeration: Colour",
        "enumeration: Color",
        f"{SAY}.arguments[0].enumeration",
        "there is no enumeration 'Color'",
    ),
    "default that is no key": Slip(
        COMMANDS,
        'type: digits\n        default: ""',
        'type: digits\n        default: "x"',
        f"{SAY}.arguments[1].default",
        "no telephone key",
        below=1,
    ),
    "filler without a word": Slip(
        COMMANDS,
        "        filler: '\"plain\"'\n",
        "",
        f"{SAY}.arguments[2].filler",
        "come together",
        below=-3,
    ),
    "omit with a value": Slip(
        COMMANDS,
        "wire: omit\n        default: null\n        max_bytes",
        "wire: omit\n        default: x\n        max_bytes",
        f"{SAY}.arguments[3].default",
        "wire: omit is for an argument with default: null",
        below=1,
    ),
    "always behind omit": Slip(
        COMMANDS,
        'prefix: "s="\n        wire: omit\n        default: null',
        'prefix: "s="\n        default: 1',
        f"{SAY}.arguments[5].wire",
        "'rest' is always sent, so 'zone' before it cannot be left out",
        below=-2,
    ),
    "flag without a word": Slip(
        COMMANDS, "        word: LOUD\n", "", f"{SAY}.arguments[4].word", "is missing", below=-2
    ),
    "flag that is always sent": Slip(
        COMMANDS, "        wire: skip\n", "", f"{SAY}.arguments[4].wire", "off_word", below=-3
    ),
    "since after until": Slip(
        COMMANDS, 'until: "23.0.0"', 'until: "1.1"', f"{SAY}.until", "is not after since"
    ),
    "prefix that is no word": Slip(
        COMMANDS, 'prefix: "s="', 'prefix: "  "', f"{SAY}.arguments[5].prefix", "printable ASCII"
    ),
    "filler of two words": Slip(
        COMMANDS,
        "filler: '\"plain\"'",
        "filler: plain words",
        f"{SAY}.arguments[2].filler",
        "must be one word",
    ),
    "filler that ends the line": Slip(
        COMMANDS,
        "filler: '\"plain\"'",
        'filler: "x\\nHANGUP"',
        f"{SAY}.arguments[2].filler",
        "must be one word",
    ),
    "prefix that ends the line": Slip(
        COMMANDS, 'prefix: "s="', 'prefix: "s\\n="', f"{SAY}.arguments[5].prefix", "printable ASCII"
    ),
    "flag that ends the line": Slip(
        COMMANDS, "word: LOUD", 'word: "LOUD\\nHANGUP"', f"{SAY}.arguments[4].word", "a line feed"
    ),
    "value that ends the line": Slip(
        ENUMERATIONS,
        "value: blue",
        'value: "blue\\nHANGUP"',
        "enumerations[0].members[1].value",
        "a line feed",
    ),
    "choice that ends the line": Slip(
        COMMANDS,
        "enumeration: Colour",
        'values: [red, "blue\\nHANGUP"]',
        f"{SAY}.arguments[0].values[1]",
        "a line feed",
    ),
    "default that the class refuses": Slip(
        COMMANDS,
        "type: path\n        allow_empty: false",
        "type: label\n        default: 5x",
        f"{ASK}.arguments",
        "the defaults do not work: ValueError: Ask(filename='5x')",
        below=-2,
    ),
    "interrupted with what is no reply": Slip(
        COMMANDS,
        "reply: null",
        "reply: nothing",
        f"{ASK}.interrupted[0].reply",
        "'nothing' is no reply",
    ),
    "joined with nothing": Slip(
        COMMANDS, "wire: skip", "wire: joined", f"{SAY}.arguments[4].wire", "type callerid"
    ),
}

OUTCOMES = {
    "no example": Slip(
        COMMANDS,
        '        examples: [{line: "200 result=55", gives: {digit: "7"}}]\n',
        "",
        f"{SAY}.outcomes[1].examples",
        "outcome 'digit' has no example",
        below=-3,
    ),
    "unknown result": Slip(
        COMMANDS,
        "result: AskResult",
        "result: Answer",
        f"{ASK}.result",
        "there is no result 'Answer'",
    ),
    "gives an unknown field": Slip(
        COMMANDS,
        "gives: {digits: $result, timed_out: true}",
        "gives: {digits: $result, timed_out: true, digit: null}",
        f"{ASK}.outcomes[1].gives.digit",
        "AskResult has no field 'digit' (it has digits, timed_out)",
    ),
    "misses a field": Slip(
        COMMANDS,
        "gives: {digits: $result, timed_out: true}",
        "gives: {digits: $result}",
        f"{ASK}.outcomes[1].gives",
        "does not give timed_out",
    ),
    "gives a wrong type": Slip(
        COMMANDS,
        "gives: {digits: $result, timed_out: true}",
        'gives: {digits: $result, timed_out: "yes"}',
        f"{ASK}.outcomes[1].gives.timed_out",
        "'yes' is no boolean",
    ),
    "example gives a wrong type": Slip(
        COMMANDS,
        'gives: {digits: "12", timed_out: true}',
        "gives: {digits: 12, timed_out: true}",
        f"{ASK}.outcomes[1].examples[0].gives.digits",
        "12 is no string; quote it",
    ),
    "example gives a wrong value": Slip(
        COMMANDS,
        'gives: {digits: "12", timed_out: true}',
        'gives: {digits: "13", timed_out: true}',
        f"{ASK}.outcomes[1].examples[0].gives.digits",
        "gives '12', and not '13'",
    ),
    "otherwise is not last": Slip(
        COMMANDS, "when: {result: -1}", "when: {}", f"{ASK}.outcomes[0].when", "must stand last"
    ),
    "never reached": Slip(
        COMMANDS,
        "when: {result: {min: 35, max: 68}}",
        "when: {result: 0, data: x}",
        f"{SAY}.outcomes[1].when",
        "'digit' is never reached: 'completed' takes every such reply",
    ),
    "example of another outcome": Slip(
        COMMANDS,
        '"200 result=12 (timeout)"',
        '"200 result=-1 (timeout)"',
        f"{ASK}.outcomes[1].examples[0].line",
        "is taken by the outcome 'failed' before",
    ),
    "example of no outcome": Slip(
        COMMANDS,
        '"200 result=55"',
        '"200 result=5"',
        f"{SAY}.outcomes[1].examples[0].line",
        "does not meet when",
    ),
    "example that is no reply": Slip(
        COMMANDS,
        '"200 result=55"',
        '"result=55"',
        f"{SAY}.outcomes[1].examples[0].line",
        "is no reply",
    ),
    "settle on a dead-legal command": Slip(
        COMMANDS,
        "extra_words: ignored",
        "dead: true",
        f"{ASK}.outcomes[0].settle",
        "legal on a dead channel",
        below=22,
    ),
    "unknown exception": Slip(
        COMMANDS,
        "raises: AGIAppError",
        "raises: AGIAppErorr",
        f"{ASK}.outcomes[0].raises",
        "did you mean 'AGIAppError'",
    ),
    "raises without a message": Slip(
        COMMANDS,
        "        message: the prompt cannot be played\n",
        "",
        f"{ASK}.outcomes[0].message",
        "is missing: what the exception says",
        below=-5,
    ),
    "provisional with a final code": Slip(
        COMMANDS,
        "        when: {result: {min: 35, max: 68}}\n        gives: {digit: $result}\n"
        '        examples: [{line: "200 result=55", gives: {digit: "7"}}]',
        "        when: {result: {min: 35, max: 68}}\n        provisional: true\n"
        '        examples: [{line: "200 result=55"}]',
        f"{SAY}.outcomes[1].when",
        "a provisional reply has code: 100",
    ),
    "code of the runtime": Slip(
        COMMANDS,
        "when: {result: {min: 35, max: 68}}",
        "when: {code: 520}",
        f"{SAY}.outcomes[1].when.code",
        "520 is the runtime's",
    ),
    "data that may be none": Slip(
        COMMANDS,
        "gives: {digits: $result, timed_out: false}",
        "gives: {digits: $data, timed_out: false}",
        f"{ASK}.outcomes[2].gives.digits",
        "needs data: true in when",
    ),
}

EXAMPLES = {
    "other bytes": Slip(
        COMMANDS,
        "wire: 'GET DATA \"beep\" 5000 4'",
        "wire: 'GET DATA \"beep\" 5000 5'",
        f"{ASK}.examples[1].wire",
        "sends 'GET DATA \"beep\" 5000 4'",
    ),
    "refused arguments": Slip(
        COMMANDS,
        "'Ask(\"beep\", 5000, 4)'",
        "'Ask(\"beep\", 5000, 4000)'",
        f"{ASK}.examples[1].python",
        "must be between 1 and 1023",
    ),
    "another class": Slip(
        COMMANDS,
        "'Ask(\"beep\", 5000, 4)'",
        "'SayColour(\"red\")'",
        f"{ASK}.examples[1].python",
        "an example is a call of Ask",
    ),
    "no Python": Slip(
        COMMANDS, "'Ask(\"beep\", 5000, 4)'", "'Ask('", f"{ASK}.examples[1].python", "SyntaxError"
    ),
    "other code": Slip(
        COMMANDS,
        "'Ask(\"beep\", 5000, 4)'",
        "'Ask(open(\"/etc/passwd\").read())'",
        f"{ASK}.examples[1].python",
        "cannot be called in an example",
    ),
    "no sentence": Slip(
        COMMANDS, "collect keys.", "collect keys", f"{ASK}.summary", "ends in a period"
    ),
    "a docstring's end": Slip(
        COMMANDS,
        "summary: Play a prompt and collect keys.",
        'summary: \'Play """ and collect keys.\'',
        f"{ASK}.summary",
        "three double quotes",
    ),
}


@pytest.mark.parametrize(
    "slip",
    [
        pytest.param(slip, id=name)
        for table in (FORM, NAMES, ARGUMENTS, OUTCOMES, EXAMPLES)
        for name, slip in table.items()
    ],
)
def test_error_names_file_line_and_key(slip: Slip, workshop: Workshop) -> None:
    line = workshop.edit(slip.file, slip.old, slip.new) + slip.below
    done = workshop.run()
    assert done.status == 2
    assert done.out == ""
    found = [text for text in done.problems if f": {slip.key}: " in text and slip.message in text]
    assert found, done.err
    # The result of a class that stands twice is told where it is noticed.
    if slip.old.count("\n") == 0 and "stands already" not in slip.message:
        assert found[0].startswith(f"spec/{slip.file}:{line}: "), done.err
    assert not workshop.out.exists()


def test_all_errors_come_at_once_and_in_order(workshop: Workshop) -> None:
    lines = [
        workshop.edit(COMMANDS, "default: 2000", "defualt: 2000"),
        workshop.edit(COMMANDS, 'until: "23.0.0"', 'until: "1.1"'),
        workshop.edit(
            COMMANDS, 'type: digits\n        default: ""', "type: digits\n        default: x"
        )
        + 1,
    ]
    attribute = workshop.edit(ENVIRONMENT, "attribute: priority", "attribute: raw")
    done = workshop.run()
    assert [text.partition(": ")[0] for text in done.problems] == [
        *(f"spec/{COMMANDS}:{line}" for line in lines),
        f"spec/{ENVIRONMENT}:{attribute}",
    ]
    assert done.err.endswith(f"codegen: 4 problems in {workshop.spec}; nothing was written\n")


def test_more_words_than_a_line_may_have(workshop: Workshop) -> None:
    one = "      - {{name: extra{}, type: string, about: More., wire: always}}\n"
    for count, said in ((122, []), (1, ["128 words with the command's own"])):
        at = workshop.sample.read_text().count("name: extra")
        more = "".join([one.format(number) for number in range(at, at + count)])
        line = workshop.edit(COMMANDS, "    arguments:\n", f"    arguments:\n{more}")
        found = workshop.run("--check").problems
        assert [text for text in found if "words with" in text] == [
            f"spec/{COMMANDS}:{line}: {ASK}.arguments: {text}, and Asterisk reads 127 of a line"
            for text in said
        ]


def test_an_alias_is_wrong_in_one_place_only(workshop: Workshop) -> None:
    workshop.edit(COMMANDS, "      - name: filename", "      - &name\n        name: self")
    workshop.edit(COMMANDS, "      - name: colour", "      - *name\n      - name: colour")
    done = workshop.run()
    assert len([text for text in done.problems if "'self'" in text]) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: is empty"),
        (b"# nothing but a comment\n", ":1: is empty"),
        (b"- a\n- b\n", ":1: must be a mapping"),
        (b"just text\n", ":1: must be a mapping"),
        (b"about: caf\xe9\n", ":1: is not UTF-8"),
        (b"about: x\n\xff\xfe", ":2: is not UTF-8"),
        (b"about: x\ncommands:\n\t- a: b\n", ":3: is no valid YAML"),
        (b"about: [\n", ":2: is no valid YAML"),
        (b"about: 'open\n", ":2: is no valid YAML"),
        (b"about: x\ra:\r\t- b\r", ":3: is no valid YAML"),
        (b"about: \x00\n", ":1: is no valid YAML"),
        (b"about: x\n---\nabout: y\n", ":2: is no valid YAML"),
        (b"about: *nobody\n", ":1: is no valid YAML"),
        (b"a: " + b"[" * 300_000 + b"\n", ":1: is nested too deeply"),
        (
            b"a0: &a0 [x, x]\n"
            + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (i, i, i - 1, i - 1) for i in range(1, 40)),
            ":1: holds aliases that stand for too much",
        ),
    ],
)
def test_file_that_is_no_spec(content: bytes, said: str, workshop: Workshop) -> None:
    workshop.sample.write_bytes(content)
    done = workshop.run()
    assert done.status == 2
    assert f"spec/{COMMANDS}{said}" in done.err
    assert len(done.problems) == 1
    assert "Traceback" not in done.err


def test_tabs_are_named(workshop: Workshop) -> None:
    workshop.sample.write_bytes(b"about: x\ncommands:\n\t- a: b\n")
    assert "spaces, never with tabs" in workshop.run().err


def test_missing_folders(workshop: Workshop) -> None:
    workshop.sample.unlink()
    assert "spec/commands: holds no .yaml file" in workshop.run().err
    workshop.sample.parent.rmdir()
    assert "needs a folder of command files" in workshop.run().err
    workshop.spec = workshop.spec / "nowhere"
    done = workshop.run()
    assert done.status == 2
    assert "there is no such folder" in done.err


def test_misplaced_files(workshop: Workshop) -> None:
    (workshop.spec / "result.yaml").write_text("results: []\n")
    (workshop.sample.parent / "more.yml").write_text("about: x\n")
    (workshop.sample.parent / "MORE.YAML").write_text("about: x\n")
    (workshop.sample.parent / "results.yaml").write_bytes(workshop.sample.read_bytes())
    done = workshop.run()
    assert "spec/result.yaml: is none of results.yaml" in done.err
    assert "spec/commands/more.yml: the ending must be .yaml" in done.err
    assert "spec/commands/MORE.YAML: the ending must be .yaml" in done.err
    assert "'results' cannot be the name of a module here" in done.err
