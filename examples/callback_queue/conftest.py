"""A PostgreSQL for the tests: private, on a socket in a folder of its own, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
USER = "postgres"


def program(name: str) -> str:
    """Find one of PostgreSQL's programs, which Debian keeps off the path."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, PLACES)])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the address of a database."""
    pytest.importorskip("psycopg")
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    # It refuses to run as root, and the name of a socket must be short.
    user = USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = str(folder / "data")

        def run(*command: str) -> None:
            subprocess.run(
                command, user=user, cwd=folder, stdout=subprocess.DEVNULL, check=True, timeout=60
            )

        run(initdb, "-D", data, "-A", "trust", "-U", USER, "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run(pg_ctl, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql:///postgres?host={folder}&user={USER}"
        finally:
            run(pg_ctl, "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
