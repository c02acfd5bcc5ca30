"""The Asterisk of this machine: where it is, whether it runs, what is loaded, where scripts are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pystrix_typed.cli import console
from pystrix_typed.cli.finding import Finding
from pystrix_typed.cli.permissions import User, barrier
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Machine", "look"]

CONFIGURATIONS = ("/etc/asterisk/asterisk.conf", "/usr/local/etc/asterisk/asterisk.conf")
PROGRAMS = ("/usr/sbin", "/usr/local/sbin", "/opt/asterisk/sbin")
RUN_FOLDERS = ("/run/asterisk", "/var/run/asterisk")
#: Debian's, and the one that Asterisk comes with.
AGI_FOLDERS = ("/usr/share/asterisk/agi-bin", "/var/lib/asterisk/agi-bin")
#: The oldest that this package was compared with.
_OLDEST = 16
_LIMIT = 20.0


class Machine(NamedTuple):
    """What was found.

    Attributes:
        findings: What there is to say of it.
        user: Who Asterisk runs as, if that is known.
        environment: The environment of the running one, which scripts get; None if it is not known.
        agi_bin: Where ``AGI(name)`` looks for scripts, if that is a folder.
        console: The folder with the control socket of the running one, if it may be asked.
    """

    findings: list[Finding]
    user: User | None
    environment: Mapping[str, str] | None
    agi_bin: Path | None
    console: Path | None


class _Settings(NamedTuple):
    file: Path | None
    folders: Mapping[str, str]
    user: str


class _Running(NamedTuple):
    finding: Finding
    pid: int = 0
    uid: int = -1
    folder: Path | None = None


def look(given: Path | None) -> Machine:
    """Look at the Asterisk of this machine.

    Args:
        given: Its ``asterisk.conf``, or the folder with it; None for where it usually is.

    Raises:
        Problem: What was given is not there.
    """
    settings = _settings(given)
    # A usual asterisk.conf may be Asterisk's own to write: as root, nothing that it names is run.
    program = _program(settings.folders.get("astsbindir") if given is not None else None)
    running = _running(settings)
    if program is None and settings.file is None and running.pid == 0 and running.folder is None:
        nothing = Finding(
            "asterisk",
            "warning",
            "there is no Asterisk on this machine",
            "an AGI script needs one here; a FastAGI server does not: check it with --server",
        )
        return Machine([nothing], None, None, None, None)
    findings = [_version(program)]
    if settings.file is not None:
        findings.append(Finding("configuration", "ok", f"{settings.file}"))
    findings.append(running.finding)
    if running.finding.status == "ok" and running.folder is not None:
        findings.append(_module(running.folder))
    user = _user(settings, running)
    if user is not None:
        text = f"Asterisk's user is {user.name}"
        if os.geteuid() not in {0, user.uid}:
            text += "; what it may start is tried as this user, who is another one"
        findings.append(Finding("user", "ok", text))
    else:
        findings.append(
            Finding("user", "warning", "nothing says which user Asterisk is", "see runuser in "
                    "asterisk.conf, or User= in its service; what may be read is not checked")
        )  # fmt: skip
    folder = _agi_folder(settings, running, explicit=given is not None)
    findings.append(_agi_bin(folder, user))
    usable = folder is not None and folder.is_dir()
    asked = running.folder if running.finding.status == "ok" else None
    return Machine(findings, user, _environment(running.pid), folder if usable else None, asked)


def _settings(given: Path | None) -> _Settings:
    if given is not None:
        file = given / "asterisk.conf" if given.is_dir() else given
        try:
            return _read(file)
        except OSError as error:
            raise Problem(f"cannot read {file}: {error.strerror}", status=2) from None
    for name in CONFIGURATIONS:
        try:
            return _read(Path(name))
        except OSError:
            continue
    return _Settings(None, {}, "")


def _read(file: Path) -> _Settings:
    folders: dict[str, str] = {}
    user = ""
    section = ""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        text = re.sub(r"(^|\s);.*", "", line).strip()
        if head := re.match(r"\[([^]]*)\](\(.*!.*\))?", text):
            # Asterisk passes over a template, as Debian's file marks its directories.
            section = "" if head[2] else head[1].lower()
        elif pair := re.match(r"(\w+)\s*=>?\s*(.*)", text):
            if section == "directories":
                folders[pair[1].lower()] = pair[2]
            elif section == "options" and pair[1].lower() == "runuser":
                user = pair[2]
    return _Settings(file, folders, user)


def _program(given: str | None) -> str | None:
    places = [*([given] if given else []), *os.environ.get("PATH", "").split(os.pathsep), *PROGRAMS]
    return shutil.which("asterisk", path=os.pathsep.join(places))


def _version(program: str | None) -> Finding:
    if program is None:
        return Finding("asterisk", "warning", "the program asterisk is not on the PATH")
    try:
        done = subprocess.run(
            [program, "-V"], capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("asterisk", "problem", f"{program} does not run: {error}", "reinstall it")
    found = re.search(r"Asterisk (?:certified/)?((\d+)\S*)", done.stdout)
    if found is None:
        said = (done.stdout + done.stderr).strip().partition("\n")[0]
        return Finding("asterisk", "problem", f"{program} -V says {said!r}", "reinstall it")
    if int(found[2]) < _OLDEST:
        return Finding(
            "asterisk",
            "warning",
            f"{program} is Asterisk {found[1]}",
            f"what this package says of Asterisk was compared with {_OLDEST} and newer",
        )
    return Finding("asterisk", "ok", f"{program} is Asterisk {found[1]}")


def _running(settings: _Settings) -> _Running:
    given = settings.folders.get("astrundir")
    folders = [Path(name) for name in ([given] if given else RUN_FOLDERS)]
    for folder in folders:
        try:
            answer = console.ask(folder, "core show version")
        except FileNotFoundError:
            continue
        except PermissionError:
            text = f"{folder / console.SOCKET} may not be asked by this user"
            return _Running(
                Finding("running", "warning", text, "run this as root, or as Asterisk's user"),
                folder=folder,
            )
        except OSError as error:
            text = f"Asterisk does not answer at {folder / console.SOCKET}: {error}"
            return _Running(
                Finding("running", "problem", text, "start it: systemctl start asterisk"),
                folder=folder,
            )
        found = re.match(r"Asterisk (\S+)", answer.text)
        text = f"Asterisk {found[1]} runs" if found else "Asterisk runs"
        if answer.pid:
            text += f", process {answer.pid}"
        return _Running(Finding("running", "ok", text), answer.pid, answer.uid, folder)
    where = " or ".join([str(folder) for folder in folders])
    return _Running(
        Finding(
            "running",
            "warning",
            f"no Asterisk runs: there is no {console.SOCKET} in {where}",
            "start it: systemctl start asterisk",
        )
    )


def _module(folder: Path) -> Finding:
    name = "res_agi.so"
    try:
        shown = console.ask(folder, f"module show like {name}").text
    except OSError as error:
        return Finding("module", "warning", f"whether {name} is loaded is not known: {error}")
    if re.search(rf"^{re.escape(name)} .*\bRunning\b", shown, re.MULTILINE):
        return Finding("module", "ok", f"{name}, which brings AGI(), is loaded")
    return Finding(
        "module",
        "problem",
        f"{name}, which brings AGI(), is not loaded",
        f"asterisk -rx 'module load {name}', and look at noload and autoload in modules.conf",
    )


def _user(settings: _Settings, running: _Running) -> User | None:
    if running.uid >= 0:
        return User.numbered(running.uid)
    return User.named(settings.user or "asterisk")


def _agi_folder(settings: _Settings, running: _Running, *, explicit: bool) -> Path | None:
    configured = settings.folders.get("astagidir")
    if running.folder is not None and running.finding.status == "ok" and not explicit:
        try:
            shown = console.ask(running.folder, "core show settings").text
        except OSError:
            shown = ""
        if found := re.search(r"AGI Scripts directory: +(\S.*)", shown):
            configured = found[1].strip()
    if configured:
        return Path(configured)
    for name in AGI_FOLDERS:
        if Path(name).is_dir():
            return Path(name)
    return None


def _agi_bin(folder: Path | None, user: User | None) -> Finding:
    if folder is None:
        where = " or ".join(AGI_FOLDERS)
        text = f"there is no folder for scripts: {where}"
        return Finding("agi-bin", "warning", text, "name scripts in AGI() by their whole paths")
    try:
        if not folder.is_dir():
            text = f"{folder}, where AGI(name) looks for scripts, is not there"
            return Finding("agi-bin", "warning", text, f"mkdir {folder}")
        closed = None if user is None else barrier(user, folder / "script")
    except OSError as error:
        text = f"{folder} cannot be looked at: {error.strerror}"
        return Finding("agi-bin", "warning", text, "run this as root")
    if user is not None and closed is not None:
        text = f"{user.name} may not enter {closed}"
        return Finding("agi-bin", "problem", text, f"chmod o+x {closed}")
    return Finding("agi-bin", "ok", f"AGI(name) looks into {folder}")


def _environment(pid: int) -> Mapping[str, str] | None:
    """Give the environment of a process, which is what it hands on to scripts."""
    if not pid:
        return None
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    return dict(_pairs(content)) or None


def _pairs(content: bytes) -> Iterator[tuple[str, str]]:
    for entry in content.split(b"\0"):
        name, equals, value = os.fsdecode(entry).partition("=")
        if equals:
            yield name, value
