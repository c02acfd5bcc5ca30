"""Running a program in a tree of its own so that nothing of it can outlive its owner.

The program becomes process 1 of a private PID namespace: when it ends, or is killed, the kernel
ends everything that it started. It is killed when the owner dies, however suddenly. The tree is
mounted read-only in a private mount namespace with one writable folder, so that the only traces are
in that folder; a lock that the owner holds tells later runs whether the folder is still in use.

The network is the host's, on purpose: servers under test listen on the loopback interface.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .provision import system_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["INSIDE", "Cell", "why_not_possible"]

INSIDE = "/mnt"
"""Where the cell's folder appears inside the tree."""

LOCK = ".owner"


def why_not_possible() -> str | None:
    """Return why cells cannot be made here, in a few words, or None if they can."""
    if os.geteuid() != 0:
        return "needs root (chroot and namespaces)"
    path = system_environment()["PATH"]
    for tool in ("unshare", "setpriv", "chroot", "mount"):
        if shutil.which(tool, path=path) is None:
            return f"needs the command `{tool}`"
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 0:
        return f"needs the right to make namespaces ({probe.stderr.strip() or 'refused'})"
    return None


class Cell:
    """A folder and the isolated program that runs on it.

    Args:
        tree: The root file system that the program sees (read-only).
        parent: Where folders of cells are made; stale ones in it are removed.

    Attributes:
        folder: The writable folder; the program finds it at `INSIDE`.
    """

    def __init__(self, tree: Path, parent: Path) -> None:
        """Make the folder; the program is started by `start`."""
        self._tree = tree
        self._process: subprocess.Popen[bytes] | None = None
        parent.mkdir(parents=True, exist_ok=True)
        # Made under the parent's lock: between making a folder and locking it, another run must not
        # take it for a stale one.
        with (parent / ".lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            _remove_stale(parent)
            self.folder = Path(tempfile.mkdtemp(prefix=f"{tree.name}-", dir=parent))
            self._lock = (self.folder / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    @property
    def pid(self) -> int:
        """The process whose end is the end of everything inside."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: Path,
        replaced: Mapping[str, Path] | None = None,
    ) -> None:
        """Start the program.

        Call it on a thread that lives as long as the program shall: the kernel takes the end of the
        thread that started a process for the death of the parent.

        Args:
            command: The program as it is known inside the tree, and its arguments.
            environment: Its whole environment.
            output: The file that takes its standard output and standard error.
            replaced: Files of the tree that the program shall find to be others, by their names
                in the tree.
        """
        tree = shlex.quote(str(self._tree))
        script = [
            "set -e",
            f"mount --bind {tree} {tree}",
            f"mount -o remount,bind,ro {tree}",
            f"mount -t proc proc {tree}/proc",
            f"mount --bind /dev {tree}/dev",
            f"mount -t tmpfs tmpfs {tree}/tmp",
            f"mount --bind {shlex.quote(str(self.folder))} {tree}{INSIDE}",
        ]
        for name, other in (replaced or {}).items():
            script.append(f"mount --bind {shlex.quote(str(other))} {tree}{shlex.quote(name)}")
        values = [shlex.quote(f"{name}={value}") for name, value in environment.items()]
        script.append(
            f"exec env -i {' '.join(values)} $(command -v chroot) {tree} {shlex.join(command)}"
        )
        isolate = "unshare --mount --pid --fork --kill-child=KILL"
        # The parent may have died before the death signal was asked for. Then the signal will never
        # come, but the parent is another one by now.
        guard = f'test "$PPID" = {os.getpid()} && exec {isolate} sh -c "$0"'
        with output.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "sh", "-c", guard, "\n".join(script)],
                env=system_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal is the test's business, not its
            )

    def running(self) -> bool:
        """Tell whether the program runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the program and everything that it started, and remove the folder."""
        if self._process is not None:
            self._end(self._process)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        # Killing process 1 of the namespace rather than its parent: the parent then returns only
        # when the kernel has cleared the namespace, so nothing writes to the folder any more.
        deadline = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < deadline:
            for child in _children(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, 9)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        process.kill()
        process.wait()


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _remove_stale(parent: Path) -> None:
    """Remove folders whose owner is gone."""
    for folder in parent.iterdir():
        if not folder.is_dir():
            continue
        try:
            lock = (folder / LOCK).open("r+")
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
