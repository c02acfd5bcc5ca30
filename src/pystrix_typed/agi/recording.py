"""Keeps what is said in calls in small files, to be replayed as tests.

A server records with an observer, a session by itself with `record`::

    server = agi.FastAGIServer(observers=[CallRecorder("/var/lib/ivr/calls")])

    with agi.AGI() as session, record(session, "call.agi.jsonl"):
        ...

What callers key in is hidden, as in a `logs.WireTrace`. `pystrix_typed.testing.RecordedCall` reads
such a file and replays it.

A file holds lines of JSON: first a header, then ``[seconds, ">", line]`` for each line that was
sent to Asterisk and ``[seconds, "<", line]`` for each that came from it.
"""

from __future__ import annotations

import contextlib
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from pystrix_typed.agi.dialogue import Dialogue, Unredacted
from pystrix_typed.agi.keyed import MASK
from pystrix_typed.agi.logs import WireTrace
from pystrix_typed.agi.redaction import Redactor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import IO, Protocol, Self

    from pystrix_typed.agi.core.environment import Environment
    from pystrix_typed.agi.dialogue import Line
    from pystrix_typed.agi.observing import Call

    class Recordable(Protocol):
        """A session, blocking or asyncio."""

        trace: Callable[[bool, bytes], object] | None

        @property
        def environment(self) -> Environment:
            """What Asterisk told at the start."""
            ...


__all__ = ["FORMAT", "SUFFIX", "CallRecorder", "SessionRecorder", "record"]

_log = logging.getLogger(__name__)

#: The version of the files' form, which the header tells.
FORMAT: Final = 1
#: How the names of the files end.
SUFFIX: Final = ".agi.jsonl"


class _File:
    """A file that is being written; what goes wrong with it is logged once, and ends it."""

    def __init__(self, path: Path, *, redacted: bool, most_bytes: int) -> None:
        self._path = path
        self._left = most_bytes
        self._began = monotonic()
        self._file: IO[str] | None = None
        try:
            self._file = path.open("w", encoding="ascii", newline="\n")
        except OSError as error:
            self._give_up(error)
            return
        when = datetime.now(UTC).isoformat(timespec="seconds")
        self._put({"recording": FORMAT, "hidden": MASK if redacted else None, "began": when})

    def write(self, lines: Iterable[Line]) -> None:
        """Add lines of the dialogue."""
        at = round(monotonic() - self._began, 3)
        for line in lines:
            self._put([at, ">" if line.sent else "<", line.text])

    def _put(self, entry: object) -> None:
        if self._file is None:
            return
        text = json.dumps(entry) + "\n"
        self._left -= len(text)
        if self._left < 0:
            text = json.dumps({"left_out": "the rest: the file had its size"}) + "\n"
        try:
            self._file.write(text)
            if self._left < 0:
                self._close(self._file)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None:
            try:
                self._close(self._file)
            except OSError as error:
                self._give_up(error)

    def _close(self, file: IO[str]) -> None:
        self._file = None
        file.close()

    def _give_up(self, error: OSError) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what is in its buffer still has no place
                file.close()
        _log.warning("a call is not recorded: %s: %s", self._path, error.strerror or error)


class CallRecorder(WireTrace):
    """An observer that writes each call to a file of its own.

    The files are named by the moment and the call: ``20260131T120000-3fa2b1-1f.agi.jsonl``. A
    call goes on when its file cannot be written, which is logged.

    Args:
        folder: Where the files go; made if need be.
        redactor: Decides what is hidden; None for one that hides what is hidden by default.
        unredacted: Hide nothing: for the workbench.
        only: Whether a call is recorded, asked once its variables are known; None for all.
        most_bytes: Of one file; the rest of a longer call is left out.

    Raises:
        OSError: The folder cannot be made.
        ValueError: `most_bytes` is less than 1000.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        redactor: Redactor | None = None,
        *,
        unredacted: bool = False,
        only: Callable[[Call], bool] | None = None,
        most_bytes: int = 1_000_000,
    ) -> None:
        super().__init__(redactor, unredacted=unredacted, only=only)
        if most_bytes < 1000:
            raise ValueError(f"most_bytes={most_bytes!r}: it must be 1000 or more")
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._redacted = not unredacted
        self._most = most_bytes
        self._files: dict[str, _File] = {}

    def ended(self, call: Call) -> None:
        """Finish the call's file."""
        super().ended(call)
        file = self._files.pop(call.id, None)
        if file is not None:
            file.close()

    def _begin(self, call: Call) -> Dialogue:
        dialogue = self._dialogues[call.id] = self._dialogue(self._redactor, exact=True)
        self._held[call.id] = []
        return dialogue

    def _show(self, call: Call, lines: list[Line]) -> None:
        if call.request is None:
            return  # it did not become a call
        file = self._files.get(call.id)
        if file is None:
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            path = self._folder / f"{moment}-{call.id}{SUFFIX}"
            file = _File(path, redacted=self._redacted, most_bytes=self._most)
            self._files[call.id] = file
        file.write(lines)


class SessionRecorder:
    """Writes one session to a file, until it is closed; made by `record`."""

    def __init__(self, session: Recordable, file: _File, dialogue: Dialogue) -> None:
        self._session = session
        self._file = file
        self._dialogue = dialogue
        self._before = session.trace
        session.trace = self._trace

    def _trace(self, sent: bool, data: bytes) -> None:
        self._file.write(self._dialogue.feed(sent, data))
        if self._before is not None:
            self._before(sent, data)

    def close(self) -> None:
        """Write what is left, and watch no more."""
        if self._session.trace == self._trace:
            self._session.trace = self._before
        self._file.write(self._dialogue.end())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def record(
    session: Recordable,
    path: str | os.PathLike[str],
    redactor: Redactor | None = None,
    *,
    unredacted: bool = False,
    most_bytes: int = 1_000_000,
) -> SessionRecorder:
    """Record one session, of a script or of a handler, from now on.

    The session goes on when the file cannot be written, which is logged.

    Args:
        session: Of any kind, blocking or asyncio, that knows its variables already.
        path: The file; what was there is lost.
        redactor: See `CallRecorder`.
        unredacted: See `CallRecorder`.
        most_bytes: See `CallRecorder`.
    """
    kind = Unredacted if unredacted else Dialogue
    dialogue = kind(Redactor() if redactor is None else redactor, exact=True)
    file = _File(Path(path), redacted=not unredacted, most_bytes=most_bytes)
    variables = session.environment.raw.items()
    greeting = "".join([f"{name}: {value}\n" for name, value in variables])
    file.write(dialogue.feed(False, f"{greeting}\n".encode("utf-8", "surrogateescape")))
    return SessionRecorder(session, file, dialogue)
