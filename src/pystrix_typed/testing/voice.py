"""The caller's sound, as an EAGI script hears it: silence, and a tone while the caller speaks."""

from __future__ import annotations

import contextlib
import os
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel

__all__ = ["FRAME", "LOUD", "Voice"]

#: How far the tone swings, of 32767.
LOUD = 8000

#: Milliseconds of sound that go in one piece.
FRAME = 20
#: Samples in a half wave of the tone: 500 Hz at 8 kHz.
_HALF_WAVE = 8
#: Samples in a millisecond, by what EAGI_AUDIO_FORMAT may say.
_RATES = {"slin": 8, "slin12": 12, "slin16": 16, "slin24": 24, "slin32": 32, "slin48": 48}


class Voice:
    """What goes to the script on its descriptor 3: 16 bit, mono, in this machine's byte order.

    Frames that the script leaves unread when the pipe is full are lost, as with Asterisk.

    Args:
        channel: Whose call it is.
        descriptor: The pipe's writing end; it does not block from here on.
    """

    def __init__(self, channel: SimulatedChannel, descriptor: int) -> None:
        self._channel = channel
        self._descriptor = descriptor
        self._sent = channel.now
        self._rate = _RATES.get(channel.variables.get("EAGI_AUDIO_FORMAT", "slin"), 8)
        os.set_blocking(descriptor, False)

    def catch_up(self) -> None:
        """Send what the caller has been heard since the last time."""
        while self._sent + FRAME <= self._channel.now and not self._channel.hung_up:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._descriptor, self._frame(self._sent))
            self._sent += FRAME

    def _frame(self, start: int) -> bytes:
        count = FRAME * self._rate
        if not any(begin <= start < (end or start + 1) for begin, end in self._channel.spoken):
            return bytes(2 * count)
        return array(
            "h", [LOUD if index // _HALF_WAVE % 2 else -LOUD for index in range(count)]
        ).tobytes()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._descriptor)
