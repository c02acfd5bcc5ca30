"""A call that is shown as it goes on, in which the person at the terminal may press the keys."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from pystrix_typed.testing.transports import SocketConnection

if TYPE_CHECKING:
    import socket

    from pystrix_typed.cli.keyboard import Keyboard
    from pystrix_typed.cli.screen import Screen
    from pystrix_typed.testing import SimulatedCall

__all__ = ["Shown", "converse_live"]

_HELP = "  Press 0 to 9, *, # or a to d; h hangs up, ? shows this line."
#: Seconds after which it is looked again, whatever happens.
_TURN = 0.2


class Shown(SocketConnection):
    """A connection whose dialogue is shown as it goes on."""

    def __init__(
        self, connection: socket.socket, call: SimulatedCall, screen: Screen | None
    ) -> None:
        super().__init__(connection)
        self._call = call
        self._screen = screen
        self._seen = 0

    def send(self, data: bytes) -> None:
        """Send what Asterisk says, and show it."""
        super().send(data)
        self.show()

    def receive(self, timeout: float | None) -> bytes | None:
        """Show what there is before waiting for what the script says."""
        self.show()
        return super().receive(timeout)

    def note(self, text: str) -> None:
        """Tell the person something in between."""
        if self._screen is not None:
            self._screen.note(text)

    def show(self) -> None:
        """Show what has come about since the last time."""
        if self._screen is None:
            return
        for entry in self._call.transcript[self._seen :]:
            self._seen += 1
            if entry.source == "script":
                self._screen.sent(entry.text)
            elif entry.source == "asterisk":
                self._screen.received(entry.text)
            else:
                self._screen.note(f"  {entry.time:8.2f}  {entry.text}")


def converse_live(
    call: SimulatedCall,
    shown: Shown,
    connection: socket.socket,
    keyboard: Keyboard,
) -> None:
    """Hold a call in real time, while the person at the terminal presses the keys."""
    began = time.monotonic()
    sources = [connection.fileno(), keyboard.fileno()]
    call.begin()
    try:
        # Before the help, or the variables would push it off the screen.
        shown.send(call.output())
        shown.note(_HELP)
        while not call.over:
            data = call.output()
            if data and not call.dialogue.cut:
                shown.send(data)
                continue
            shown.show()
            now = time.monotonic() - began
            wait = _TURN if call.next_moment is None else max(0.0, call.next_moment - now)
            ready, _, _ = select.select(sources, [], [], min(wait, _TURN))
            call.advance_to(time.monotonic() - began)
            received = shown.receive(0) if sources[0] in ready else None
            if received:
                call.feed(received)
            elif received is not None:
                call.end()
            for key in keyboard.pressed() if sources[1] in ready else ():
                if key == "?":
                    shown.note(_HELP)
                elif key == "H":
                    call.channel.hang_up("caller")
                elif not call.channel.hung_up:
                    call.channel.key(key)
    finally:
        shown.close()
    call.finish()
