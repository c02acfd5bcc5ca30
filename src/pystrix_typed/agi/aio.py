"""asyncio: `AGI` on the descriptors that Asterisk gives a script, `FastAGI` and its server on TCP.

The same names and the same meaning as the blocking ones, over the same
`pystrix_typed.agi.protocol.Protocol`. ::

    async with agi.aio.AGI() as session:
        await session.execute(agi.core.Answer())

Cancelling a command (`asyncio.timeout` does) writes a fence at once, so that a playback stops, and
the session goes on.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from pystrix_typed import agi
from pystrix_typed.agi.aio_link import Link, Turn
from pystrix_typed.agi.core.environment import Environment
from pystrix_typed.agi.exceptions import AGITimeoutError
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.script import Script, greet, private, shield, write_at_once
from pystrix_typed.agi.session import guarded, in_seconds, show

if TYPE_CHECKING:
    from datetime import timedelta
    from types import EllipsisType, TracebackType

    from pystrix_typed.agi.aio_eagi import EAGI, Audio
    from pystrix_typed.agi.aio_server import FastAGIServer, Handler, ScriptHandler
    from pystrix_typed.agi.observing import CommandEvent
    from pystrix_typed.agi.protocol import Exchange
    from pystrix_typed.agi.record import Action, AnyAction

__all__ = [
    "AGI",
    "EAGI",
    "Audio",
    "FastAGI",
    "FastAGIServer",
    "Handler",
    "ScriptHandler",
    "Session",
]

R = TypeVar("R")
Trace: TypeAlias = Callable[[bool, bytes], object]


_HOMES = {
    "Audio": "aio_eagi",
    "EAGI": "aio_eagi",
    "FastAGIServer": "aio_server",
    "Handler": "aio_server",
    "ScriptHandler": "aio_server",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"pystrix_typed.agi.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


class Session:
    """One call, steered over AGI or FastAGI; `AGI` and `FastAGI` say over what.

    A session is opened by ``async with`` or by `start`. It may be shared by tasks: their commands
    are sent one at a time, in the order of the calls, and cancelling one that waits its turn sends
    nothing.

    Attributes:
        on_command: Called with each command that has ended, in the task that executed it; what it
            raises is logged. None for nothing.
    """

    on_command: Callable[[CommandEvent], object] | None = None

    def __init__(
        self,
        protocol: Protocol,
        timeout: float | timedelta | None,
        handshake_timeout: float | None,
        debug: bool,
    ) -> None:
        self._protocol = protocol
        self._timeout = in_seconds(timeout)
        self._handshake_timeout = handshake_timeout
        self._turn = Turn()
        self._link: Link | None = None
        self._trace: Trace | None = show if debug else None
        self._closed = False
        self._variables: dict[str, str] = {}
        self._environment: Environment | None = None

    async def start(self) -> Self:
        """Connect, and read the variables that Asterisk sends first. Once is enough.

        Raises:
            AGITimeoutError: No variables came in time.
            AGIProtocolError: What came is not AGI.
            AGISIGPIPEHangup: The connection ended before the variables did.
        """
        if self._link is None:
            limit = self._handshake_timeout
            now = asyncio.get_running_loop().time()
            try:
                self._link = await self._connect()
                self._link.trace = self._trace
                self._link.busy = True
                self._variables = await self._drive(
                    self._protocol.start(None if limit is None else now + limit)
                )
                self._link.settle()
            except BaseException as error:
                await self.__aexit__(type(error), error, None)
                raise
        return self

    async def execute(
        self, action: Action[R], *, timeout: float | timedelta | EllipsisType | None = ...
    ) -> R:
        """Execute one action and give what it reports.

        Args:
            action: What to do; the same action may be executed any number of times.
            timeout: Seconds (or a `timedelta`) until the command is abandoned; None waits as long
                as it takes. Without it the session's own deadline counts. The wait for another
                task's command is part of it.

        Raises:
            AGIHangup: The call is over, and the command needs a live channel.
            AGIAppError: Asterisk tried and failed.
            AGITimeoutError: The deadline passed. The session stays usable.
            AGIError: Anything else that went wrong; see `pystrix_typed.agi.exceptions`.
            RuntimeError: The session was not started.
            ValueError: The command line is longer than what this Asterisk reads. Nothing was sent.
        """
        link, turn, protocol = self._link, self._turn, self._protocol
        if link is None:
            raise RuntimeError("the session was not started: use it with 'async with'")
        # All in one coroutine: another one would cost as much as reading the reply.
        on_command = self.on_command
        if on_command is not None:
            # What a command that sends nothing must not be taken to have got.
            protocol.reply = None
        began = link.clock()
        limit = self._timeout if timeout is ... else in_seconds(timeout)
        deadline = None if limit is None else began + limit
        try:
            if turn.taken:
                await self._wait_for_turn(action, deadline)
            turn.taken = True
            try:
                link.busy = True
                # Most commands are one line and one answer; the others go on from where that ended.
                line = protocol.begin(action)
                if line:
                    if link.trace is not None:
                        link.trace(True, line)
                    self._write(line)
                    protocol.sending = False
                    if not (link.inbox or link.ended):
                        await (link if deadline is None else link.wait(deadline))
                    protocol.now = link.clock()
                    got = link.take()
                    concluded = protocol.conclude(action, got)
                    if concluded is None:
                        result = await self._drive(protocol.finish(action, got, deadline))
                    else:
                        result = concluded[0]
                else:
                    result = await self._drive(protocol.execute(action, deadline))
            except BaseException:
                self._abandon()
                raise
            finally:
                turn.give()
                link.busy = False
                if link.inbox or link.ended:
                    link.settle()
        except BaseException as error:
            if on_command is not None:
                seconds = link.clock() - began
                agi.observing.tell_command(on_command, action, protocol.reply, seconds, None, error)
            raise
        if on_command is not None:
            seconds = link.clock() - began
            agi.observing.tell_command(on_command, action, protocol.reply, seconds, result)
        return result

    async def _wait_for_turn(self, action: AnyAction, deadline: float | None) -> None:
        if deadline is None:
            await self._turn.take()
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.take()
        except TimeoutError:
            raise AGITimeoutError(
                f"{action.command} was not sent before the deadline: another command is running",
                action=action,
            ) from None

    @property
    def trace(self) -> Trace | None:
        """Called with whether a piece of the dialogue was sent, and the piece; None for nothing."""
        return self._trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._trace = trace
        if self._link is not None:
            self._link.trace = trace

    @property
    def environment(self) -> Environment:
        """The variables that Asterisk sent at the start, typed."""
        if self._environment is None:
            self._environment = Environment(self._variables)
        return self._environment

    @property
    def asterisk_version(self) -> tuple[int, ...]:
        """The numbers of Asterisk's version, to compare: ``(22, 10, 1)``; () when it told none."""
        return self._protocol.asterisk_version

    def get_environment(self) -> dict[str, str]:
        """Give a copy of the ``agi_*`` variables, as Asterisk sent them."""
        return dict(self._variables)

    @property
    def hung_up(self) -> bool:
        """Whether the call is known to be over."""
        return self._protocol.hangup is not None

    def on_hangup(self, callback: Callable[[], object]) -> None:
        """Call `callback` once when the call is found to be over; at once if it already is.

        An exception that it raises is shown on stderr and changes nothing.
        """
        protocol = self._protocol
        protocol.on_hangup.append(guarded(callback))
        # The hangup may have come a moment before, in a signal handler.
        if protocol.hangup is not None:
            protocol.note_hangup()

    @property
    def idle_since(self) -> float | None:
        """When the last command ended, on the loop's clock; None while one is under way."""
        return None if self._turn.taken else self._protocol.now

    async def close(self, why: str = "the session was closed") -> None:
        """End the session: Asterisk goes on with the dialplan. Closing twice does no harm.

        Args:
            why: What a later command's `AGIClosedError` says.
        """
        if not self._closed:
            self._closed = True
            self._protocol.close(why)
            await self._disconnect()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # ---- the driver ----

    async def _drive(self, steps: Exchange[R]) -> R:
        """Run an exchange, or what is left of one, while the link is busy."""
        protocol, link = self._protocol, self._link
        assert link is not None
        clock = link.clock
        protocol.now = clock()
        try:
            data, until = next(steps)
            while True:
                if data:
                    if link.trace is not None:
                        link.trace(True, data)
                    self._write(data)
                    protocol.sending = False
                if not (link.inbox or link.ended):
                    await (link if until is None else link.wait(until))
                protocol.now = clock()
                data, until = steps.send(link.take())
        except StopIteration as end:
            result: R = end.value
            return result

    def _abandon(self) -> None:
        """Leave the exchange that is under way; harmless when none is."""
        link = self._link
        assert link is not None
        fence = self._protocol.abandon(link.clock())
        if fence:
            if link.trace is not None:
                link.trace(True, fence)
            self._write(fence)
            self._protocol.sending = False

    def _write(self, data: bytes) -> None:
        raise NotImplementedError  # abstract

    async def _connect(self) -> Link:
        raise NotImplementedError  # abstract

    async def _disconnect(self) -> None:
        raise NotImplementedError  # abstract


class FastAGI(Session):
    """The session of one FastAGI connection.

    Args:
        connection: A connected socket, or the transport of one; the session owns it from here on,
            and closes it.
        debug: Write the dialogue to stderr.
        timeout: The deadline of a command in seconds (or a `timedelta`), unless `execute` names
            another; None for none.
        handshake_timeout: Seconds to wait for the variables at the start.
        resync_timeout: Seconds that an abandoned command may take to end before the session is
            given up.
        verify_values: Ask Asterisk to prove the end of every value, at one round trip each.
        max_environment: Bytes that the variables may take.
        max_reply: Bytes that one reply may take.
        received: What came from a transport already: the variables whole.
    """

    def __init__(
        self,
        connection: socket.socket | asyncio.Transport,
        debug: bool = False,
        *,
        timeout: float | timedelta | None = None,
        handshake_timeout: float | None = 30.0,
        resync_timeout: float = 30.0,
        verify_values: bool = False,
        max_environment: int = 65_536,
        max_reply: int = 1_048_576,
        received: bytes = b"",
    ) -> None:
        protocol = Protocol(
            resync_timeout=resync_timeout,
            verify_values=verify_values,
            max_environment=max_environment,
            max_reply=max_reply,
        )
        super().__init__(protocol, timeout, handshake_timeout, debug)
        self._connection: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        if isinstance(connection, socket.socket):
            self._connection = connection
            return
        # Of whatever class: uvloop's transports have no base in asyncio.
        self._transport = connection
        self._link = Link(protocol)
        self._link.trace = self._trace
        # From here on no byte goes elsewhere.
        connection.set_protocol(self._link)
        protocol.now = asyncio.get_running_loop().time()
        self._variables = protocol.started(received)

    async def _connect(self) -> Link:
        assert self._connection is not None
        self._connection.setblocking(False)
        loop = asyncio.get_running_loop()
        link = Link(self._protocol)
        # The variables may come before this returns (uvloop): they are for the exchange to come.
        link.busy = True
        transport, _ = await loop.connect_accepted_socket(lambda: link, self._connection)
        self._transport = transport
        return link

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def _disconnect(self) -> None:
        if self._transport is not None and self._link is not None:
            self._transport.close()
            await self._link.closed
        elif self._connection is not None:
            self._connection.close()


def _may_wait(descriptor: int) -> bool:
    """Tell whether a loop can wait for it; uvloop ends the process for one for which it cannot."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


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
