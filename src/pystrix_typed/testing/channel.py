"""The channel of a call: its state, what happens to it, and the command that is under way on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypeVar, cast

from pystrix_typed.testing.happening import Happening, Wait
from pystrix_typed.testing.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from pystrix_typed.testing.dialogue import Dialogue
    from pystrix_typed.testing.exchange import Exchange
    from pystrix_typed.testing.happening import Activity
    from pystrix_typed.testing.timeline import Appointment, Timeline
    from pystrix_typed.testing.transcript import Source

__all__ = [
    "Executed",
    "Frame",
    "Heard",
    "HungUpBy",
    "Identity",
    "Location",
    "Recording",
    "SimulatedChannel",
]

R = TypeVar("R")

#: Who ended a call; ``asterisk`` is a time limit, or the dialplan.
HungUpBy: TypeAlias = Literal["caller", "script", "asterisk"]

RINGING, UP = 4, 6
#: Hangup cause of Q.850: normal clearing.
NORMAL_CLEARING = 16


class Location(NamedTuple):
    """A place in the dialplan."""

    context: str
    extension: str
    priority: int


class Frame(NamedTuple):
    """A routine of the dialplan under way.

    Attributes:
        back: Where the call came from.
        hidden: The variables that are the routine's own, and the values that they hide.
    """

    back: Location
    hidden: dict[str, str | None]


class Executed(NamedTuple):
    """A dialplan application that was run, by EXEC or in a routine."""

    application: str
    options: str


@dataclass
class Heard:
    """Something that was played or said to the caller.

    Attributes:
        name: The sound file as the script named it, or what a SAY command was to say.
        kind: ``file``; ``beep`` for what RECORD FILE plays by itself; or the word behind SAY in
            small letters: ``number``, ``digits``, ``date``...
        start: When it began, in milliseconds since the call did.
        end: When it ended; None while it goes on.
        whole: Whether it was played to its end.
    """

    name: str
    kind: str
    start: int
    end: int | None = None
    whole: bool = False


class Recording(NamedTuple):
    """What RECORD FILE wrote.

    Attributes:
        name: The file, without extension.
        format: Its extension.
        seconds: How long it is.
        ended_by: What ended it.
        words: What the caller said meanwhile.
    """

    name: str
    format: str
    seconds: float
    ended_by: Literal["digit", "time", "silence", "hangup"]
    words: tuple[str, ...] = ()


@dataclass
class Identity:
    """Who calls whom; empty where there is none.

    Attributes:
        number: The caller's number.
        name: The caller's name.
        dialled: The number that was called (DNID).
        redirecting: The number that the call was diverted from (RDNIS).
        presentation: Whether number and name may be shown: 0 allowed, 32 prohibited.
        account: The account code.
    """

    number: str = ""
    name: str = ""
    dialled: str = ""
    redirecting: str = ""
    presentation: int = 0
    account: str = ""


@dataclass
class SimulatedChannel:
    """One channel.

    Attributes:
        exchange: The Asterisk that it is on.
        timeline: The clock of its call.
        name: As in ``PJSIP/caller-00000001``.
        unique_id: As in ``1767225600.1``.
        identity: Who calls whom.
        location: Where in the dialplan it is.
        state: 4 while it rings, 6 once it is answered.
        language: Of the sounds.
        variables: The channel variables.
        transcript: What was said and what happened.
        heard: What was played and said to the caller.
        recordings: What was recorded.
        executed: The applications that were run.
        pressed: The keys that the caller pressed.
        texts: What SEND TEXT sent to the caller.
        images: What SEND IMAGE sent.
        log: What VERBOSE wrote.
        music: The class of the music on hold that is playing; empty when there is none.
        music_class: The class that it plays unless another is named.
        answered_at: When it was answered, in milliseconds; None before.
        hung_up: Whether the call is over.
        hung_up_by: Who ended it.
        cause: The hangup cause of Q.850.
        hangup_source: What ``CHANNEL(hangupsource)`` tells.
        speaking: Whether the caller is speaking.
        voice_changed: When the caller last began or ended to speak, in milliseconds.
        spoken: When they spoke: the beginning and the end of each time, None while it lasts.
        on_sound: Called when a sound begins or ends.
        on_command: Called when a command begins.
        latest_command: The number and the words of the latest command, and whether it runs.
        frames: The dialplan's routines under way.
        text_support: Whether the channel carries text messages.
    """

    exchange: Exchange
    timeline: Timeline
    name: str
    unique_id: str
    identity: Identity
    location: Location
    state: int = RINGING
    language: str = "en"
    variables: dict[str, str] = field(default_factory=dict[str, str])
    transcript: Transcript = field(default_factory=Transcript)
    heard: list[Heard] = field(default_factory=list[Heard])
    recordings: list[Recording] = field(default_factory=list[Recording])
    executed: list[Executed] = field(default_factory=list[Executed])
    pressed: str = ""
    texts: list[str] = field(default_factory=list[str])
    images: list[str] = field(default_factory=list[str])
    log: list[str] = field(default_factory=list[str])
    music: str = ""
    music_class: str = ""
    answered_at: int | None = None
    hung_up: bool = False
    hung_up_by: HungUpBy | None = None
    cause: int = 0
    hangup_source: str = ""
    speaking: bool = False
    voice_changed: int = 0
    spoken: list[tuple[int, int | None]] = field(default_factory=list[tuple[int, "int | None"]])
    words: list[str] = field(default_factory=list[str])
    on_sound: list[Callable[[], object]] = field(default_factory=list["Callable[[], object]"])
    on_command: list[Callable[[], object]] = field(default_factory=list["Callable[[], object]"])
    latest_command: tuple[int, str, bool] = (0, "", False)
    frames: list[Frame] = field(default_factory=list[Frame])
    text_support: bool = True
    digit_timeout: int = 5000
    response_timeout: int = 10_000

    def __post_init__(self) -> None:
        self._dialogue: Dialogue | None = None
        self._activity: Activity[object] | None = None
        self._then: Callable[[object], object] | None = None
        self._wait: Wait | None = None
        self._timer: Appointment | None = None
        self._limit: Appointment | None = None

    @property
    def dialogue(self) -> Dialogue:
        """The AGI session on this channel."""
        assert self._dialogue is not None
        return self._dialogue

    def attach(self, dialogue: Dialogue) -> None:
        """Set the AGI session."""
        self._dialogue = dialogue

    @property
    def now(self) -> int:
        """The present moment, in milliseconds since the call began."""
        return self.timeline.now

    def note(self, source: Source, text: str) -> None:
        """Write an entry into the transcript."""
        self.transcript.add(self.timeline.now, source, text)

    # ---- what is under way ----

    @property
    def busy(self) -> bool:
        """Whether a command is under way."""
        return self._activity is not None

    @property
    def wait(self) -> Wait | None:
        """What the command under way waits for."""
        return self._wait

    def run(self, activity: Activity[R], then: Callable[[R], object]) -> None:
        """Begin something that takes time.

        Args:
            activity: What to do.
            then: Called with what it returns; before this method ends if it takes no time.
        """
        assert self._activity is None, "one command at a time"
        self._activity = cast("Activity[object]", activity)
        self._then = cast("Callable[[object], object]", then)
        self._go_on(None)

    def happen(self, happening: Happening) -> bool:
        """Tell what is under way that something happened; False if it does not care."""
        wait = self._wait
        if wait is None or happening.kind not in (*wait.kinds, "time", "hangup"):
            return False
        self._go_on(happening)
        return True

    def _go_on(self, happening: Happening | None) -> None:
        activity, then = self._activity, self._then
        assert activity is not None
        assert then is not None
        self._stop_waiting()
        try:
            while True:
                wait = next(activity) if happening is None else activity.send(happening)
                happening = self._at_once(wait)
                if happening is None:
                    break
        except StopIteration as end:
            self._activity = self._then = None
            then(end.value)
            return
        self._wait = wait
        if wait.until is not None:
            self._timer = self.timeline.at(wait.until, lambda: self.happen(Happening("time")))

    def _at_once(self, wait: Wait) -> Happening | None:
        """Give what a wait need not wait for."""
        if self.hung_up and not wait.deaf:
            return Happening("hangup")
        if "line" in wait.kinds and self.dialogue.readable:
            return Happening("line")
        return None

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._wait = None

    # ---- what happens ----

    def happen_line(self) -> None:
        """Tell the command under way that the script sent something."""
        self.happen(Happening("line"))

    def hang_up(self, by: HungUpBy, cause: int = NORMAL_CLEARING) -> None:
        """End the call."""
        if self.hung_up:
            return
        self.hung_up, self.hung_up_by, self.cause = True, by, cause
        if by != "caller":
            self.note("call", "the call is hung up")
        self.set_limit(None)
        self.music = ""
        if self._wait is not None and not self._wait.deaf:
            self._go_on(Happening("hangup"))
        self.dialogue.channel_hung_up()

    def set_limit(self, wait: int | None) -> None:
        """Hang up some milliseconds from now; None for no limit."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if wait is not None:
            self._limit = self.timeline.after(wait, lambda: self.hang_up("asterisk", 0))

    @property
    def time_left(self) -> int | None:
        """The milliseconds until the call is hung up by itself; None without a limit."""
        return None if self._limit is None else self._limit.moment - self.now

    def answer(self) -> None:
        """Answer the call."""
        if self.state != UP:
            self.state, self.answered_at = UP, self.now
            self.note("call", "the call is answered")

    def key(self, key: str) -> None:
        """Take a key that the caller has pressed and released."""
        self.pressed += key
        self.note("caller", f"presses {key}")
        if not self.happen(Happening("key", key)):
            self.note("call", f"the key {key} is lost: nothing listens")

    def speak(self, words: str) -> None:
        """Note that the caller begins to speak."""
        self.speaking, self.voice_changed = True, self.now
        self.spoken.append((self.now, None))
        if words:
            self.words.append(words)
        self.happen(Happening("voice"))

    def fall_silent(self, words: str) -> None:
        """Note that the caller has spoken."""
        self.speaking, self.voice_changed = False, self.now
        self.spoken[-1:] = [(begin, self.now) for begin, _ in self.spoken[-1:]]
        if not (words and self.happen(Happening("words", words))):
            self.happen(Happening("voice"))

    def text(self, text: str) -> None:
        """Take a text message from the caller."""
        self.happen(Happening("text", text))

    def steer(self, control: str) -> None:
        """Steer playback from outside: ``stop``, ``suspend``, ``restart``, ``reverse``..."""
        self.note("call", f"playback is told to {control}")
        self.happen(Happening("control", control))

    def sound_begins(self, kind: str, name: str) -> Heard:
        """Note that a sound begins."""
        sound = Heard(name, kind, self.now)
        self.heard.append(sound)
        self.music = ""
        self.note("call", f"plays {name}" if kind in ("file", "beep") else f"says {kind} {name}")
        for look in self.on_sound:
            look()
        return sound

    def sound_ends(self, sound: Heard, *, whole: bool) -> None:
        """Note that a sound ends."""
        sound.end, sound.whole = self.now, whole
        for look in self.on_sound:
            look()

    def command_begins(self, name: str) -> None:
        """Note that a command begins."""
        self.latest_command = (self.latest_command[0] + 1, name, True)
        for look in self.on_command:
            look()

    def command_ends(self) -> None:
        """Note that the command is over."""
        number, name, _ = self.latest_command
        self.latest_command = (number, name, False)
