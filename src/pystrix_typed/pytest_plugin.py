"""The pytest plugin: calls into call flows as fixtures, and the dialogue of those that failed.

It comes with the package and needs no configuration. Its fixtures are loaded when a test asks for
one; whoever has the package installed and does not use them pays for nothing.

::

    def test_the_menu(agi_call: AgiCall) -> None:
        call = agi_call(menu, caller=Caller().hears("menu").presses("1"))
        assert call.played == ["welcome", "menu"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Sequence
    from typing import Unpack

    from pystrix_typed.agi import FastAGIServer
    from pystrix_typed.agi.aio import FastAGIServer as AioServer
    from pystrix_typed.testing import CallOptions, SimulatedCall
    from pystrix_typed.testing.handlers import AsyncHandler, Handler
else:
    # pytest looks for hooks and fixtures here. Who checks types has no use for them: a test names
    # a fixture's type, which is one of those below.
    from pystrix_typed._pytest_fixtures import *  # noqa: F403

__all__ = ["AgiCall", "AgiCallAsync", "AgiReplay", "AgiScript", "AgiServer", "AgiTranscript"]


class AgiCall(Protocol):
    """Calls a blocking handler; see `SimulatedAsterisk.call`."""

    def __call__(
        self,
        handler: Handler | FastAGIServer,
        script: str = "",
        *,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Place the call, and give what came of it."""
        ...


class AgiCallAsync(Protocol):
    """Calls an asyncio handler; see `SimulatedAsterisk.call_async`."""

    def __call__(
        self,
        handler: AsyncHandler | AioServer,
        script: str = "",
        *,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> Awaitable[SimulatedCall]:
        """Place the call, and give what came of it."""
        ...


class AgiScript(Protocol):
    """Runs an AGI script as Asterisk does; see `SimulatedAsterisk.run_script`."""

    def __call__(
        self,
        path: str | os.PathLike[str],
        *words: str,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Run the script with this Python, and give what came of the call."""
        ...


class AgiServer(Protocol):
    """Runs a server, and calls it over TCP; see `SimulatedAsterisk.call_server`."""

    def __call__(
        self,
        server: FastAGIServer | AioServer,
        script: str = "",
        *,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        """Place a call to the server, which begins to serve with the first one."""
        ...


class AgiReplay(Protocol):
    """Replays a recorded call into a blocking handler; see `RecordedCall.replay`."""

    def __call__(
        self,
        path: str | os.PathLike[str],
        handler: Handler,
        *,
        strict: bool = True,
        hidden: Sequence[str] = (),
        check: bool = True,
    ) -> SimulatedCall:
        """Replay it, and give the call; a relative path is beside the test."""
        ...


class AgiTranscript(Protocol):
    """Compares a call's dialogue with the one that is kept beside the test."""

    def __call__(self, call: SimulatedCall, name: str = "") -> None:
        """Compare it; with ``--update-transcripts`` keep it instead.

        Args:
            call: The call.
            name: For a test with several; by default the test's own name.
        """
        ...
