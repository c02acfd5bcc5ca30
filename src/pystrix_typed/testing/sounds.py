"""Sound files: which there are, and how long they play."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import TYPE_CHECKING

from pystrix_typed.testing.timeline import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BEEP", "CORE_SECONDS", "SAMPLES", "Sounds", "frames"]

#: Samples in a millisecond, of a sound at 8 kHz.
SAMPLES = 8
#: The length of the file ``beep`` that comes with Asterisk.
BEEP = 0.44
#: How long each of the files lasts that SAY commands speak with, and any sound of which no length
#: is told.
CORE_SECONDS = 0.6

_FRAME = 20
_CORE = ("digits/", "letters/", "phonetic/")
#: Bytes of one second, for formats without a header.
_RAW = {
    ".ulaw": 8000,
    ".ul": 8000,
    ".pcm": 8000,
    ".alaw": 8000,
    ".al": 8000,
    ".gsm": 1650,
    ".sln": 16000,
    ".sln16": 32000,
    ".g722": 8000,
    ".g729": 1000,
}


def frames(duration: int) -> int:
    """Give a duration in milliseconds as samples, in whole frames of 20 milliseconds."""
    return duration // _FRAME * _FRAME * SAMPLES


class Sounds:
    """The sound files of an exchange.

    Args:
        given: Seconds by name (without folder of the language, without extension), None for a file
            that cannot be played; or a folder, whose files are measured. Without it every name is a
            sound.
        core: Whether ``beep`` and what SAY commands speak with is there, too.
    """

    def __init__(
        self, given: Mapping[str, float | None] | str | Path | None, *, core: bool = True
    ) -> None:
        self._any = given is None
        self._core = core
        if isinstance(given, (str, Path)):
            given = measured(Path(given))
        self._lengths: dict[str, int | None] = {
            name: None if seconds is None else milliseconds(seconds)
            for name, seconds in (given or {}).items()
        }

    def copy(self) -> Sounds:
        """Give the same sounds for one call, which may record more."""
        other = Sounds(None if self._any else {}, core=self._core)
        other._lengths = dict(self._lengths)
        return other

    def add(self, name: str, length: int) -> None:
        """Add what was recorded, with its length in milliseconds."""
        self._lengths[name] = length

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file, playable or not."""
        return name in self._lengths or self.length(name) is not None

    def length(self, name: str) -> int | None:
        """Give the length of a sound in milliseconds; None when it cannot be played."""
        if name in self._lengths:
            return self._lengths[name]
        if self._core and name == "beep":
            return milliseconds(BEEP)
        if self._any or (self._core and name.startswith(_CORE)):
            return milliseconds(CORE_SECONDS)
        return None


def measured(folder: Path) -> dict[str, float | None]:
    """Measure the sound files in a folder, those in folders of it included.

    Returns:
        Seconds by name, as in ``menu`` or ``digits/1``; None for a file that cannot be read.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder of sounds")
    found: dict[str, float | None] = {}
    for path in sorted(folder.rglob("*")):
        extension = path.suffix.lower()
        if extension == ".wav":
            seconds = _wave_seconds(path)
        elif extension in _RAW:
            seconds = path.stat().st_size / _RAW[extension]
        else:
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        found[name] = seconds
    return found


def _wave_seconds(path: Path) -> float | None:
    try:
        with wave.open(str(path), "rb") as file:
            return file.getnframes() / file.getframerate()
    except (wave.Error, EOFError):
        return None
