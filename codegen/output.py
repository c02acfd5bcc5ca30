"""What is on disk against what was rendered: compared, told, written, and orphans removed."""

from __future__ import annotations

import difflib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .packages import MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Comparison", "compare", "write"]


@dataclass(frozen=True)
class Comparison:
    """How a folder differs from what belongs into it.

    Attributes:
        unchanged: Files that are as they should be.
        changed: Files that hold something else.
        missing: Files that are not there.
        orphans: Generated files that nothing generates any more.
        strays: Files that are none of ours, and that nobody should find between generated ones.
    """

    folder: Path
    wanted: Mapping[str, bytes]
    unchanged: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    orphans: list[str] = field(default_factory=list[str])
    strays: list[str] = field(default_factory=list[str])

    @property
    def clean(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.changed or self.missing or self.orphans or self.strays)

    def diff(self) -> str:
        """Give the differences as a unified diff: from what is there to what should be."""
        parts: list[str] = []
        for name in sorted([*self.changed, *self.missing, *self.orphans]):
            old = b"" if name in self.missing else (self.folder / name).read_bytes()
            new = self.wanted.get(name, b"")
            lines = difflib.unified_diff(
                old.decode("utf-8", "backslashreplace").splitlines(keepends=True),
                new.decode().splitlines(keepends=True),
                "/dev/null" if name in self.missing else f"{name} (as it is)",
                "/dev/null" if name in self.orphans else f"{name} (as generated)",
            )
            parts += [line if line.endswith("\n") else f"{line}\n" for line in lines]
        return "".join(parts)


def compare(folder: Path, wanted: Mapping[str, bytes], *, alone: bool = True) -> Comparison:
    """Compare a folder with what should be in it.

    Args:
        folder: The package; need not exist.
        wanted: The bytes of each file.
        alone: Whether other files have no business there.
    """
    found = Comparison(folder, wanted)
    for name, content in sorted(wanted.items()):
        try:
            current = (folder / name).read_bytes()
        except FileNotFoundError:
            found.missing.append(name)
        else:
            (found.unchanged if current == content else found.changed).append(name)
            if alone and current != content and not _ours(current):
                found.changed.remove(name)
                found.strays.append(name)
    if alone and folder.is_dir():
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name in wanted or "__pycache__" in path.parts or path.is_dir():
                continue
            ours = path.suffix in {".md", ".py"} and _ours(path.read_bytes())
            (found.orphans if ours else found.strays).append(name)
    return found


def _ours(content: bytes) -> bool:
    if not content.strip():
        return True  # an empty __init__.py, say: nothing is lost
    first = content.partition(b"\n")[0].removeprefix(b"<!-").lstrip(b"-# ")
    return first.startswith(MARK.lstrip("# ").encode()) and b"do not edit" in first.lower()


def write(found: Comparison) -> None:
    """Make the folder what it should be; each file is replaced in one step, or not at all."""
    found.folder.mkdir(parents=True, exist_ok=True)
    for name in (*found.changed, *found.missing):
        _replace(found.folder / name, found.wanted[name])
    for name in found.orphans:
        (found.folder / name).unlink()


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # mkstemp is private to the user; a source file is not.
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
