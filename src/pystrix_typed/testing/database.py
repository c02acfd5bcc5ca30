"""AstDB: Asterisk's own database of families and keys."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Database"]


class Database(MutableMapping[tuple[str, str], str]):
    """The database: a mapping of ``(family, key)`` to values.

    A slash in a family or a key is part of the same path, as with Asterisk: ``("a", "b/c")`` and
    ``("a/b", "c")`` are one row.

    Args:
        rows: What is in it.

    Attributes:
        busy: Whether nothing can be read or written, as when another process holds its lock.
    """

    def __init__(self, rows: Mapping[tuple[str, str], str] | None = None) -> None:
        self.busy = False
        self._rows: dict[str, str] = {}
        self.update(rows or {})

    @staticmethod
    def _path(place: tuple[str, str]) -> str:
        return "/{}/{}".format(*place)

    def __getitem__(self, place: tuple[str, str]) -> str:
        try:
            return self._rows[self._path(place)]
        except KeyError:
            raise KeyError(place) from None

    def __setitem__(self, place: tuple[str, str], value: str) -> None:
        self._rows[self._path(place)] = value

    def __delitem__(self, place: tuple[str, str]) -> None:
        try:
            del self._rows[self._path(place)]
        except KeyError:
            raise KeyError(place) from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for path in self._rows:
            family, _, key = path[1:].partition("/")
            yield family, key

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Database({dict(self)!r})"

    def delete_tree(self, family: str, tree: str = "") -> int:
        """Delete the key at `tree` and all of the family that lie below it, and tell how many.

        Asterisk compares by SQL's LIKE: ``%`` and ``_`` stand for anything, letters of either case
        are one. An empty family is the whole database.
        """
        if not family:
            if tree:
                return 0
            count = len(self._rows)
            self._rows.clear()
            return count
        prefix = f"/{family}/{tree}" if tree else f"/{family}"
        like = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in prefix)
        pattern = re.compile(f"{like}/.*", re.IGNORECASE | re.DOTALL | re.ASCII)
        doomed = [path for path in self._rows if pattern.fullmatch(f"{path}/")]
        for path in doomed:
            del self._rows[path]
        return len(doomed)
