"""``pystrix-typed commands``: the catalogue in a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pystrix_typed import cli
from pystrix_typed.agi.core.catalogue import COMMANDS


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["pystrix-typed", "commands", *words])
    monkeypatch.setenv("COLUMNS", "90")
    status = cli.main()
    out, err = capsys.readouterr()
    return status, out, err


def test_all_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = run(capsys, monkeypatch)
    assert status == 0
    for command in COMMANDS:
        assert f"  {command.name} " in out
        assert f" {command.class_name} " in out
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line != line.rstrip() or len(line) > 90] == []


def test_its_words_are_named_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = run(capsys, monkeypatch, "--help")
    # Which Typer's versions write differently when they are told how.
    assert "commands [OPTIONS] [WORDS]..." in out
    assert "[[" not in out


@pytest.mark.parametrize("command", COMMANDS, ids=[command.class_name for command in COMMANDS])
def test_an_entry_says_everything(
    command: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = run(capsys, monkeypatch, *command.name.lower().split())
    assert status == 0
    plain = "".join(out.split())
    wanted = [command.summary, command.source, *command.quirks, *command.documentation]
    wanted += [argument.name for argument in command.arguments]
    wanted += [argument.about for argument in command.arguments]
    wanted += [outcome.id for outcome in command.outcomes]
    wanted += [example.line for row in command.outcomes for example in row.examples]
    wanted += [example.wire for example in command.examples]
    for text in wanted:
        # A table puts its left column in between where a text is wrapped, but never the first one.
        assert "".join(text.split()) in plain
    assert run(capsys, monkeypatch, command.class_name)[1] == out


@pytest.mark.parametrize(
    "words",
    ["Stream File", "streamfile", "STREAM_FILE", "stream-file", "core.StreamFile", "StreamFile()"],
)
def test_a_command_is_found_as_people_write_it(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = run(capsys, monkeypatch, words)
    assert (status, out.partition("  ")[0]) == (0, "STREAM FILE")


def test_the_signature_is_as_it_would_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        "\nVerbose(message: str, level: int = 1) -> None\n"
        in run(capsys, monkeypatch, "verbose")[1]
    )
    _, out, _ = run(capsys, monkeypatch, "stream", "file")
    words = (
        "StreamFile(filename: str | PathLike[str], escape_digits: str | Iterable[str | int] = ''"
    )
    assert words in " ".join(out.split())


def test_words_are_searched_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = run(capsys, monkeypatch, "wildcard")
    names = [line.split("  ")[1] for line in out.splitlines() if line.startswith("  ")]
    assert status == 0
    assert "DATABASE DELTREE" in names
    assert "ANSWER" not in names


def test_what_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(capsys, monkeypatch, "steam", "file")
    assert (status, out) == (1, "")
    assert err.startswith("pystrix-typed: no AGI command is or mentions 'steam file'; did you mean")
    assert "stream file" in err
    status, out, err = run(capsys, monkeypatch, "--json", "nonsense")
    assert (status, json.loads(out)) == (1, [])
    assert err == "pystrix-typed: no AGI command is or mentions 'nonsense'\n"


def test_json_is_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = run(capsys, monkeypatch, "--json")
    data = json.loads(out)
    assert [entry["name"] for entry in data] == [command.name for command in COMMANDS]
    [entry] = json.loads(run(capsys, monkeypatch, "stream", "file", "--json")[1])
    assert entry["outcomes"][0]["when"]["results"] == ["-1"]
    assert entry["arguments"][0]["name"] == "filename"
