"""Playing sounds and waiting, as parts of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.sounds import SAMPLES, frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity, Kind

__all__ = ["Played", "play", "rest", "say"]


class Played(NamedTuple):
    """How playing ended.

    Attributes:
        ended: ``end``, ``key``, ``line`` (a new command), ``control``, ``hangup``, or ``failed``
            when the file could not be opened.
        value: The key that ended it, or how it was steered.
        position: Samples from the beginning of the file.
    """

    ended: Literal["end", "key", "line", "control", "hangup", "failed"]
    value: str = ""
    position: int = 0

    @property
    def code(self) -> int:
        """The number by which Asterisk reports it: the key's code, 0, or -1."""
        if self.ended == "key":
            return ord(self.value)
        return -1 if self.ended in ("hangup", "failed") else 0


def play(
    channel: SimulatedChannel,
    name: str,
    *,
    stops: str = "",
    kinds: tuple[Kind, ...] = (),
    offset: int = 0,
    kind: str = "file",
) -> Activity[Played]:
    """Play a sound file.

    Args:
        channel: To whom.
        name: The file.
        stops: The keys that end it.
        kinds: What else ends it: ``line`` for what a new command interrupts, ``control``.
        offset: Where to begin, in samples.
        kind: ``beep`` for the sound that RECORD FILE makes by itself.
    """
    length = channel.exchange.sounds.length(name)
    if length is None:
        channel.note("call", f"there is no sound {name!r}")
        return Played("failed", position=offset)
    sound = channel.sound_begins(kind, name)
    start = channel.now
    end = start + max(length - offset // SAMPLES, 0)
    while True:
        happening = yield Wait(end, ("key", *kinds))
        position = offset + frames(channel.now - start)
        if happening.kind == "time":
            channel.sound_ends(sound, whole=True)
            return Played("end", position=length * SAMPLES)
        if happening.kind == "key" and happening.value not in stops:
            continue
        channel.sound_ends(sound, whole=False)
        match happening.kind:
            case "key":
                return Played("key", happening.value, position)
            case "line":
                return Played("line", "", position)
            case "control":
                return Played("control", happening.value, position)
            case _:
                return Played("hangup", "", position)


def say(
    channel: SimulatedChannel,
    kind: str,
    text: str,
    files: Sequence[str],
    *,
    stops: str = "",
    lenient: bool = False,
    late_keys: bool = False,
    interruptible: bool = False,
) -> Activity[Played]:
    """Speak: play many files as one utterance.

    Args:
        channel: To whom.
        kind: ``number``, ``digits``...
        text: What is said.
        files: The sounds that it is made of.
        stops: The keys that end it.
        lenient: Whether a file that does not exist is left out, or ends it as a failure.
        late_keys: Whether keys count only during the last sound.
        interruptible: Whether a new command ends it.
    """
    sound = None
    playable = [name for name in files if channel.exchange.sounds.exists(name)]
    for number, name in enumerate(playable if lenient else files, 1):
        heeded = "" if late_keys and number < len(playable) else stops
        length = channel.exchange.sounds.length(name)
        if length is None:
            if sound is not None:
                channel.sound_ends(sound, whole=False)
            channel.note("call", f"there is no sound {name!r}")
            return Played("failed")
        if sound is None:
            sound = channel.sound_begins(kind, text)
        end = channel.now + length
        while True:
            happening = yield Wait(end, ("key", "line") if interruptible else ("key",))
            if happening.kind == "time":
                break
            if happening.kind == "key" and happening.value not in heeded:
                continue
            channel.sound_ends(sound, whole=False)
            if happening.kind == "key":
                return Played("key", happening.value)
            return Played("line" if happening.kind == "line" else "hangup")
    if sound is None:
        # Nothing was to be heard of it, but it was said.
        sound = channel.sound_begins(kind, text)
    channel.sound_ends(sound, whole=True)
    return Played("end")


def rest(channel: SimulatedChannel, wait: int) -> Activity[bool]:
    """Wait some milliseconds; False when the call was hung up meanwhile."""
    happening = yield Wait(channel.now + wait)
    return happening.kind == "time"
