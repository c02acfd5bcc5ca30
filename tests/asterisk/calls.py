"""One call: what it is to do, the dialplan made from that, and the grip on it while it lasts.

A call has two ends. The near end is the exchange's: it runs the AGI session, in dialplan generated
for this call. The far end is the caller's: it waits, presses keys and hangs up, by script or live.

Texts from a test reach the dialplan through files (``${FILE(...)}``), never through its syntax, so
that any content arrives as it is. The near end records in files too: each step that it continues
at, and at the very end, in a hangup handler, the variables that the test asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from .console import quoted
from .isolation import INSIDE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .exchange import Exchange

__all__ = ["Call", "CallPlan", "Caller", "Ending", "Far", "Step"]

TRACE = "Set(FILE(${PYSTRIX_CALL}/trace,,,al,u)=${CONTEXT},${EXTEN},${PRIORITY})"
"""The application that records the step it stands at; usable in extra dialplan."""

_PLAIN = re.compile(r"[\w.:/@?&=+*#-]+", re.ASCII)
_STAY = "Wait(3600)"


class Caller(NamedTuple):
    """Who is calling; an empty part is left unset."""

    number: str = ""
    name: str = ""


NOBODY = Caller()


class Step(NamedTuple):
    """A place in the dialplan that a call came to."""

    context: str
    extension: str
    priority: int


@dataclass(frozen=True)
class Far:
    """The script of the far end: ``Far().wait(0.5).press("1#").hangup()``.

    It begins when the near end answers. As a telephone does, it sends sound all the time: silence,
    unless told otherwise. After the last step it stays on the line until the near end hangs up.
    """

    steps: tuple[str, ...] = ("Playtones(0)",)

    def wait(self, seconds: float) -> Far:
        """Do nothing for a while."""
        return self.run(f"Wait({seconds:g})")

    def press(self, keys: str, *, hold: int = 100, gap: int = 50) -> Far:
        """Press keys (``0-9*#A-D``; ``w`` pauses half a second), times in milliseconds."""
        return self.run(f"SendDTMF({keys},{gap},{hold})")

    def play(self, sound: str) -> Far:
        """Play a sound file (name without extension) to its end, then send silence."""
        return self.run(f"Playback({sound})").silence()

    def tone(self, hertz: int = 440) -> Far:
        """Send a tone from here on."""
        return self.run(f"Playtones({hertz})")

    def silence(self) -> Far:
        """Send silence from here on."""
        return self.run("Playtones(0)")

    def mute(self) -> Far:
        """Send nothing at all from here on, not even silence."""
        return self.run("StopPlaytones()")

    def hangup(self) -> Far:
        """Hang up."""
        return self.run("Hangup()")

    def run(self, application: str) -> Far:
        """Run a dialplan application, as in ``SendText(hello)``."""
        return replace(self, steps=(*self.steps, application))

    @property
    def sound(self) -> str:
        """The application that makes the sound which the far end sends after the last step."""
        sounds = [step for step in self.steps if "Playtones(" in step]
        return sounds[-1] if sounds else "StopPlaytones()"


@dataclass(frozen=True)
class CallPlan:
    """What a call is to do; see `Exchange.call` for the meaning of each."""

    agi: str | None = None
    args: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    caller: Caller = NOBODY
    answer: bool = True
    far: Far = Far()
    eagi: bool = False
    dead: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()

    def write(self, folder: Path, number: int) -> str:
        """Write the texts of the call into its folder and return its dialplan."""
        inside = f"{INSIDE}/calls/{number}"
        (folder / "given").mkdir(parents=True)
        (folder / "left").mkdir()
        near = [
            f"Set(PYSTRIX_CALL={inside})",
            f"Set(CHANNEL(hangup_handler_push)=ending-{number},s,1)",
            f"Set(FILE({inside}/near)=${{CHANNEL}})",
        ]
        settings = dict(self.variables)
        if self.caller.number:
            settings["CALLERID(num)"] = self.caller.number
        if self.caller.name:
            settings["CALLERID(name)"] = self.caller.name
        for index, (name, value) in enumerate(settings.items()):
            text = _text(value, folder / "given", f"{inside}/given", str(index))
            near.append(f"Set({name}={text})")
        near += self.before
        if self.answer:
            near.append("Answer()")
        session: list[str] = []
        if self.agi is not None:
            words = ",".join([_argument(self.agi), *map(_argument, self.args)])
            data = _text(words, folder / "given", f"{inside}/given", "agi")
            session = [f"{'EAGI' if self.eagi else 'AGI'}({data})", TRACE]
        session += self.after
        lines = [f"[call-{number}]"]
        if self.dead:
            lines += _extension("near", [*near, "Hangup()"]) + _extension("h", session)
        else:
            lines += _extension("near", [*near, *session, "Hangup()"])
        ending = [
            f"Set(FILE({inside}/left/{index})=${{{name}}})"
            for index, name in enumerate(("AGISTATUS", "HANGUPCAUSE", *self.watch))
        ]
        ending += [f"Set(FILE({inside}/ended)=1)", "Return()"]
        lines += [f"[ending-{number}]", *_extension("s", ending)]
        far = [f"Set(FILE({inside}/far)=${{CHANNEL}})", *self.far.steps, _STAY]
        # A redirect stops the sound that the far end sends, so it begins anew.
        live = ["Exec(${SOUND})", "Wait(${DELAY})", "Exec(${DEED})"]
        live += [f"Set(FILE({inside}/done,,,al,u)=1)", _STAY]
        lines += [f"[far-{number}]", *_extension("far", far), *_extension("live", live), ""]
        return "\n".join(lines)


@dataclass(frozen=True)
class Ending:
    """How a call ended on the near end.

    Attributes:
        agi_status: The variable AGISTATUS: SUCCESS, FAILURE, NOTFOUND, HANGUP, or empty.
        cause: The hangup cause, as in Q.850; 0 when there is none.
        variables: Those that were watched; one that was not set is empty.
        trace: The steps that the call came to after the AGI session, in order. Empty when the
            session ended with the caller gone.
    """

    agi_status: str
    cause: int
    variables: Mapping[str, str]
    trace: tuple[Step, ...]


class Call:
    """A call in progress; as a context manager it ends with the block at the latest."""

    def __init__(self, exchange: Exchange, number: int, plan: CallPlan, folder: Path) -> None:
        """Made by `Exchange.call`."""
        self.number = number
        self.plan = plan
        self._exchange = exchange
        self._folder = folder
        self._sound = plan.far.sound
        self._deeds = 0

    @property
    def context(self) -> str:
        """The context that the AGI session runs in; its extension is ``near``, or ``h``."""
        return f"call-{self.number}"

    @property
    def channel(self) -> str:
        """The name of the near end's channel, which runs the AGI session."""
        return self._read_when_there("near", "the call to begin")

    @property
    def far_channel(self) -> str:
        """The name of the far end's channel."""
        return f"{self.channel.rpartition(';')[0]};1"

    @property
    def ended(self) -> bool:
        """Whether the near end has ended."""
        return (self._folder / "ended").exists()

    def trace(self) -> tuple[Step, ...]:
        """Return the steps that the near end has come to after the AGI session."""
        steps: list[Step] = []
        for line in self._read("trace").splitlines():
            context, extension, priority = line.split(",")
            steps.append(Step(context, extension, int(priority)))
        return tuple(steps)

    def press(self, keys: str, *, after: float = 0.1, hold: int = 100, gap: int = 50) -> None:
        """Press keys on the far end, live (as soon as the near end has answered).

        Returns at once, while the keys are still being sent, 150 ms each. What the far end is told
        live follows in order; the rest of its script is dropped, and then it stays on the line.

        Args:
            keys: ``0-9*#A-D``; ``w`` pauses half a second.
            after: Seconds before the first key, which leave the test the time to send the command
                that shall see it: Asterisk drops a key that comes while no command waits for it.
            hold: Milliseconds that each key is held.
            gap: Milliseconds between keys.
        """
        self.far_runs(f"SendDTMF({keys},{gap},{hold})", after=after)

    def tone(self, hertz: int = 440) -> None:
        """Let the far end send a tone from now on."""
        self._sound = f"Playtones({hertz})"
        self.far_runs("NoOp()")

    def silence(self) -> None:
        """Let the far end send silence from now on."""
        self.tone(0)

    def far_runs(self, application: str, *, after: float = 0.0) -> None:
        """Let the far end run a dialplan application, as `press` does."""
        self._settle()
        self._read_when_there("far", "the near end to answer")
        channel = self.far_channel
        settings = {"SOUND": self._sound, "DELAY": f"{after:g}", "DEED": application}
        for name, value in settings.items():
            self._exchange.console(f"dialplan set chanvar {channel} {name} {quoted(value)}")
        self._exchange.console(f"channel redirect {channel} far-{self.number},live,1")
        self._deeds += 1

    def hangup(self) -> None:
        """Hang up the far end, after the keys that it is pressing; before the answer too."""
        channel = self.far_channel
        self._settle()
        self._exchange.console(f"channel request hangup {channel}")

    def drop(self) -> None:
        """Hang up the near end, as an operator would: ``channel request hangup``."""
        self._exchange.console(f"channel request hangup {self.channel}")

    def redirect(self, context: str, extension: str, priority: int | str = 1) -> None:
        """Send the near end elsewhere in the dialplan, in the middle of whatever it does."""
        place = f"{context},{extension},{priority}"
        self._exchange.console(f"channel redirect {self.channel} {place}")

    def wait(self, timeout: float = 10.0) -> Ending:
        """Wait for the end of the call and say how it ended.

        It goes on as long as its AGI session does: close that first, or wait on another thread.

        Raises:
            TimeoutError: The call still goes on.
        """
        self._exchange.wait_until(lambda: self.ended, timeout, f"call {self.number} to end")
        left = [self._read(f"left/{index}") for index in range(2 + len(self.plan.watch))]
        return Ending(
            agi_status=left[0],
            cause=int(left[1] or 0),
            variables=dict(zip(self.plan.watch, left[2:], strict=True)),
            trace=self.trace(),
        )

    def __enter__(self) -> Self:
        """Return the call itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_details: object) -> None:
        """Hang up if nobody has, and wait for the end (a running AGI command may take its time).

        After an exception it only hangs up: the AGI session may still be open, and waiting for it
        would hide what happened.
        """
        if self.ended:
            return
        self._exchange.end_channels(self.number)
        if kind is None:
            self._exchange.wait_until(lambda: self.ended, 10, f"call {self.number} to be cut off")

    def __repr__(self) -> str:
        """Tell which call it is and how it stands."""
        return f"<Call {self.number} {'ended' if self.ended else 'going on'}: {self.plan.agi}>"

    def _settle(self) -> None:
        def settled() -> bool:
            return self.ended or len(self._read("done").splitlines()) >= self._deeds

        self._exchange.wait_until(settled, 10, "the far end to be ready")

    def _read_when_there(self, name: str, what: str) -> str:
        self._exchange.wait_until(lambda: self._read(name) != "", 5, what)
        return self._read(name).strip()

    def _read(self, name: str) -> str:
        try:
            data = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return ""
        return data.decode(errors="surrogateescape")


def _extension(name: str, applications: list[str]) -> list[str]:
    first, *others = applications or ["NoOp()"]
    return [f"exten => {name},1,{first}", *(f" same => n,{other}" for other in others)]


def _text(value: str, folder: Path, inside: str, name: str) -> str:
    """Return dialplan that stands for a text, by way of a file unless it is plain."""
    if value == "" or _PLAIN.fullmatch(value):
        return value
    (folder / name).write_bytes(value.encode(errors="surrogateescape"))
    return f"${{FILE({inside}/{name})}}"


def _argument(value: str) -> str:
    """Escape what separates and groups the arguments of an application."""
    return re.sub(r'([\\,"()\[\]])', r"\\\1", value)
