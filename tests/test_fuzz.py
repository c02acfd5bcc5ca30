"""What the fuzzer starts from, and what it once found, played again."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzz.target import play

FOLDER = Path(__file__).parent / "fuzz"
CORPUS = sorted((FOLDER / "corpus").iterdir())


@pytest.mark.parametrize("file", CORPUS, ids=[file.name for file in CORPUS])
def test_corpus(file: Path) -> None:
    play(file.read_bytes())


@pytest.mark.parametrize("file", CORPUS, ids=[file.name for file in CORPUS])
def test_corpus_changed_a_little(file: Path) -> None:
    """Not guided by coverage, but everywhere and at once."""
    chance = random.Random(file.name)
    for _ in range(20):
        data = bytearray(file.read_bytes())
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data))
            piece = chance.choice(
                [b"", b"\n", b")", b"\xfc", b"\xfd", b"\xfe", b"\xff", b"HANGUP\n"]
            )
            data[at : at + chance.randrange(3)] = piece
        play(bytes(data))


def test_runner_replays() -> None:
    run = subprocess.run(
        [sys.executable, str(FOLDER / "fuzz_protocol.py"), "--replay"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert f"{len(CORPUS)} inputs" in run.stdout


def test_runner_says_what_is_missing() -> None:
    """Isolated from what may be installed."""
    code = (
        "import sys; sys.modules['atheris'] = None; sys.argv = ['fuzz']; "
        f"sys.path.insert(0, {str(FOLDER)!r}); import fuzz_protocol; sys.exit(fuzz_protocol.main())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "atheris is not installed" in run.stderr
