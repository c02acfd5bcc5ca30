"""The asyncio session of a script that Asterisk started."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from pystrix_typed.agi.aio.link import Link
from pystrix_typed.agi.aio.session import Session
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.script import Script, greet, private, shield, write_at_once

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

__all__ = ["AGI"]


class AGI(Session):
    """The session of a script that Asterisk started: over stdin and stdout.

    See `pystrix_typed.agi.AGI`: what is printed goes to stderr, SIGHUP is taken as notice, and an
    exception that ends the session is told on Asterisk's console.

    Args:
        debug: Write the dialogue to stderr.
        timeout: The deadline of a command in seconds (or a `timedelta`), unless `execute` names
            another; None for none.
        handshake_timeout: Seconds to wait for the variables at the start, which Asterisk sends at
            once; None waits as long as it takes.
        resync_timeout: Seconds that an abandoned command may take to end before the session is
            given up.
        verify_values: Ask Asterisk to prove the end of every value, at one round trip each.
        redirect_stdout: Send what the program prints to stderr.
        handle_sighup: Take SIGHUP as notice of the hangup.
        report_errors: Tell Asterisk's console of an exception that ends the session.
        stdin: The descriptor to read from.
        stdout: The descriptor to write to.
    """

    def __init__(
        self,
        debug: bool = False,
        *,
        timeout: float | timedelta | None = None,
        handshake_timeout: float | None = None,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        redirect_stdout: bool = True,
        handle_sighup: bool = True,
        report_errors: bool = True,
        stdin: int = 0,
        stdout: int = 1,
    ) -> None:
        self._input = os.fdopen(private(stdin), "rb", buffering=0)
        self._output = os.fdopen(private(stdout), "wb", buffering=0)
        if redirect_stdout:
            shield(stdin, stdout)
        if greet(self._input.fileno()):
            handshake_timeout = None
        protocol = Protocol(resync_timeout=resync_timeout, verify_values=verify_values)
        super().__init__(protocol, timeout, handshake_timeout, debug)
        self._reader: asyncio.ReadTransport | None = None
        self._writer: asyncio.WriteTransport | None = None
        self._script = Script(
            protocol,
            self._tell,
            self._forget,
            handle_sighup=handle_sighup,
            report_errors=report_errors,
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._script.report(error)
        await self.close()

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        link = Link(self._protocol)
        link.busy = True  # as for FastAGI
        for end in (self._output, self._input):
            if not _may_wait(end.fileno()):
                raise ValueError("a script's stdin and stdout must be pipes, sockets or a terminal")
        self._writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._output)
        self._reader, _ = await loop.connect_read_pipe(lambda: link, self._input)
        return link

    def _write(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    def _tell(self, line: bytes) -> None:
        """Write a line without waiting, with or without the loop, behind what is yet to be sent."""
        if self._writer is not None and self._writer.get_write_buffer_size():
            self._writer.write(line)
        else:
            write_at_once(self._output.fileno(), line)

    def _forget(self) -> None:
        """Close the session in a forked process, whose loop is the other one's."""
        self._closed = True
        self._input.close()
        self._output.close()
        self._script.leave()

    async def _disconnect(self) -> None:
        self._script.leave()
        if self._writer is None:
            self._output.close()
        else:
            self._writer.close()
        if self._reader is None or self._link is None:
            self._input.close()
        else:
            self._reader.close()
            await self._link.closed


def _may_wait(descriptor: int) -> bool:
    """Tell whether a loop can wait for it; uvloop ends the process for one for which it cannot."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
