"""One AGI script: everything that must be so for Asterisk to start it, and how long that takes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from pystrix_typed.cli.finding import Finding
from pystrix_typed.cli.permissions import barrier, may

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pystrix_typed.cli.permissions import User

__all__ = ["examine"]

#: What a script finds in its environment when nothing is known of Asterisk's.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_PACKAGE = b"pystrix_typed"
_OLDEST = (3, 11)
_LIMIT = 20.0
_ROUNDS = 5
#: Milliseconds that importing may take; more is a start without compiled files.
_SLOW = 50.0

#: Runs in the script's Python, which may be any, with the script as its argument.
_PROBE = """
import json, sys
told = {"version": list(sys.version_info[:3]), "package": "", "why": "", "syntax": ""}
try:
    import pystrix_typed.agi
    told["package"] = pystrix_typed.__version__
except Exception:
    told["why"] = "%s: %s" % (sys.exc_info()[0].__name__, sys.exc_info()[1])
try:
    with open(sys.argv[1], "rb") as file:
        compile(file.read(), sys.argv[1], "exec")
except SyntaxError:
    told["syntax"] = "%s (line %s)" % (sys.exc_info()[1].msg, sys.exc_info()[1].lineno)
print(json.dumps(told))
"""
_IMPORT = "from pystrix_typed import agi; agi.AGI; agi.core.Answer"


class _Told(TypedDict):
    version: list[int]
    package: str
    why: str
    syntax: str


class _Starter(NamedTuple):
    """How a script's interpreter is run as Asterisk runs it."""

    command: list[str]
    folder: Path
    environment: Mapping[str, str]
    user: User | None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it.

        Raises:
            OSError: It cannot be started.
            subprocess.SubprocessError: It does not end.
        """
        # Only root can be somebody else; others find out what they themselves may do.
        other = self.user if os.geteuid() == 0 else None
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
            user=None if other is None else other.uid,
            group=None if other is None else other.gid,
            extra_groups=None if other is None else sorted(other.groups),
        )


def examine(
    script: Path, user: User | None, environment: Mapping[str, str] | None, *, asked: bool
) -> list[Finding]:
    """Look at a script.

    Args:
        script: The script.
        user: Who Asterisk runs as; None if that is not known.
        environment: Asterisk's environment; None if it is not known.
        asked: Whether somebody named it, so that it is to be one that works with this package.
            Otherwise that is so if it names the package.
    """
    return list(_findings(script, user, environment or _ENVIRONMENT, asked=asked))


def _findings(
    script: Path, user: User | None, environment: Mapping[str, str], *, asked: bool
) -> Iterator[Finding]:
    try:
        head = _head(script)
        yield from _permissions(script, user)
    except FileNotFoundError:
        yield _problem(f"{script} is not there", "look at the path; AGI() wants it from the root")
        return
    except IsADirectoryError:
        yield _problem(f"{script} is a folder", "name the script in it")
        return
    except OSError as error:
        yield _problem(f"{script} cannot be read: {error.strerror}", "run this as root")
        return
    if head.startswith(b"\x7fELF"):
        return
    line = head.partition(b"\n")[0]
    if line.startswith(b"\xef\xbb\xbf#!"):
        yield _problem(
            f"{script} begins with a byte order mark", f"sed -i '1s/^\\xEF\\xBB\\xBF//' {script}"
        )
        return
    if not line.startswith(b"#!"):
        yield _problem(
            f"{script} does not begin with #!, so Linux cannot start it",
            "make its first line name its Python: #!/opt/ivr/bin/python",
        )
        return
    if line.endswith(b"\r"):
        yield _problem(
            f"{script} has the line ends of Windows, which become a part of the Python's name",
            f"sed -i 's/\\r$//' {script}",
        )
        return
    first = os.fsdecode(line[2:]).strip()
    command = _command(first, environment)
    if isinstance(command, Finding):
        yield command._replace(text=f"{script}: {command.text}")
        return
    if not Path(command[0]).name.startswith(("python", "pypy")):
        return
    if user is None and os.geteuid() == 0 and not asked:
        # Whoever may write into the folder would have a program run as root.
        yield Finding(
            "script",
            "warning",
            f"{script}: its Python, {command[0]}, is not tried, for it would be as root",
            "run this as the user that Asterisk is",
        )
        return
    starter = _Starter(command, script.resolve().parent, environment, user)
    yield from _python(script, starter, wanted=asked or _PACKAGE in script.read_bytes())


def _problem(text: str, advice: str) -> Finding:
    return Finding("script", "problem", text, advice)


def _head(script: Path) -> bytes:
    with script.open("rb") as file:
        return file.read(4096)


def _permissions(script: Path, user: User | None) -> Iterator[Finding]:
    if not script.stat().st_mode & 0o111:
        yield _problem(f"{script} is not executable", f"chmod +x {script}")
    elif user is not None:
        closed = barrier(user, script)
        if closed is not None:
            yield _problem(
                f"{user.name} may not enter {closed}, where {script.name} is",
                f"chmod o+x {closed}, or put the script elsewhere",
            )
        elif not may(user, script, "x"):
            yield _problem(f"{user.name} may not execute {script}", f"chmod a+x {script}")
        elif not may(user, script, "r"):
            yield _problem(f"{user.name} may not read {script}", f"chmod a+r {script}")


def _command(first: str, environment: Mapping[str, str]) -> list[str] | Finding:
    """Give what Linux runs for a first line, or what is wrong with it."""
    program, _, rest = first.partition(" ")
    rest = rest.strip()
    if Path(program).name != "env":
        if not Path(program).exists():
            return _problem(
                f"its Python, {program}, is not there", "name one that is in the first line"
            )
        if not os.access(program, os.X_OK):
            return _problem(f"its Python, {program}, cannot be run", f"chmod +x {program}")
        return [program, *([rest] if rest else [])]
    words = shlex.split(rest.removeprefix("-S")) if rest.startswith("-S") else [rest]
    if not words or not words[0]:
        return _problem(f"its first line, #!{first}, names no program", "name its Python there")
    path = environment.get("PATH", _ENVIRONMENT["PATH"])
    found = shutil.which(words[0], path=path)
    if found is None:
        return _problem(
            f"there is no {words[0]!r} on Asterisk's PATH, {path}",
            "name its Python by the whole path in the first line",
        )
    return [found, *words[1:]]


def _python(script: Path, starter: _Starter, *, wanted: bool) -> Iterator[Finding]:
    name = starter.command[0]
    try:
        done = starter.run("-c", _PROBE, str(script.resolve()))
    except (OSError, subprocess.SubprocessError) as error:
        yield _problem(f"{script}: its Python, {name}, does not start: {error}", "name another one")
        return
    try:
        told: _Told = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        yield _problem(f"{script}: its Python, {name}, says {said}", "name another one")
        return
    version = ".".join(map(str, told["version"]))
    if told["syntax"]:
        yield _problem(f"{script}: {told['syntax']}", f"mend it; its Python is {version}")
    if not wanted:
        return
    if tuple(told["version"][:2]) < _OLDEST:
        yield _problem(
            f"{script}: its Python, {name}, is {version}",
            "pystrix-typed needs 3.11 or newer: name such a one in the first line",
        )
    elif not told["package"]:
        yield _problem(
            f"{script}: its Python, {name}, cannot import pystrix_typed ({told['why']})",
            f"{name} -m pip install pystrix-typed, or name another Python in the first line",
        )
    else:
        yield _timed(script, starter, f"Python {version}, pystrix-typed {told['package']}")


def _timed(script: Path, starter: _Starter, what: str) -> Finding:
    bare = _milliseconds(starter, "pass")
    whole = _milliseconds(starter, _IMPORT)
    text = f"{script}: {what}; Python starts in {bare:.0f} ms, with the package in {whole:.0f} ms"
    if whole - bare < _SLOW:
        return Finding("script", "ok", text)
    advice = f"compile it once, as root: {starter.command[0]} -m compileall -q (the site-packages)"
    return Finding("script", "warning", text, advice)


def _milliseconds(starter: _Starter, code: str) -> float:
    """Measure how long a Python takes from its start to its end; the best of some."""
    took: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        starter.run("-c", code)
        took.append(time.perf_counter() - began)
    return min(took) * 1000
