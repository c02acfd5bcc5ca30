"""What another user may do with a file, by its mode: for scripts that Asterisk is to start."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["User", "barrier", "may"]


class User(NamedTuple):
    """Who Asterisk runs as."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]

    @classmethod
    def named(cls, name: str) -> User | None:
        """Give the user of a name, if there is one."""
        import pwd

        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, groups)

    @classmethod
    def numbered(cls, uid: int) -> User:
        """Give the user of a number, who may have no name."""
        import pwd

        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            return cls(str(uid), uid, uid, frozenset({uid}))
        found = cls.named(name)
        assert found is not None
        return found


def may(user: User, path: Path, right: str) -> bool:
    """Tell whether a user may read (``r``), write (``w``) or execute or enter (``x``) a file.

    Raises:
        OSError: The file is not there, or may not be looked at.
    """
    state = path.stat()
    bit = {"r": 4, "w": 2, "x": 1}[right]
    if user.uid == 0:
        return right != "x" or stat.S_ISDIR(state.st_mode) or bool(state.st_mode & 0o111)
    if state.st_uid == user.uid:
        bit <<= 6
    elif state.st_gid in user.groups:
        bit <<= 3
    return bool(state.st_mode & bit)


def barrier(user: User, path: Path) -> Path | None:
    """Give the first folder on the way to a file that a user may not enter."""
    for folder in reversed(path.absolute().parents):
        if not may(user, folder, "x"):
            return folder
    return None
