"""What was said and what happened in a call, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Entry", "Source", "Transcript"]

#: ``script``: a line that the script sent; ``asterisk``: one that Asterisk sent; ``caller``: what
#: the caller did; ``call``: what happened besides, such as a sound that begins.
Source: TypeAlias = Literal["script", "asterisk", "caller", "call"]

#: Lines of a long call that are shown with an error, of its beginning and of its end.
_HEAD, _TAIL = 60, 140
_MARKS: dict[Source, str] = {"script": ">", "asterisk": "<", "caller": "*", "call": "-"}


class Entry(NamedTuple):
    """One line.

    Attributes:
        time: Seconds since the call began.
        source: Who.
        text: The line without its line feed, or what happened in a few words.
    """

    time: float
    source: Source
    text: str

    def __str__(self) -> str:
        return f"{self.time:8.3f} {_MARKS[self.source]} {self.text}"


class Transcript(Sequence[Entry]):
    """The entries of a call; printed, one line each."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        #: Called with each entry as it is added, to show a call while it goes on.
        self.on_entry: list[Callable[[Entry], object]] = []

    def add(self, now: int, source: Source, text: str) -> None:
        """Add one."""
        entry = Entry(now / 1000, source, text)
        self._entries.append(entry)
        for tell in self.on_entry:
            tell(entry)

    @property
    def commands(self) -> list[str]:
        """The command lines that the script sent."""
        return [entry.text for entry in self._entries if entry.source == "script"]

    @property
    def dialogue(self) -> list[tuple[str, list[str]]]:
        """Each command line with the lines that Asterisk sent before the next one."""
        found: list[tuple[str, list[str]]] = []
        for entry in self._entries:
            if entry.source == "script":
                found.append((entry.text, []))
            elif entry.source == "asterisk" and found:
                found[-1][1].append(entry.text)
        return found

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __str__(self) -> str:
        return "\n".join(map(str, self._entries))

    @property
    def latest_command(self) -> int | None:
        """Where the last command line stands; None before the first one."""
        return next(
            (at for at in reversed(range(len(self))) if self._entries[at].source == "script"), None
        )

    def excerpt(self, mark: int | None = None) -> list[str]:
        """Give the lines to show with an error: of a long call its beginning and its end.

        Args:
            mark: Which entry to mark, counted from 0; None for none.
        """
        count = len(self._entries)
        lines = [
            f"{'=>' if at == mark else '  '} {entry}"
            for at, entry in enumerate(self._entries)
            if at < _HEAD or at >= count - _TAIL
        ]
        if count > _HEAD + _TAIL:
            lines.insert(_HEAD, f"   ... {count - _HEAD - _TAIL:,} lines are left out ...")
        return lines

    def __repr__(self) -> str:
        return f"<Transcript of {len(self)} lines>"
