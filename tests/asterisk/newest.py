"""Run the tests with the Python of a provisioned Asterisk's system, newer than what is here.

``python -m tests.asterisk.newest WHEEL [pytest arguments]`` installs the wheel, with all its extras
and what the tests need, in an environment of that system's own, and runs the tests in it, but for
those that need an exchange or build archives. Without such a system it says so, and ends with 2.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .isolation import INSIDE, why_not_possible
from .provision import RELEASES, installed_version, system_environment

ROOT = Path(__file__).resolve().parents[2]
#: What is not about the Python that runs.
LEFT_OUT = ("tests/asterisk", "tests/deploy", "tests/peers", "tests/test_packaging.py")
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".nox", ".venv", ".*_cache", "__pycache__", "build", "dist", "node_modules"
)
EXTRAS = "cli,codegen,metrics,otel,testing,uvloop"


def why_not() -> str | None:
    """Say why the tests cannot run there, in a few words; None if they can."""
    release = RELEASES[0]
    if reason := why_not_possible():
        return reason
    if installed_version(release.root) is None:
        return f"Asterisk {release.major} is not provisioned (tests/asterisk/provision.py)"
    return None


def python_of(tree: Path) -> str:
    """Give the version of a system's Python, as in ``3.14``."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run(
        ["chroot", str(tree), "python3", "-c", program],
        env=system_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def prepare(folder: Path, wheel: Path, version: str) -> None:
    """Install what is needed in a folder, and put the tests beside it."""
    packages = folder / "venv" / "lib" / f"python{version}" / "site-packages"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(packages)]
    command += ["--python-version", version, "--only-binary", ":all:"]
    subprocess.run([*command, f"{wheel}[{EXTRAS}]", "--group", "tests"], cwd=ROOT, check=True)
    shutil.copytree(ROOT, folder / "source", ignore=NOT_COPIED)


def run(folder: Path, tree: Path, arguments: list[str]) -> int:
    """Run the tests in the tree, which is read-only to them; give pytest's exit status."""
    here, place = shlex.quote(str(tree)), f"{INSIDE}/venv"
    packages = f"{place}/lib/python{python_of(tree)}/site-packages"
    path = f"{place}/bin:{packages}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    tests = ["python", "-m", "pytest", *(f"--ignore={each}" for each in LEFT_OUT), *arguments]
    inner = [
        f"python3 -m venv --without-pip {place}",
        f"cd {INSIDE}/source",
        f"exec {shlex.join(tests)}",
    ]
    environment = f"PATH={path} HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1"
    script = [
        f"mount --bind {here} {here}",
        f"mount -o remount,bind,ro {here}",
        f"mount -t proc proc {here}/proc",
        f"mount --rbind /dev {here}/dev",
        f"mount -t tmpfs tmpfs {here}/tmp",
        f"mount --bind {shlex.quote(str(folder))} {here}{INSIDE}",
        f"exec chroot {here} env -i {environment} sh -c {shlex.quote(' && '.join(inner))}",
    ]
    command = ["unshare", "--mount", "sh", "-c", " && ".join(script)]
    return subprocess.run(command, env=system_environment(), check=False).returncode


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    if not arguments or not arguments[0].endswith(".whl"):
        print(__doc__, file=sys.stderr)
        return 2
    wheel = Path(arguments[0]).resolve()
    if reason := why_not():
        print(f"The tests do not run with a newer Python here: {reason}", file=sys.stderr)
        return 2
    tree = RELEASES[0].root
    version = python_of(tree)
    print(f"Python {version}, of the system that Asterisk was provisioned in", flush=True)
    with tempfile.TemporaryDirectory(prefix="newest-") as folder:
        prepare(Path(folder), wheel, version)
        return run(Path(folder), tree, arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
