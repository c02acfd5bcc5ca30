"""Fuzz the protocol, guided by coverage: ``python tests/fuzz/fuzz_protocol.py --seconds 60``.

It needs atheris (``pip install atheris``), and the package installed or on PYTHONPATH. An input
that finds something is put into the corpus, which the tests replay; ``--replay`` does so here.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
CORPUS = FOLDER / "corpus"


def main() -> int:
    """Run the fuzzer; the exit status is not 0 when it found something."""
    parser = argparse.ArgumentParser(description="Fuzz the protocol, guided by coverage.")
    parser.add_argument("--seconds", type=int, default=60, help="how long to look (60)")
    parser.add_argument("--replay", action="store_true", help="only play what is in the corpus")
    parser.add_argument("--keep", type=Path, help="a folder for inputs that reach something new")
    options = parser.parse_args()
    sys.path.insert(0, str(FOLDER))
    if options.replay:
        return replay()
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        print(
            "fuzz_protocol: atheris is not installed: pip install atheris (it has wheels for "
            "Linux). --replay works without it.",
            file=sys.stderr,
        )
        return 2
    with atheris.instrument_imports(include=["pystrix_typed"]):
        target = importlib.import_module("target")
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [
            sys.argv[0],
            str(options.keep or scratch),
            str(CORPUS),
            f"-max_total_time={options.seconds}",
            "-max_len=2048",
            "-timeout=10",
            f"-artifact_prefix={CORPUS}/found-",
        ]
        atheris.Setup(arguments, target.play)
        atheris.Fuzz()
    return 0


def replay() -> int:
    """Play what is in the corpus."""
    target = importlib.import_module("target")
    files = sorted(CORPUS.iterdir())
    began = time.monotonic()
    for file in files:
        target.play(file.read_bytes())
    print(f"{len(files)} inputs in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
