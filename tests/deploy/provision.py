"""Provide HAProxy and dnsmasq, from the distribution: ``python tests/deploy/provision.py``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

__all__ = ["PROGRAMS", "absent", "find", "main"]

#: The programs, and the packages of Debian and its relatives that bring them.
PROGRAMS = {"haproxy": "haproxy", "dnsmasq": "dnsmasq-base"}
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def find(program: str) -> str | None:
    """Give the path of a program, also where only root would look for it."""
    return shutil.which(program, path=_PATH)


def absent() -> list[str]:
    """Give the programs that are not here."""
    return [program for program in PROGRAMS if find(program) is None]


def main() -> int:
    """Install what is absent; give 1 if something still is."""
    for program in absent():
        print(f"installing {program} ...", file=sys.stderr, flush=True)
        problem = _install(PROGRAMS[program])
        if problem is not None:
            print(f"NOT TESTED: there is no {program}, and {problem}", file=sys.stderr)
    for program in PROGRAMS:
        if program not in absent():
            print(f"{program} is there: {find(program)}", file=sys.stderr)
    return 1 if absent() else 0


def _install(package: str) -> str | None:
    """Install a package; tell what prevents that."""
    if shutil.which("apt-get") is None:
        return "no apt-get to install it with"
    if os.geteuid() != 0:
        return "installing it needs root"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package],
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
        if done.returncode != 0:
            return f"`{' '.join(command)}` failed"
    return None


if __name__ == "__main__":
    sys.exit(main())
