"""The asyncio session; `AGI` and `FastAGI` say over what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from pystrix_typed import agi
from pystrix_typed.agi.aio.link import Turn
from pystrix_typed.agi.core.environment import Environment
from pystrix_typed.agi.exceptions import AGITimeoutError
from pystrix_typed.agi.session import guarded, in_seconds, show

if TYPE_CHECKING:
    from datetime import timedelta
    from types import EllipsisType, TracebackType

    from pystrix_typed.agi.aio.link import Link
    from pystrix_typed.agi.observing import CommandEvent
    from pystrix_typed.agi.protocol import Exchange, Protocol
    from pystrix_typed.agi.record import Action, AnyAction

__all__ = ["Session"]

R = TypeVar("R")
Trace: TypeAlias = Callable[[bool, bytes], object]


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
