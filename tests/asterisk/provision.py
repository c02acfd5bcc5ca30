#!/usr/bin/env python3
"""Fetch a real Asterisk into a folder of its own, so that tests can put calls through it.

Two Debian suites carry the releases that matter: ``sid`` has Asterisk 22, ``bullseye`` has 16. Each
becomes a minimal root file system (some 500 MB) in a cache folder outside the working tree, made
once and shared by every checkout. ``exchange.py`` starts private instances from it and never writes
to it.

Run as a script (needs root): ``python tests/asterisk/provision.py`` for both, or name one. Other
modules import this one to learn where the trees are; importing does nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = [
    "RELEASES",
    "ProvisionError",
    "Release",
    "cache_folder",
    "installed_version",
    "provision",
    "system_environment",
]

CACHE_VARIABLE = "PYSTRIX_TYPED_ASTERISK_CACHE"
PACKAGES = "asterisk,asterisk-core-sounds-en-gsm,python3"
# What a module of one's own is compiled against. Installed, it would bring a hundred packages.
HEADERS = """\
cd /tmp
version=$(dpkg-query -W -f '${Version}' asterisk)
apt-get -q -o APT::Sandbox::User=root download "asterisk-dev=$version"
dpkg -x asterisk-dev_*.deb /
rm asterisk-dev_*.deb
"""


class ProvisionError(Exception):
    """An Asterisk could not be provisioned; the message is one line that says why."""


@dataclass(frozen=True)
class Release:
    """A release of Asterisk that the tests run against.

    Attributes:
        major: The version that is asked for, such as 22.
        suite: The Debian suite that carries it.
        newer: Whether a newer version will do as well (a suite that moves on).
        required: Whether a run that demands Asterisk fails without this one.
        has_python: Whether the tree's own Python can run the package, so that AGI scripts can be
            tested and not only FastAGI.
    """

    major: int
    suite: str
    newer: bool = False
    required: bool = False
    has_python: bool = False

    @property
    def root(self) -> Path:
        """Where the tree is, or would be."""
        return cache_folder() / self.suite

    def accepts(self, version: str) -> bool:
        """Tell whether a version, as in ``22.10.1``, serves as this release."""
        match = re.match(r"\d+", version)
        if match is None:
            return False
        found = int(match.group())
        return found >= self.major if self.newer else found == self.major


RELEASES = (
    Release(22, "sid", newer=True, required=True, has_python=True),
    Release(16, "bullseye"),
)


def cache_folder() -> Path:
    """Return the folder that holds the trees (it may not exist yet)."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "pystrix-typed" / "asterisk"


def system_environment() -> dict[str, str]:
    """Give the environment in which a superuser's programs are found (``chroot``, for one)."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}


def installed_version(root: Path) -> str | None:
    """Ask the Asterisk in a tree for its version.

    Returns:
        The version, as in ``22.10.1``, or None when there is no tree, no Asterisk in it, or no
        right to enter it.
    """
    if not (root / "usr" / "sbin" / "asterisk").exists():
        return None
    answer = subprocess.run(
        ["chroot", str(root), "asterisk", "-V"],
        env=system_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.search(r"Asterisk (\d[\d.]*)", answer.stdout)
    return match.group(1).rstrip(".") if answer.returncode == 0 and match else None


def provision(release: Release, *, force: bool = False) -> str:
    """Make sure that a release is there, and return its version.

    Building happens beside the final place, and a rename puts the finished tree there: a run that
    was interrupted leaves nothing that looks complete. A lock lets concurrent runs wait for each
    other.

    Args:
        release: What to provide.
        force: Build it anew even if it is there. A running exchange keeps the tree it has.

    Raises:
        ProvisionError: It could not be built, or the suite now has a version that will not do.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProvisionError(f"cannot create the cache folder {cache}: {error.strerror}") from error
    with _locked(cache / f"{release.suite}.lock", release):
        if not force:
            version = installed_version(release.root)
            if version is not None:
                _check(release, version)
                _say(release, f"{version} is there already: {release.root}")
                _fetch_headers(release, release.root)
                return version
        return _build(release, cache)


def _build(release: Release, cache: Path) -> str:
    if os.geteuid() != 0:
        raise ProvisionError("provisioning Asterisk needs root (debootstrap and chroot do)")
    debootstrap = _debootstrap()
    for leftover in cache.glob(f"{release.suite}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = cache / f"{release.suite}.partial-{os.getpid()}"
    log = cache / f"{release.suite}.log"
    _say(release, f"building {partial.name} from the suite {release.suite} (a minute or two) ...")
    began = time.monotonic()
    command = [
        debootstrap,
        "--variant=minbase",
        f"--include={PACKAGES}",
        release.suite,
        str(partial),
    ]
    try:
        with log.open("wb") as output:
            # A private mount namespace: the /proc that debootstrap mounts in the tree goes with it,
            # so an interrupted run leaves a folder that can simply be deleted.
            done = subprocess.run(
                ["unshare", "--mount", "--", *command],
                env=system_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise ProvisionError(f"debootstrap failed: {_last_error(log)} (all of it: {log})")
        version = installed_version(partial)
        if version is None:
            raise ProvisionError(f"the new tree has no Asterisk that answers (see {log})")
        _check(release, version)
        _fetch_headers(release, partial)
        shutil.rmtree(partial / "var" / "cache" / "apt" / "archives", ignore_errors=True)
        _replace(partial, release.root)
    finally:
        if partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
    _say(release, f"{version} ready after {time.monotonic() - began:.0f} s: {release.root}")
    return version


def _fetch_headers(release: Release, tree: Path) -> None:
    """Unpack Asterisk's headers in a tree that lacks them; all but one test can do without."""
    if (tree / "usr" / "include" / "asterisk.h").exists():
        return
    done = subprocess.run(
        ["chroot", str(tree), "sh", "-e", "-c", HEADERS],
        env=system_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        _say(release, f"WARNING: no headers, so no module can be compiled for it: {reason}")


def _debootstrap() -> str:
    """Find debootstrap, installing it where that is possible."""
    found = shutil.which("debootstrap", path=system_environment()["PATH"])
    if found:
        return found
    if shutil.which("apt-get") is None:
        raise ProvisionError("debootstrap is missing and there is no apt-get to install it with")
    print("installing debootstrap ...", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        # Another installation may be under way, as when a machine has just started.
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "debootstrap"],
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
        if done.returncode != 0:
            raise ProvisionError(f"debootstrap is missing and `{' '.join(command)}` failed")
    found = shutil.which("debootstrap", path=system_environment()["PATH"])
    if found is None:
        raise ProvisionError("debootstrap was installed but cannot be found")
    return found


def _replace(new: Path, place: Path) -> None:
    """Put a finished tree in its place; what was there goes only after the new one is there."""
    old = place.with_name(f"{place.name}.partial-old-{os.getpid()}")
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _check(release: Release, version: str) -> None:
    if not release.accepts(version):
        wanted = f"{release.major} or newer" if release.newer else str(release.major)
        raise ProvisionError(
            f"suite {release.suite} has Asterisk {version}, but {wanted} is needed"
        )


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or ["it said nothing"])[-1]


@contextlib.contextmanager
def _locked(path: Path, release: Release) -> Generator[None, None, None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(release, "another run is at it, waiting ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(release: Release, message: str) -> None:
    print(f"asterisk {release.major}: {message}", file=sys.stderr, flush=True)


def _provision_all(wanted: Sequence[Release], *, force: bool) -> dict[Release, str]:
    """Provision side by side; return the failures, each in one line."""
    failures: dict[Release, str] = {}

    def work(release: Release) -> None:
        try:
            provision(release, force=force)
        except (ProvisionError, OSError) as error:
            failures[release] = str(error)

    if any(force or installed_version(release.root) is None for release in wanted):
        try:
            _debootstrap()  # once, before the threads: apt does not like company
        except ProvisionError as error:
            return dict.fromkeys(wanted, str(error))
    threads = [threading.Thread(target=work, args=(release,)) for release in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    known = {release.major: release for release in RELEASES}
    parser = argparse.ArgumentParser(
        prog="provision.py",
        description="Provision the Asterisk releases that the tests in tests/asterisk run against.",
        epilog=f"The trees are in {cache_folder()}; set {CACHE_VARIABLE} to keep them elsewhere.",
    )
    parser.add_argument(
        "majors",
        metavar="VERSION",
        nargs="*",
        type=int,
        help=f"which releases: any of {', '.join(map(str, known))} (default: all)",
    )
    parser.add_argument("--force", action="store_true", help="build again what is there already")
    options = parser.parse_args(arguments)
    majors: list[int] = options.majors or list(known)
    for major in majors:
        if major not in known:
            parser.error(f"no Asterisk {major} here, only {', '.join(map(str, known))}")
    wanted = [known[major] for major in dict.fromkeys(majors)]
    failures = _provision_all(wanted, force=options.force)
    for release, reason in failures.items():
        _say(release, f"ERROR: {reason}")
    fatal = [release for release in failures if release.required or len(wanted) == 1]
    for release in failures:
        if release not in fatal:
            print(
                f"WARNING: going on without Asterisk {release.major}; if the suite "
                f"{release.suite} has been archived, this release can no longer be tested",
                file=sys.stderr,
            )
    return 1 if fatal else 0


if __name__ == "__main__":
    sys.exit(main())
