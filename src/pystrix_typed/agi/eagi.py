"""The blocking session that hears: `EAGI`, an `AGI` with the caller's audio beside the commands.

::

    with agi.EAGI() as session:
        for frame in session.audio:
            if session.audio.level(frame) > -40:
                ...

What is in the audio, and when, says `pystrix_typed.agi.audio`.
"""

from __future__ import annotations

# A session and its stream know each other.
# pyright: reportPrivateUsage=false
import os

from pystrix_typed.agi.audio import VARIABLE, Audio, claim, is_pipe, no_audio, rate_of
from pystrix_typed.agi.exceptions import AGIClosedError
from pystrix_typed.agi.script import AGI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["EAGI"]


class EAGI(AGI):
    """The session of a script that the dialplan started with ``EAGI()``: an `AGI` that hears.

    Args:
        debug: As for `AGI`, and so are the others that are not named here.
        rate: Samples per second. Without it the session asks once for the variable
            EAGI_AUDIO_FORMAT, which the dialplan may have set (``Set(EAGI_AUDIO_FORMAT=slin16)``,
            Asterisk 13.17 and later).
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
        self._audio_descriptor = claim(self._audio_descriptor, self._variables)

    @property
    def audio(self) -> Audio:
        """The caller's audio.

        Raises:
            AGIError: The script was started with ``AGI()``, or the audio arrives encoded.
            AGIClosedError: The session was closed.
        """
        if self._closed:
            raise AGIClosedError("there is no audio: the session was closed")
        if self._stream is None:
            if self._audio_descriptor is None:
                raise no_audio()
            if self._rate is None:
                from pystrix_typed.agi.core import GetVariable

                self._rate = rate_of(self.execute(GetVariable(VARIABLE)).value)
            self._stream = Audio(self._audio_descriptor, self._rate)
            self.on_hangup(self._stream._finish)
        return self._stream

    def _disconnect(self) -> None:
        super()._disconnect()
        if self._stream is not None:
            self._stream._close()
        elif self._audio_descriptor is not None:
            os.close(self._audio_descriptor)
        self._audio_descriptor = None
