"""How the documentation of each provisioned Asterisk differs from the catalogue, and must differ.

``python -m tests.asterisk.drift`` prints what ``pystrix-typed check`` finds in each. The newest
release is what the spec describes, so there is nothing to tell about it; what is to tell about an
older one stands here, word for word.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pystrix_typed.agi.core.catalogue import COMMANDS, ENUMERATIONS
from pystrix_typed.cli import check
from pystrix_typed.cli.documentation import DEFAULT, read
from pystrix_typed.cli.drift import compare

from .provision import RELEASES, Release

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EXPECTED", "documentation_of", "listing"]

#: What the spec records and the documentation of 16 and 22 alike get wrong.
KNOWN = [
    "NOOP: parameter 1, 'note', is not in the documentation",
    "SAY ALPHA: parameter 3, 'case', is not in the documentation",
    "SET MUSIC: 'class' is required in the documentation, optional in the catalogue",
    "SPEECH CREATE: 'engine' is required in the documentation, optional in the catalogue",
    (
        "TDD MODE: 'boolean' is one of off, on in the documentation, one of mate, off, on in the "
        "catalogue"
    ),
]

#: The whole account of each release, a line for each thing.
EXPECTED = {
    22: [
        "47 commands compared",
        *sorted(
            [
                *[f"known: {line}" for line in KNOWN],
                "known: ASYNCAGI BREAK: since 1.8.0 in the documentation, 1.6.0 in the catalogue",
            ]
        ),
    ],
    # Its 47 commands and their parameters are those of 22, without the versions.
    16: [
        "47 commands compared",
        "This documentation does not say which version brought what, so that was not compared.",
        *[f"known: {line}" for line in KNOWN],
    ],
}


def documentation_of(release: Release) -> Path:
    """Give the place of a release's documentation."""
    return release.root / DEFAULT.removeprefix("/")


def listing(path: Path) -> list[str]:
    """Give what a comparison tells, in the form of `EXPECTED`."""
    report = compare(read(path), COMMANDS, ENUMERATIONS)
    return [
        f"{report.compared} commands compared",
        *report.notes,
        *[f"new: {entry.command}: {entry.difference}" for entry in report.differences],
        *[f"known: {entry.command}: {entry.difference}" for entry in report.known],
    ]


def main() -> int:
    """Print what differs in each release; 1 when it is unexpected, 2 when it is not here."""
    status, found = 0, False  # found: the one that must be there
    for release in RELEASES:
        path = documentation_of(release)
        if not path.exists():
            print(f"Asterisk {release.major} is not provisioned", file=sys.stderr)
            continue
        found |= release.required
        print(f"Asterisk {release.major}:")
        check.check(path)
        if listing(path) != EXPECTED[release.major]:
            print("which is not what tests/asterisk/drift.py expects", file=sys.stderr)
            status = 1
    return status if found else 2


if __name__ == "__main__":
    sys.exit(main())
