"""The caller's audio, as `EAGI` gives it: a pipe of samples.

Asterisk writes the audio into a pipe and never waits: what nobody reads stays there until the pipe
is full (64 KiB on Linux, four seconds at 8 kHz), and after that new frames are lost. So memory is
bounded, and who comes late hears old audio first: `Audio.discard` forgets it.

Asterisk feeds the pipe (res_agi.c) between commands and while `StreamFile`, `GetOption`, `GetData`,
`WaitForDigit`, `SayNumber`, `SayDigits`, `SayAlpha` or `SayPhonetic` runs; during any other command
nothing comes, and neither does anything from a caller who sends nothing.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from time import monotonic

from pystrix_typed.agi.exceptions import AGIError
from pystrix_typed.agi.session import in_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

__all__ = ["Audio", "AudioPipe", "claim", "is_pipe", "no_audio", "rate_of"]

VARIABLE = "EAGI_AUDIO_FORMAT"
FRAME = 0.02

_RATES = {
    "slin": 8000,
    "slin12": 12000,
    "slin16": 16000,
    "slin24": 24000,
    "slin32": 32000,
    "slin44": 44100,
    "slin48": 48000,
    "slin96": 96000,
    "slin192": 192000,
}
#: What Asterisk takes for EAGI_AUDIO_FORMAT besides (main/format_cache.c): these arrive encoded.
_ENCODED = {
    "adpcm",
    "alaw",
    "codec2",
    "g719",
    "g722",
    "g723",
    "g726",
    "g726aal2",
    "g729",
    "gsm",
    "ilbc",
    "lpc10",
    "opus",
    "silk8",
    "silk12",
    "silk16",
    "silk24",
    "siren14",
    "siren7",
    "speex",
    "speex16",
    "speex32",
    "testlaw",
    "ulaw",
}
_AVAILABLE = 1 << 20
#: Seconds after which a reader looks whether it waits in vain.
_SLICE = 0.05


def rate_of(format_name: str | None) -> int:
    """Give the samples per second of an EAGI_AUDIO_FORMAT; Asterisk minds no case.

    Raises:
        AGIError: The format is no signed linear one.
    """
    name = (format_name or "slin").lower()
    if name in _ENCODED:
        raise AGIError(
            f"{VARIABLE} is {format_name}, so the audio arrives encoded; set it to one of "
            f"{', '.join(_RATES)}, or leave it unset"
        )
    # A name that Asterisk does not know means slin, as if it were unset.
    return _RATES.get(name, 8000)


def is_pipe(descriptor: int) -> bool:
    """Tell whether there is a pipe (or a socket); whatever else has the number is not the audio."""
    try:
        return os.fstat(descriptor).st_mode & 0o170000 in (0o010000, 0o140000)
    except OSError:
        return False


def claim(descriptor: int | None, variables: Mapping[str, str]) -> int | None:
    """Take the audio's descriptor away from subprocesses; None if Asterisk gave the script none."""
    if descriptor is None or variables.get("agi_enhanced") == "0.0":
        return None
    os.set_inheritable(descriptor, False)
    os.set_blocking(descriptor, False)
    return descriptor


def no_audio() -> AGIError:
    """Build the exception for a script that Asterisk gave no audio."""
    return AGIError(
        "there is no audio: the script was started with AGI() in the dialplan, and only EAGI() "
        "gives it the caller's audio on descriptor 3"
    )


class AudioPipe:
    """What blocking and asyncio streams have in common: samples from a pipe, never half of one.

    Attributes:
        rate: Samples per second.
        sample_width: Bytes of a sample: 2, signed, in the machine's own byte order.
        channels: 1.
    """

    sample_width = 2
    channels = 1

    def __init__(self, descriptor: int, rate: int) -> None:
        self.rate = rate
        self._descriptor = descriptor
        self._buffer = bytearray()
        # The pipe has ended; nothing more will be written, but for what is in it.
        self._at_end = False
        self._last = False

    @property
    def ended(self) -> bool:
        """Whether all audio has been read and no more will come."""
        return self._at_end and len(self._buffer) < self.sample_width

    @property
    def wave_parameters(self) -> tuple[int, int, int, int, str, str]:
        """What `wave.Wave_write.setparams` takes."""
        return (self.channels, self.sample_width, self.rate, 0, "NONE", "not compressed")

    def fileno(self) -> int:
        """Give the descriptor, which is readable when there is audio."""
        return self._descriptor

    def seconds(self, data: bytes) -> float:
        """Tell how long a piece of audio lasts."""
        return len(data) / (self.sample_width * self.rate)

    @staticmethod
    def level(data: bytes) -> float:
        """Measure how loud a piece of audio is, in dBFS: 0 is the loudest there can be.

        It is the root mean square against a square wave of full scale, so a sine of full scale has
        -3.01. Speech on a telephone is around -30, a quiet line below -50; silence itself, and no
        audio at all, is minus infinity.
        """
        from array import array
        from math import log10
        from operator import mul

        samples = array("h", data)
        power = sum(map(mul, samples, samples))
        if not power:
            return float("-inf")
        return 10 * log10(power / (len(samples) * 32768.0 * 32768.0))

    def read_available(self) -> bytes:
        """Give what is there by now, perhaps nothing, without waiting; at most a mebibyte."""
        self._fill(_AVAILABLE)
        return self._take(_AVAILABLE)

    def discard(self) -> None:
        """Forget what is there by now, so that the next reading begins with the present."""
        while self.read_available():
            pass

    def _size(self, seconds: float | timedelta | None, samples: int | None) -> int:
        """Give how many bytes are asked for."""
        wanted = in_seconds(seconds)
        if (wanted is None) == (samples is None):
            raise TypeError("read() takes either seconds or samples")
        if wanted is not None:
            samples = round(wanted * self.rate)
        if samples is None or samples <= 0:
            raise ValueError("read() takes at least one sample")
        return samples * self.sample_width

    def _fill(self, size: int) -> bool:
        """Read what is there; tell whether a reading of `size` bytes need not wait any longer."""
        buffer = self._buffer
        while len(buffer) < size and not self._at_end:
            try:
                data = os.read(self._descriptor, size - len(buffer))
            except BlockingIOError:
                self._at_end = self._last
                break
            buffer += data
            self._at_end = not data
        return len(buffer) >= size or self._at_end

    def _take(self, size: int) -> bytes:
        """Give up to `size` bytes of whole samples."""
        size = min(size, len(self._buffer))
        size -= size % self.sample_width
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


class Audio(AudioPipe):
    """The caller's audio, as a stream that one thread reads, beside the commands of another.

    Pieces are bytes of signed samples of 16 bits, as `wave` and `array.array("h")` take them.
    """

    def __init__(self, descriptor: int, rate: int) -> None:
        super().__init__(descriptor, rate)
        self._reading = allocate_lock()
        self._closing = False
        self._open = True

    @property
    def ended(self) -> bool:
        """Whether all audio has been read and no more will come."""
        return self._closing or super().ended

    def read(
        self,
        seconds: float | timedelta | None = None,
        *,
        samples: int | None = None,
        timeout: float | timedelta | None = None,
    ) -> bytes:
        """Wait for so much audio and give it: either so many seconds or so many samples.

        It is less if the audio ends first (`ended` is true then: the call is over, or the session
        was closed), or the time runs out. Nothing is lost by that, nor by an exception.

        Args:
            seconds: How much, in seconds (or a `timedelta`).
            samples: How much, in samples.
            timeout: Seconds (or a `timedelta`) to wait at most. During most commands, and from a
                caller who is muted, nothing comes at all. With ``AGISIGHUP=no`` nothing tells of a
                hangup either: read with a timeout there, and ask with `ChannelStatus`.
        """
        size = self._size(seconds, samples)
        limit = in_seconds(timeout)
        until = None if limit is None else monotonic() + limit
        try:
            with self._reading:
                while not self._closing and not self._fill(size) and self._wait(until):
                    pass
                return self._take(size)
        finally:
            self._dispose()

    def frames(self, seconds: float | timedelta = FRAME) -> Iterator[bytes]:
        """Give piece after piece, until the audio ends; the last may be shorter."""
        while data := self.read(seconds):
            yield data

    def __iter__(self) -> Iterator[bytes]:
        return self.frames()

    def read_available(self) -> bytes:
        """Give what is there by now, perhaps nothing, without waiting; at most a mebibyte.

        While another thread reads, that is nothing.
        """
        data = b""
        if self._reading.acquire(blocking=False):
            try:
                if not self._closing:
                    data = super().read_available()
            finally:
                self._reading.release()
            self._dispose()
        return data

    def _wait(self, until: float | None) -> bool:
        """Wait a little for more; False when the moment has passed."""
        import select

        wait = _SLICE if until is None else until - monotonic()
        if wait <= 0:
            return False
        wait = min(wait, _SLICE)
        if sys.platform == "win32":
            select.select([self._descriptor], [], [], wait)
        else:
            poll = select.poll()  # unlike select, good for any number of descriptors
            poll.register(self._descriptor, select.POLLIN)
            poll.poll(-(-wait * 1000 // 1))
        return True

    def _finish(self) -> None:
        """Take notice that no more will be written: Asterisk leaves the pipe open at a hangup.

        This may run in a signal handler.
        """
        self._last = True

    def _close(self) -> None:
        """Close the stream, or have the thread do it that is reading."""
        self._closing = True
        self._dispose()

    def _dispose(self) -> None:
        """Close the descriptor of a closed stream, unless somebody is reading from it."""
        if self._closing and self._reading.acquire(blocking=False):
            try:
                if self._open:
                    self._open = False
                    os.close(self._descriptor)
            finally:
                self._reading.release()
