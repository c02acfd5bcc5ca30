"""Sessions that talk to a simulated call in this process: no socket, no thread, virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi.fastagi import FastAGI
from pystrix_typed.agi.session import Session
from pystrix_typed.testing.endless import Watch
from pystrix_typed.testing.repeatable import RepeatableProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from pystrix_typed.testing.call import SimulatedCall

__all__ = ["SimulatedSession"]


class SimulatedSession(FastAGI):
    """The blocking session of a simulated call.

    What it writes is done at once; while it waits, virtual time passes. Deadlines are in virtual
    time as well.

    Args:
        call: The call; it begins now.
        timeout: The deadline of a command in seconds, unless `execute` names another.
        verify_values: See `FastAGI`.
    """

    def __init__(
        self,
        call: SimulatedCall,
        *,
        timeout: float | timedelta | None = None,
        verify_values: bool = False,
    ) -> None:
        self._call = call
        #: Sees that the handler comes to an end.
        self.watch: Watch = Watch(call)
        call.begin()
        protocol = RepeatableProtocol(self.watch, verify_values=verify_values)
        # Not FastAGI's own: there is no connection.
        Session.__init__(self, protocol, timeout, None, debug=False)

    def rest(self, seconds: float) -> None:
        """Let virtual time pass, in place of `time.sleep`."""
        if not self._turn.take_if_free():
            return  # time passes in the command that is under way
        try:
            until = self._call.now + seconds
            self.watch.reach(until)
            self._call.advance_to(until)
        finally:
            self._turn.give()

    def _clock(self) -> float:
        return self._call.now

    def _disconnect(self) -> None:
        self._call.end()

    def _write(self, data: bytes) -> None:
        if self.trace is not None:
            self.trace(True, data)
        self._call.feed(data)
        self._protocol.sending = False

    def _read(self, until: float | None) -> bytes | None:
        call = self._call
        data = call.output()
        if not data and not call.over and (until is None or until > call.now):
            call.advance(until)
            data = call.output()
        if not data and not call.over:
            return None
        if self.trace is not None:
            self.trace(False, data)
        return data

    def _arrived(self) -> bytes | None:
        return self._read(0)

    def _send(self, data: bytes) -> Iterable[int]:
        raise NotImplementedError  # what it is for is done by _write

    def _receive(self) -> bytes:
        raise NotImplementedError  # what it is for is done by _read

    def _fileno(self) -> int:
        raise NotImplementedError  # there is no descriptor
