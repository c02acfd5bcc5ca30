"""Text messages and pictures in a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.answers import Answer, Table, done, failed
from pystrix_typed.testing.happening import Wait
from pystrix_typed.testing.tokens import leading_integer

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import SimulatedChannel
    from pystrix_typed.testing.happening import Activity

__all__ = ["TEXT"]

TEXT = Table()
_FAILS_WITHOUT_SUPPORT = ("13.22.0", "15.5.0", "16.0.0")


@TEXT.command("SEND TEXT", 1)
def _send_text(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    text = arguments[0]
    if not text:
        return done(0)
    if not channel.text_support:
        return failed(-1) if channel.exchange.release.since(*_FAILS_WITHOUT_SUPPORT) else done(0)
    channel.texts.append(text)
    channel.note("call", f"the caller reads {text!r}")
    return done(0)


@TEXT.command("SEND IMAGE", 1)
def _send_image(channel: SimulatedChannel, arguments: list[str]) -> Answer:
    channel.images.append(arguments[0])
    return done(0)


def _receive(channel: SimulatedChannel, timeout: int) -> Activity[str | None]:
    """Wait for a text; None when none comes, whatever the reason."""
    if timeout == 0:
        return None
    happening = yield Wait(None if timeout < 0 else channel.now + timeout, ("text",))
    return happening.value if happening.kind == "text" else None


@TEXT.command("RECEIVE CHAR", 1)
def _receive_char(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    text = yield from _receive(channel, leading_integer(arguments[0]))
    if text is None:
        return failed("-1 (hangup)")
    first = text.encode("utf-8", "surrogateescape")[:1]
    if first in (b"", b"\0"):
        return done("0 (timeout)")
    return done(first[0])


@TEXT.command("RECEIVE TEXT", 1)
def _receive_text(channel: SimulatedChannel, arguments: list[str]) -> Activity[Answer]:
    text = yield from _receive(channel, leading_integer(arguments[0]))
    return done(-1) if text is None else done(f"1 ({text})")
