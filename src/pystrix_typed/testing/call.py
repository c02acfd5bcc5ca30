"""A call: its channel, its caller and its AGI session on one timeline, and what came of it.

Nothing here does I/O. Whoever drives the call gives it the bytes that the script sent, takes those
that Asterisk sends, and lets virtual time pass (see `sessions` and `transports`).
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from pystrix_typed.agi.core.catalogue import ENVIRONMENT
from pystrix_typed.testing.channel import NORMAL_CLEARING, UP
from pystrix_typed.testing.dialogue import Dialogue
from pystrix_typed.testing.errors import CallerError
from pystrix_typed.testing.person import Person
from pystrix_typed.testing.timeline import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pystrix_typed.testing.caller import Caller, Step
    from pystrix_typed.testing.channel import (
        Executed,
        Heard,
        HungUpBy,
        Location,
        Recording,
        SimulatedChannel,
    )
    from pystrix_typed.testing.database import Database
    from pystrix_typed.testing.dialogue import AGIStatus
    from pystrix_typed.testing.errors import DialogueError
    from pystrix_typed.testing.faults import Fault
    from pystrix_typed.testing.transcript import Transcript

__all__ = ["SimulatedCall", "environment_of"]

#: A thousandth of a millisecond: what is lost where seconds are added up.
_HAIR = 0.001


class SimulatedCall:
    """One call into a script, and what came of it.

    Made by `SimulatedAsterisk`.

    Args:
        channel: Its channel.
        caller: Who calls, and what they do.
        environment: What Asterisk sends first.
        network: Whether the script is reached over FastAGI.
        eagi: Whether the caller's sound goes to the script.
        faults: What is to go wrong.
        limit: Seconds of virtual time after which the call is taken never to end.
        dead: Whether it is hung up already when the script begins.

    Attributes:
        channel: The channel.
        error: What the handler raised, an `AGIHangup` included, which is how most calls end.
        failure: What went wrong with the caller, or with a replay.
        stderr: What a script wrote to its standard error.
    """

    def __init__(
        self,
        channel: SimulatedChannel,
        caller: Caller,
        environment: Sequence[tuple[str, str]],
        *,
        network: bool,
        eagi: bool = False,
        faults: Sequence[Fault] = (),
        limit: float = 3600.0,
        dead: bool = False,
    ) -> None:
        self.channel = channel
        self.caller = caller
        self.error: BaseException | None = None
        self.failure: DialogueError | None = None
        self.stderr = b""
        if dead:
            channel.hung_up, channel.hung_up_by = True, "caller"
            channel.cause = NORMAL_CLEARING
        self.dialogue: Dialogue = Dialogue(
            channel, environment, network=network, eagi=eagi, faults=faults
        )
        self._person = Person(caller, channel)
        self._limit = milliseconds(limit)
        self._out = b""

    # ---- driving ----

    def begin(self) -> None:
        """Begin the call: Asterisk sends its variables."""
        self.dialogue.begin()
        self._person.begin()

    @property
    def now(self) -> float:
        """The present moment, in seconds of virtual time since the call began."""
        return self.channel.now / 1000

    @property
    def limit(self) -> float:
        """Seconds of virtual time after which it is taken never to end."""
        return self._limit / 1000

    @property
    def over(self) -> bool:
        """Whether Asterisk has ended the session."""
        return self.dialogue.over

    @property
    def ended(self) -> bool:
        """Whether the script has closed its end."""
        return self.dialogue.ended

    @property
    def scripts_turn(self) -> bool:
        """Whether Asterisk waits for the script's next command."""
        return self.dialogue.idle

    @property
    def next_moment(self) -> float | None:
        """When something happens next, in seconds; None when nothing is going to."""
        moment = self.channel.timeline.next
        return None if moment is None else moment / 1000

    def feed(self, data: bytes) -> None:
        """Give Asterisk what the script sent."""
        self.dialogue.feed(data)

    def end(self) -> None:
        """Tell Asterisk that the script closed its end."""
        self.dialogue.end()

    def output(self) -> bytes:
        """Take what Asterisk has sent since the last time."""
        if self._out:
            data, self._out = self._out, b""
            return data + self.dialogue.take()
        return self.dialogue.take()

    def advance(self, until: float | None = None) -> None:
        """Let time pass until Asterisk says something or ends the session.

        Args:
            until: The moment at which to stop in any case, in seconds; None for none. Then a call
                in which nothing more can happen is ended, and `failure` says why.
        """
        timeline = self.channel.timeline
        # A moment between two milliseconds has not passed before the second one.
        last = None if until is None else ceil(until * 1000 - _HAIR)
        while not self._something_to_tell():
            moment = timeline.next
            if last is not None and (moment is None or moment > last):
                timeline.skip(last)
                return
            if moment is None:
                self.get_unstuck()
                if timeline.next is None and not self._something_to_tell():
                    self.dialogue.hang_there()
            elif moment > self._limit and not self.channel.hung_up:
                self.give_up(f"the call has lasted for {self._limit / 1000:g} seconds and goes on")
            else:
                timeline.step()

    def advance_to(self, moment: float) -> None:
        """Let time pass until a moment, in seconds, whatever Asterisk says meanwhile."""
        timeline = self.channel.timeline
        last = int(moment * 1000 + _HAIR)
        while (coming := timeline.next) is not None and coming <= last and not self.over:
            if coming > self._limit and not self.channel.hung_up:
                self.give_up(f"the call has lasted for {self._limit / 1000:g} seconds and goes on")
            else:
                timeline.step()
        timeline.skip(last)

    def _something_to_tell(self) -> bool:
        self._out += self.dialogue.take()
        return bool(self._out) or self.dialogue.over or bool(self.dialogue.signals)

    def press(self, key: str) -> None:
        """Press a key now, beside what the caller's script says: for a person at a terminal."""
        self.channel.timeline.after(0, lambda: self.channel.key(key))

    def pass_time(self, until: float) -> None:
        """Let time pass until a moment, in seconds; what is due by then happens afterwards."""
        self.channel.timeline.skip(int(until * 1000))

    def get_unstuck(self) -> None:
        """End a call in which nothing more is going to happen: the caller hangs up."""
        number, command, running = self.channel.latest_command
        waits = (
            f"{command} waits" if running else "the script says nothing" if number else "nothing"
        )
        step = self._person.waits_for
        if step is None:
            self.give_up(f"nothing more would ever happen: {waits}, and so does the caller")
        else:
            self.give_up(f"{self._in_vain(step)}; meanwhile {waits}")

    def _in_vain(self, step: Step) -> str:
        heard = ", ".join(map(repr, self.heard)) or "nothing"
        return f"the caller {step} in vain, and heard: {heard}".replace(
            "hears", "waited to hear", 1
        ).replace("awaits", "waited for", 1)

    def _excerpt(self) -> list[str]:
        return self.transcript.excerpt(self.transcript.latest_command)

    def give_up(self, why: str) -> None:
        """End a call that would not end by itself: the caller hangs up, and it is an error."""
        if self.failure is None:
            self.failure = CallerError(why, self._excerpt())
        if not self.channel.hung_up:
            self.channel.note("caller", "hangs up: nothing more would happen")
            self.channel.hang_up("caller")

    def leave(self) -> None:
        """End the session without a word, as if the connection was lost."""
        self.dialogue.hang_there()

    def finish(self) -> None:
        """Let Asterisk come to its own end once the script has left, and see that all is well."""
        self.end()
        while not self.over:
            before = self.channel.timeline.next
            self.output()
            self.advance()
            if before is None and self.channel.timeline.next is None:
                break
        timeline = self.channel.timeline
        while timeline.next == timeline.now:
            timeline.step()  # what the caller turns to at the last moment
        step = self._person.waits_for
        # Whoever hung up themselves wait no more; and a mistake of the handler's comes first.
        in_vain = step is not None and self.hung_up_by != "caller" and not self.mistaken
        if step is not None and in_vain and self.failure is None:
            why = f"{self._in_vain(step)}; then the script ended"
            self.failure = CallerError(why, self._excerpt())

    # ---- what came of it ----

    @property
    def played(self) -> list[str]:
        """The sound files that were played, as the script named them."""
        return [sound.name for sound in self.channel.heard if sound.kind == "file"]

    @property
    def said(self) -> list[str]:
        """What SAY commands said, as the script gave it: ``["42"]``."""
        return [sound.name for sound in self.channel.heard if sound.kind not in ("file", "beep")]

    @property
    def heard(self) -> list[str]:
        """All that the caller heard, in order."""
        return [sound.name for sound in self.channel.heard]

    @property
    def sounds(self) -> list[Heard]:
        """All that the caller heard, with times."""
        return list(self.channel.heard)

    @property
    def pressed(self) -> str:
        """The keys that the caller pressed."""
        return self.channel.pressed

    @property
    def texts(self) -> list[str]:
        """The text messages that the caller got."""
        return list(self.channel.texts)

    @property
    def log(self) -> list[str]:
        """What the script wrote with VERBOSE."""
        return list(self.channel.log)

    @property
    def answered(self) -> bool:
        """Whether the call was answered."""
        return self.channel.state == UP

    @property
    def hung_up_by(self) -> HungUpBy | None:
        """Who hung up; None when the call goes on in the dialplan."""
        return self.channel.hung_up_by

    @property
    def variables(self) -> Mapping[str, str]:
        """The channel variables."""
        return self.channel.variables

    @property
    def database(self) -> Database:
        """Asterisk's database, which is that of all its calls."""
        return self.channel.exchange.database

    @property
    def recordings(self) -> list[Recording]:
        """What was recorded."""
        return list(self.channel.recordings)

    @property
    def executed(self) -> list[Executed]:
        """The dialplan applications that were run, each a tuple of its name and its options."""
        return list(self.channel.executed)

    @property
    def location(self) -> Location:
        """Where in the dialplan the call goes on; where it was when it was hung up."""
        return self.channel.location

    @property
    def agistatus(self) -> AGIStatus:
        """What the dialplan finds in AGISTATUS."""
        return self.dialogue.status

    @property
    def duration(self) -> float:
        """How long it was, in seconds of virtual time."""
        return self.now

    @property
    def transcript(self) -> Transcript:
        """What was said and what happened, in order."""
        return self.channel.transcript

    @property
    def undone(self) -> tuple[Step, ...]:
        """What the caller would have done if the call had gone on."""
        return self._person.undone

    @property
    def mistaken(self) -> bool:
        """Whether the handler raised something that is not how calls end."""
        from pystrix_typed.agi.exceptions import AGIHangup

        return self.error is not None and not isinstance(self.error, AGIHangup)

    def raise_errors(self) -> None:
        """Raise what went wrong; an `AGIHangup` that left the handler is not wrong.

        Raises:
            CallerError: The caller waited in vain, or the call would never have ended.
            Exception: What the handler raised.
        """
        __tracebackhide__ = True
        if self.failure is not None:
            # A hangup is how most calls end, and tells nothing.
            raise self.failure from (self.error if self.mistaken else None)
        if self.error is not None and self.mistaken:
            raise self.error

    def __repr__(self) -> str:
        end = f"hung up by the {self.hung_up_by}" if self.hung_up_by else "goes on"
        return f"<SimulatedCall: {self.duration:g} s, {self.agistatus}, {end}>"


def environment_of(
    channel: SimulatedChannel,
    request: str,
    script: str | None,
    arguments: Sequence[str],
    *,
    eagi: bool,
) -> list[tuple[str, str]]:
    """Give the variables that Asterisk sends first, without ``agi_``, those of its version.

    Args:
        channel: Whose call it is.
        request: The first argument of ``AGI()``.
        script: For FastAGI, what follows the slash of the address; None for a script.
        arguments: The further arguments.
        eagi: Whether the caller's sound goes to the script.
    """
    identity, place, release = channel.identity, channel.location, channel.exchange.release
    values = {
        "agi_request": request,
        "agi_channel": channel.name,
        "agi_language": channel.language,
        "agi_type": channel.name.partition("/")[0],
        "agi_uniqueid": channel.unique_id,
        "agi_version": release.version,
        "agi_callerid": identity.number or "unknown",
        "agi_calleridname": identity.name or "unknown",
        "agi_callingpres": str(identity.presentation),
        "agi_callingani2": "0",
        "agi_callington": "0",
        "agi_callingtns": "0",
        "agi_dnid": identity.dialled or "unknown",
        "agi_rdnis": identity.redirecting or "unknown",
        "agi_context": place.context,
        "agi_extension": place.extension,
        "agi_priority": str(place.priority),
        "agi_enhanced": "1.0" if eagi else "0.0",
        "agi_accountcode": identity.account,
        "agi_threadid": str(channel.exchange.calls),
    }
    if script is not None:
        values["agi_network"] = "yes"
        if script:
            values["agi_network_script"] = script
    names = dict.fromkeys(
        row.name for row in ENVIRONMENT if not row.since or release.since(row.since)
    )
    lines = [(name.removeprefix("agi_"), values[name]) for name in names if name in values]
    if "agi_arg_" in names:
        lines += [(f"arg_{number}", value) for number, value in enumerate(arguments, 1)]
    return lines
