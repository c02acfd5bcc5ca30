"""The caller's part of a call: does the steps of a `Caller` at their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.testing.caller import Awaits, HangsUp, Hears, Presses, Says, Sends, Waits
from pystrix_typed.testing.timeline import milliseconds

if TYPE_CHECKING:
    from pystrix_typed.testing.caller import Caller, Step
    from pystrix_typed.testing.channel import Heard, SimulatedChannel

__all__ = ["Person"]


class Person:
    """Somebody on the line.

    Args:
        caller: What they do.
        channel: Their call.
    """

    def __init__(self, caller: Caller, channel: SimulatedChannel) -> None:
        self._channel = channel
        self._left = list(caller.steps)
        # What has been listened to, and which command has been awaited.
        self._heard = 0
        self._met = 0
        self._listening = False

    @property
    def undone(self) -> tuple[Step, ...]:
        """The steps that are yet to do, the one under way first."""
        return tuple(self._left)

    @property
    def waits_for(self) -> Hears | Awaits | None:
        """What the person waits for the script to do, if they do."""
        step = self._left[0] if self._left else None
        return step if isinstance(step, (Hears, Awaits)) and self._listening else None

    def begin(self) -> None:
        """Pick up the telephone."""
        self._channel.on_sound.append(self._look)
        self._channel.on_command.append(self._look)
        self._channel.timeline.after(0, self._go_on)

    def _done(self) -> None:
        if self._left:
            self._left.pop(0)
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next step."""
        if not self._left or self._channel.hung_up:
            return
        step, channel = self._left[0], self._channel
        if channel.dialogue.over and not isinstance(step, (Hears, Awaits)):
            return  # what they would do in the rest of the call is not seen
        match step:
            case Waits():
                self._after(step.seconds)
            case Presses():
                self._press(step, 0)
            case Hears() | Awaits():
                self._listening = True
                self._look()
            case Says():
                channel.note("caller", str(step))
                channel.speak(step.words)
                channel.timeline.after(milliseconds(step.seconds), lambda: self._fall_silent(step))
            case Sends():
                channel.note("caller", str(step))
                channel.text(step.text)
                self._done()
            case HangsUp():
                self._left.pop(0)
                channel.note("caller", str(step))
                channel.hang_up("caller")

    def _after(self, seconds: float) -> None:
        self._channel.timeline.after(milliseconds(seconds), self._done)

    def _press(self, step: Presses, index: int) -> None:
        if self._channel.hung_up or self._channel.dialogue.over:
            return
        if index == len(step.keys):
            self._done()
            return

        def release() -> None:
            if not self._channel.hung_up:
                self._channel.key(step.keys[index])
                self._channel.timeline.after(
                    milliseconds(step.gap), lambda: self._press(step, index + 1)
                )

        self._channel.timeline.after(milliseconds(step.hold), release)

    def _fall_silent(self, step: Says) -> None:
        if not self._channel.hung_up:
            self._channel.fall_silent(step.words)
            self._done()

    # ---- listening ----

    def _look(self) -> None:
        """See whether what the person waits for has come."""
        if not self._listening:
            return
        match self._left[0]:
            case Hears() as step:
                self._look_for_sound(step)
            case Awaits() as step:
                self._look_for_command(step)
            case _:
                pass

    def _look_for_sound(self, step: Hears) -> None:
        for index, sound in enumerate(self._channel.heard[self._heard :], self._heard):
            if sound.name != step.what:
                continue
            if sound.end is None and step.only is None:
                return  # it is being played
            self._listening = False
            self._heard = index + 1
            if sound.end is None and step.only is not None:
                self._hear_some(sound, step.only)
            else:
                self._soon()
            return

    def _hear_some(self, sound: Heard, seconds: float) -> None:
        self._channel.timeline.at(sound.start + milliseconds(seconds), self._done)

    def _look_for_command(self, step: Awaits) -> None:
        number, name, running = self._channel.latest_command
        if running and number > self._met and step.command in ("", name):
            self._listening = False
            self._met = number
            self._soon()

    def _soon(self) -> None:
        # Not at once: what is being told to the person is to be told to the end first.
        self._channel.timeline.after(0, self._done)
