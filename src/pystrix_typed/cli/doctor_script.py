"""One AGI script: everything that must be so for Asterisk to start it, and how long that takes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
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
#: Seconds that measuring one thing goes on.
_PATIENCE = 2.0
#: Milliseconds that importing the package may take; more is a start without compiled files.
_SLOW = 50.0
#: Milliseconds that the other imports of a script may take.
_SLOW_IMPORTS = 100.0

#: Runs in the script's Python, which may be any, with the script as its argument.
_PROBE = """
import ast, json, sys
told = {
    "version": list(sys.version_info[:3]), "package": "", "why": "", "syntax": "", "imports": []
}
try:
    import pystrix_typed.agi
    told["package"] = pystrix_typed.__version__
except Exception:
    told["why"] = "%s: %s" % (sys.exc_info()[0].__name__, sys.exc_info()[1])
try:
    with open(sys.argv[1], "rb") as file:
        text = file.read()
    compile(text, sys.argv[1], "exec")
    if hasattr(ast, "unparse"):
        for node in ast.parse(text).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                told["imports"].append(ast.unparse(node))
except (SyntaxError, ValueError):
    error = sys.exc_info()[1]
    told["syntax"] = getattr(error, "msg", None) or str(error)
    if getattr(error, "lineno", None):
        told["syntax"] += " (line %s)" % error.lineno
print(json.dumps(told))
"""
_IMPORT = "from pystrix_typed import agi; agi.AGI; agi.core.Answer"


class _Told(TypedDict):
    version: list[int]
    package: str
    why: str
    syntax: str
    imports: list[str]


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
    found = list(_findings(script, user, environment or _ENVIRONMENT, asked=asked))
    if asked and not found:
        # No Python's: that it was looked at is all that there is to say.
        found.append(Finding("script", "ok", f"{script} may be started; it is no Python script"))
    return found


def _findings(
    script: Path, user: User | None, environment: Mapping[str, str], *, asked: bool
) -> Iterator[Finding]:
    try:
        if not script.is_dir() and not stat.S_ISREG(script.stat().st_mode):
            yield _problem(f"{script} is no file", "name the script")
            return
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
    wanted = asked or _PACKAGE in script.read_bytes()
    yield from _python(script, starter, wanted=wanted, asked=asked)


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
    if not program:
        return _problem("its first line, #!, names no program", "name its Python there")
    if Path(program).name != "env":
        if Path(program).is_dir():
            return _problem(f"its Python, {program}, is a folder", "name the program in it")
        if not Path(program).exists():
            return _problem(
                f"its Python, {program}, is not there", "name one that is in the first line"
            )
        if not os.access(program, os.X_OK):
            return _problem(f"its Python, {program}, cannot be run", f"chmod +x {program}")
        return [program, *([rest] if rest else [])]
    try:
        words = shlex.split(rest.removeprefix("-S")) if rest.startswith("-S") else [rest]
    except ValueError as error:
        return _problem(f"its first line, #!{first}, is not understood: {error}", "mend it")
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


def _python(script: Path, starter: _Starter, *, wanted: bool, asked: bool) -> Iterator[Finding]:
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
        what = f"Python {version}, pystrix-typed {told['package']}"
        others = (
            [each for each in told["imports"] if _PACKAGE.decode() not in each] if asked else []
        )
        yield _timed(script, starter, what, told["imports"] if others else [])


def _timed(script: Path, starter: _Starter, what: str, imports: list[str]) -> Finding:
    bare = _milliseconds(starter, "pass")
    package = _milliseconds(starter, _IMPORT)
    text = f"{script}: {what}; Python starts in {bare:.0f} ms, with the package in {package:.0f} ms"
    whole = package
    if imports:
        code = "\n".join([*imports, _IMPORT])
        try:
            done = starter.run("-c", code)
        except subprocess.TimeoutExpired:
            return _problem(f"{script}: its imports do not end in {_LIMIT:g} s", "look at them")
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            return _problem(
                f"{script}: its imports fail: {said}",
                f"look at them; {starter.command[0]} -m pip install brings what is missing",
            )
        whole = _milliseconds(starter, code)
        text += f", with all that it imports in {whole:.0f} ms"
    if package - bare >= _SLOW:
        advice = f"compile it once, as root: {starter.command[0]} -m compileall -q (site-packages)"
    elif whole - package >= _SLOW_IMPORTS:
        advice = "import where it is needed, or have a FastAGI server, which imports only once"
    else:
        return Finding("script", "ok", text)
    return Finding("script", "warning", text, advice)


def _milliseconds(starter: _Starter, code: str) -> float:
    """Measure how long a Python takes from its start to its end; the best of some."""
    took: list[float] = []
    while len(took) < _ROUNDS and sum(took) < _PATIENCE:
        began = time.perf_counter()
        starter.run("-c", code)
        took.append(time.perf_counter() - began)
    return min(took) * 1000
