"""A spec to spoil and a place to generate it to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codegen.__main__ import main

if TYPE_CHECKING:
    import pytest

__all__ = ["ROOT", "SAMPLE", "Run", "Workshop"]

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "spec"


class Run(NamedTuple):
    """How a run of the generator ended."""

    status: int
    out: str
    err: str

    @property
    def problems(self) -> list[str]:
        """The lines about the spec, without the summary."""
        return [line for line in self.err.splitlines() if not line.startswith("codegen: ")]


class Workshop:
    """A copy of the sample spec, and a folder for what is generated from it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.spec = folder / "spec"
        self.out = folder / "mine"
        self._capture = capture
        shutil.copytree(SAMPLE, self.spec)

    @property
    def sample(self) -> Path:
        """The file of commands."""
        return self.spec / "commands" / "sample.yaml"

    def run(self, *options: str) -> Run:
        """Run the generator on the spec."""
        status = main(["--spec", str(self.spec), "--out", str(self.out), *options])
        out, err = self._capture.readouterr()
        return Run(status, out, err)

    def edit(self, file: str, old: str, new: str) -> int:
        """Replace a text, the first of its kind; give the line where it stood."""
        path = self.spec / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return text[: text.index(old)].count("\n") + 1
