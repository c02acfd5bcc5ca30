"""Talking to a simulated call line by line, without any session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing import SimulatedAsterisk

if TYPE_CHECKING:
    from typing import Unpack

    from pystrix_typed.testing import CallOptions, SimulatedCall

__all__ = ["Talk"]


class Talk:
    """A call to which lines are sent.

    Args:
        asterisk: The exchange.
        **options: Of the call.
    """

    def __init__(
        self, asterisk: SimulatedAsterisk | None = None, **options: Unpack[CallOptions]
    ) -> None:
        self.call: SimulatedCall = (asterisk or SimulatedAsterisk(sounds={})).prepare(**options)
        self.call.begin()
        self.call.output()

    def __call__(self, line: str) -> str:
        """Send a line and give what is answered, without the last line feed."""
        self.call.feed(line.encode("utf-8", "surrogateescape") + b"\n")
        answer = b""
        while not answer or self.call.channel.busy:
            self.call.advance()
            answer += self.call.output()
            if self.call.over:
                break
        return answer.decode("utf-8", "surrogateescape").removesuffix("\n")

    def interrupted(self, line: str, after: float) -> str:
        """Send a line, and a NOOP some seconds later; give what is answered to both."""
        self.call.feed(line.encode() + b"\n")
        self.call.advance(self.call.now + after)
        assert self.call.output() == b""
        return self("NOOP")
