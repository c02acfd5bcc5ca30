"""The asyncio session that hears: `EAGI`, an `AGI` with the caller's audio beside the commands.

::

    async with agi.aio.EAGI() as session:
        async for frame in session.audio:
            if session.audio.level(frame) > -40:
                ...

What is in the audio, and when, says `pystrix_typed.agi.audio`.
"""

from __future__ import annotations

# A session and its stream know each other.
# pyright: reportPrivateUsage=false
import asyncio
import os
from typing import TYPE_CHECKING, Self

from pystrix_typed.agi.aio.script import AGI
from pystrix_typed.agi.audio import (
    FRAME,
    VARIABLE,
    AudioPipe,
    claim,
    is_pipe,
    no_audio,
    rate_of,
)
from pystrix_typed.agi.core import GetVariable
from pystrix_typed.agi.exceptions import AGIClosedError
from pystrix_typed.agi.session import in_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

__all__ = ["EAGI", "Audio"]


class Audio(AudioPipe):
    """The caller's audio, as a stream that one task reads, beside the commands of another.

    Pieces are bytes of signed samples of 16 bits, as `wave` and `array.array("h")` take them.
    """

    def __init__(self, descriptor: int, rate: int) -> None:
        super().__init__(descriptor, rate)
        self._loop = asyncio.get_running_loop()
        self._reading = asyncio.Lock()
        self._waiter: asyncio.Future[None] | None = None

    async def read(
        self,
        seconds: float | timedelta | None = None,
        *,
        samples: int | None = None,
        timeout: float | timedelta | None = None,
    ) -> bytes:
        """Wait for so much audio and give it: either so many seconds or so many samples.

        It is less if the audio ends first (`ended` is true then: the call is over, or the session
        was closed), or the time runs out. Nothing is lost by that, nor by a cancellation.

        Args:
            seconds: How much, in seconds (or a `timedelta`).
            samples: How much, in samples.
            timeout: Seconds (or a `timedelta`) to wait at most. During most commands, and from a
                caller who is muted, nothing comes at all. With ``AGISIGHUP=no`` nothing tells of a
                hangup either: read with a timeout there, and ask with `ChannelStatus`.
        """
        size = self._size(seconds, samples)
        limit = in_seconds(timeout)
        until = None if limit is None else self._loop.time() + limit
        async with self._reading:
            while not self._fill(size):
                if until is not None and self._loop.time() >= until:
                    break
                await self._wait(until)
            return self._take(size)

    async def frames(self, seconds: float | timedelta = FRAME) -> AsyncIterator[bytes]:
        """Give piece after piece, until the audio ends; the last may be shorter."""
        while data := await self.read(seconds):
            yield data

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.frames()

    async def _wait(self, until: float | None) -> None:
        """Wait for more, for the end, or until the moment has passed."""
        self._waiter = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._wake)
        timer = None if until is None else self._loop.call_at(until, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            if self._descriptor >= 0:
                self._loop.remove_reader(self._descriptor)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self) -> None:
        """Take notice that no more will be written: Asterisk leaves the pipe open at a hangup.

        This may run in a signal handler, on which a loop that waits would not wake up.
        """
        self._last = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _close(self) -> None:
        self._at_end = True
        if self._waiter is not None:
            self._loop.remove_reader(self._descriptor)
            self._wake()
        os.close(self._descriptor)
        self._descriptor = -1


class EAGI(AGI):
    """The session of a script that the dialplan started with ``EAGI()``: an `AGI` that hears.

    Args:
        debug: As for `AGI`, and so are the others that are not named here.
        rate: Samples per second. Without it `start` asks once for the variable EAGI_AUDIO_FORMAT,
            which the dialplan may have set (``Set(EAGI_AUDIO_FORMAT=slin16)``, Asterisk 13.17 and
            later).
        audio: The descriptor that the audio comes from; the session closes it.
    """

    def __init__(
        self,
        debug: bool = False,
        *,
        rate: int | None = None,
        timeout: float | timedelta | None = None,
        handshake_timeout: float | None = None,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        redirect_stdout: bool = True,
        handle_sighup: bool = True,
        report_errors: bool = True,
        stdin: int = 0,
        stdout: int = 1,
        audio: int = 3,
    ) -> None:
        if rate is not None and rate <= 0:
            raise ValueError(f"rate must be positive, not {rate}")
        self._rate = rate
        self._stream: Audio | None = None
        # The private copies of stdin and stdout might get a number that is free.
        self._audio_descriptor = audio if is_pipe(audio) else None
        super().__init__(
            debug,
            timeout=timeout,
            handshake_timeout=handshake_timeout,
            resync_timeout=resync_timeout,
            verify_values=verify_values,
            redirect_stdout=redirect_stdout,
            handle_sighup=handle_sighup,
            report_errors=report_errors,
            stdin=stdin,
            stdout=stdout,
        )

    async def start(self) -> Self:
        """Connect, read the variables that Asterisk sends first, and open the audio.

        Raises:
            AGITimeoutError: No variables came in time.
            AGIProtocolError: What came is not AGI.
            AGISIGPIPEHangup: The connection ended before the variables did.
            AGIError: The audio arrives encoded.
        """
        if self._link is None:
            await super().start()
            try:
                await self._listen()
            except BaseException as error:
                await self.__aexit__(type(error), error, None)
                raise
        return self

    async def _listen(self) -> None:
        """Open the audio, if there is any."""
        self._audio_descriptor = claim(self._audio_descriptor, self._variables)
        if self._audio_descriptor is not None:
            if self._rate is None:
                self._rate = rate_of((await self.execute(GetVariable(VARIABLE))).value)
            self._stream = Audio(self._audio_descriptor, self._rate)
            self.on_hangup(self._stream._finish)

    @property
    def audio(self) -> Audio:
        """The caller's audio.

        Raises:
            AGIError: The script was started with ``AGI()``.
            AGIClosedError: The session was closed.
            RuntimeError: The session was not started.
        """
        if self._link is None:
            raise RuntimeError("the session was not started: use it with 'async with'")
        if self._closed:
            raise AGIClosedError("there is no audio: the session was closed")
        if self._stream is None:
            raise no_audio()
        return self._stream

    def _forget(self) -> None:
        super()._forget()
        self._quit()

    async def _disconnect(self) -> None:
        self._quit()
        await super()._disconnect()

    def _quit(self) -> None:
        """Close the audio."""
        if self._stream is not None:
            self._stream._close()
        elif self._audio_descriptor is not None:
            os.close(self._audio_descriptor)
        self._audio_descriptor = None
