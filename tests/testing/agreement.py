"""The scenes that real exchanges play, played by the simulated one; and where the two differ.

What a scene's far end and its stage do at a real Asterisk is told here to the simulated one. What
is said must be the same line for line, apart from the differences that `ALLOWED` explains.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pystrix_typed import agi
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.testing import (
    Answered,
    Fault,
    HungUp,
    Recognised,
    SimulatedAsterisk,
    SpeechEngine,
)
from tests.asterisk.configuration import EXTENSIONS
from tests.asterisk.engine import speech_engine
from tests.asterisk.scene import LATER
from tests.asterisk.scenes import ROUTINES, SCENES
from tests.asterisk.stages import (
    Steering,
    broken_sounds,
    no_gosub,
    no_sounds,
    rtp,
)
from tests.transcript import ANSWER, FENCE, built

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.testing import SimulatedCall
    from tests.asterisk.scene import Scene
    from tests.transcript import Take

__all__ = ["ALLOWED", "Agreement", "Difference", "agreement", "summary"]


class Difference(NamedTuple):
    """A difference that is allowed.

    Attributes:
        name: A word or two.
        why: The reason.
        pattern: What of an answer may differ; `None` if the whole is looked at in another way.
        within: By how much, where it is a number.
    """

    name: str
    why: str
    pattern: re.Pattern[bytes] | None
    within: int = 0


ALLOWED = (
    Difference(
        "nonces",
        "a fence's text is drawn anew each time",
        re.compile(rb"fence-[0-9a-f]+-\d+"),
    ),
    Difference(
        "positions",
        "where a sound or a recording is broken off depends on real time and on how the "
        "machine was loaded: within half a second (4,000 samples)",
        re.compile(rb"(?<=endpos=)\d+|(?<=offset=)\d+"),
        4000,
    ),
    Difference(
        "clocks",
        "a recording that ends by itself answers how many milliseconds it took, by the machine's "
        "clock: within 100",
        re.compile(rb"(?<=result=)\d{3,}(?= \(timeout\) endpos)"),
        100,
    ),
    Difference(
        "usage",
        "Asterisk quotes its own documentation; the words here are those of the spec",
        re.compile(rb"(?<=Proper usage follows:\n).*?(?=520 End of proper usage)", re.DOTALL),
    ),
    Difference(
        "notices",
        "Asterisk's notice of a hangup races with the reply that it follows: when it comes a "
        "moment later, the session asks for the channel's state first",
        None,
    ),
)
PATTERNS = [(each, each.pattern) for each in ALLOWED if each.pattern]

NOTICE = b"HANGUP\n"
DEAD = b"511 Command Not Permitted on a dead channel or intercept routine\n"

#: What was sent, and what was answered.
Said: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Spoken(NamedTuple):
    """What was said for one command of a scene."""

    action: str
    outcome: str
    said: Said


#: Milliseconds by which a real far end is ahead of the first command.
_AHEAD = 60
#: Milliseconds of sound after which the engine of the live tests has heard enough.
_HEARS = 300
#: Seconds of the sounds that the scenes use, as `core-sounds-en-gsm` has them.
SOUNDS = {"vm-intro": 5.65, "beep": 0.28}

STAGES: dict[object, dict[str, Any]] = {
    no_sounds: {"sounds": {}, "core_sounds": False},
    broken_sounds: {
        "sounds": {"digits/1": None, "letters/a": None, "phonetic/a_p": None},
        "core_sounds": False,
    },
    no_gosub: {"missing_modules": ["app_stack.so"]},
}


#: What the far end of a scene does that places its own call.
FAR: dict[str, tuple[str, ...]] = {
    "a key, and not speech": ("Wait(0.5)", "SendDTMF(5)"),
    "a hangup, and not speech": ("Wait(0.5)", "Hangup()"),
}

HEARD = 'say "yes" twice'
#: As the engine of the live tests has it: the same text twice, of a grammar that nobody loaded.
UNDERSTOOD = (Recognised(HEARD.upper(), 31, "menu"), Recognised(HEARD, 88, "menu"))

FAULTS: dict[str, tuple[Fault, ...]] = {
    # The far end is gone as soon as the near end answers.
    "gone when answered": (HungUp("ANSWER"),),
    # There is no lock on the simulated database to be held by somebody else.
    "busy database": (
        Answered("DATABASE PUT", "failed"),
        Answered("DATABASE GET", "missing"),
        Answered("DATABASE DEL", "failed"),
    ),
}


def exchange(scene: Scene, version: str) -> SimulatedAsterisk:
    """Make the exchange that a scene plays at."""
    options: dict[str, Any] = {"sounds": SOUNDS, "folders": [""]}
    options |= STAGES.get(scene.stage, {})
    if scene.stage is speech_engine:
        options["speech"] = SpeechEngine("hearing", {HEARD: UNDERSTOOD}, grammars=False)
    lines = [line for line in EXTENSIONS.splitlines() if not line.startswith("#")]
    return SimulatedAsterisk(version, dialplan="\n".join(lines) + ROUTINES, **options)


class _Talk:
    """One scene's session: what is said is kept."""

    def __init__(self, call: SimulatedCall) -> None:
        self._call = call
        self._said: list[tuple[bytes, bytearray]] = []
        call.begin()
        call.output()

    def said(self) -> Said:
        said = tuple((sent, bytes(answer)) for sent, answer in self._said)
        self._said.clear()
        return said

    def send(self, data: bytes) -> None:
        self._said.append((data, bytearray()))
        self._call.feed(data)

    def receive(self, until: float | None) -> bytes | None:
        call = self._call
        data = call.output()
        if not data and not call.over:
            call.advance(until)
            data = call.output()
        self._said[-1][1].extend(data)
        return data or (b"" if call.over else None)

    def ask(self, action: AnyAction, line: bytes) -> None:
        """Give a command, and do what a session does with its reply."""
        protocol = Protocol()
        protocol.now = self._call.now
        steps = protocol.execute(action, None)
        first = True
        try:
            data, until = next(steps)
            while True:
                if data:
                    self.send(line if first else data)
                    first = False
                    protocol.sending = False
                got = self.receive(until)
                protocol.now = self._call.now
                data, until = steps.send(got)
        except (StopIteration, agi.AGIException):
            return

    def interrupt(self, line: bytes, after: float) -> None:
        self.send(line)
        self.receive(self._call.now + after)
        self.send(FENCE)
        while not self._said[-1][1].endswith(ANSWER):
            self.receive(None)


def play(scene: Scene, version: str) -> Iterator[Spoken]:
    """Play a scene, and give what is said."""
    asterisk = exchange(scene, version)
    call = asterisk.prepare(
        answered=scene.answer,
        extension="h" if scene.dead else "near",
        faults=FAULTS.get(scene.name, ()),
        dead=scene.dead,
        eagi=scene.eagi,
        variables=scene.variables,
        text_support=scene.stage is not rtp,
        limit=600.0,
    )
    talk = _Talk(call)
    if "gone" not in scene.name:
        _far(call, FAR.get(scene.name, scene.far.steps[1:]), -_AHEAD)
    major = int(version.partition(".")[0])
    for ask in scene.asked_on(major):
        action = built(ask.action)
        line = action.line if ask.line is None else f"{ask.line}\n".encode()
        if ask.interrupt:
            talk.interrupt(line, ask.interrupt)
        else:
            if ask.far:
                _far(call, (f"Wait({LATER})", ask.far))
            if ask.outcome == "speech":
                call.channel.timeline.after(_HEARS, lambda: call.channel.speak(HEARD))
                call.channel.timeline.after(2 * _HEARS, lambda: call.channel.fall_silent(HEARD))
            if isinstance(ask.meanwhile, Steering):
                act = partial(call.channel.steer, ask.meanwhile.control)
                call.channel.timeline.after(round(LATER * 1000), act)
            talk.ask(action, line)
        yield Spoken(ask.action, ask.outcome, talk.said())


def _far(call: SimulatedCall, steps: tuple[str, ...], at: int = 0) -> None:
    """Have the far end run dialplan applications, from now on or `at` milliseconds later."""
    channel = call.channel
    for step in steps:
        name, _, rest = step.partition("(")
        options = rest.removesuffix(")")
        if name == "Wait":
            at += round(float(options) * 1000)
        elif name == "Hangup":
            channel.timeline.after(at, lambda: channel.hang_up("caller"))
        elif name == "SendDTMF":
            keys, gap, hold = (*options.split(","), "250", "100")[:3]
            for key in keys:
                if key == "w":
                    at += 500
                    continue
                at += int(hold)
                channel.timeline.after(at, partial(channel.key, key))
                at += int(gap)
        elif name == "SendText":
            if options.startswith("${BASE64"):
                options = "l1 (a)\nl2 )"
            channel.timeline.after(at, partial(channel.text, options))


def compare(real: Said, ours: Said) -> str:
    """Give what differs that may not; empty for nothing."""
    if _late(real, ours):
        real, ours = _without_notice(real), _without_notice(ours)
    if len(real) != len(ours):
        return f"{len(real)} exchanges, and here {len(ours)}: {real} / {ours}"
    for (sent, answer), (our_sent, our_answer) in zip(real, ours, strict=True):
        for one, other in ((sent, our_sent), (answer, our_answer)):
            if _plain(one) != _plain(other):
                return f"{one!r}, and here {other!r}"
            for difference, pattern in PATTERNS:
                if difference.within and not _near(one, other, pattern, difference.within):
                    return f"{one!r}, and here {other!r}"
    return ""


def _late(real: Said, ours: Said) -> bool:
    """Say whether both tell of a hangup, and one of them later than the other."""
    return len(real) != len(ours) and all(
        any(answer.startswith(NOTICE) or b"\n" + NOTICE in answer for _, answer in said)
        for said in (real, ours)
    )


def _without_notice(said: Said) -> Said:
    """Leave out the notice of a hangup, and the question that a session asks when it is late."""
    if said[-1] == (b"CHANNEL STATUS\n", NOTICE + DEAD):
        said = said[:-1]
    return tuple((sent, answer.replace(b"\n" + NOTICE, b"\n")) for sent, answer in said)


def _plain(line: bytes) -> bytes:
    for _, pattern in PATTERNS:
        line = pattern.sub(b"...", line)
    return line


def _near(one: bytes, other: bytes, pattern: re.Pattern[bytes], within: int) -> bool:
    numbers = [map(int, pattern.findall(line)) for line in (one, other)]
    return all(abs(a - b) <= within for a, b in zip(*numbers, strict=True))


class Agreement(NamedTuple):
    """How a scene's takes compare with what the simulated Asterisk says.

    Attributes:
        lines: Lines that Asterisk sent, and that agree.
        allowed: How often each allowed difference was met, by its name.
        problems: What differs that may not.
    """

    lines: int
    allowed: Counter[str]
    problems: tuple[str, ...]


def agreement(scene: Scene, version: str, takes: Iterable[Take]) -> Agreement:
    """Compare what was said at an exchange of some version with what is said here."""
    waiting: dict[tuple[str, str], list[Take]] = {}
    for take in takes:
        waiting.setdefault((take.action, take.outcome), []).append(take)
    lines, allowed, problems = 0, Counter[str](), list[str]()
    for spoken in play(scene, version):
        key = (spoken.action, spoken.outcome)
        if not waiting.get(key):
            problems.append(f"{spoken.action}, {spoken.outcome}: the real one was not asked")
            continue
        real = waiting[key].pop(0).said
        problem = compare(real, spoken.said)
        if problem:
            problems.append(f"{spoken.action}, {spoken.outcome}: {problem}")
            continue
        lines += sum(answer.count(b"\n") for _, answer in real)
        allowed["notices"] += _late(real, spoken.said)
        # What a late notice adds comes last: there is nothing else in it that may differ.
        for (_, one), (_, other) in zip(real, spoken.said, strict=False):
            for difference, pattern in PATTERNS:
                pairs = zip(*map(pattern.findall, (one, other)), strict=True)
                allowed[difference.name] += sum(a != b for a, b in pairs)
    problems += [
        f"{action}, {outcome}: only the real one was asked"
        for (action, outcome), left in waiting.items()
        if left
    ]
    return Agreement(lines, allowed, tuple(problems))


def summary(versions: Mapping[str, Mapping[str, Iterable[Take]]]) -> Iterator[str]:
    """Say how much agrees with each version, and what the allowed differences are.

    Args:
        versions: The takes by version and scene.
    """
    scenes = {scene.name: scene for scene in SCENES}
    met: Counter[str] = Counter()
    for version, by_scene in versions.items():
        found = [
            agreement(scenes[name], version, takes)
            for name, takes in by_scene.items()
            if name in scenes
        ]
        agreeing = [each for each in found if not each.problems]
        lines = sum(each.lines for each in found)
        for each in found:
            met.update(each.allowed)
        yield (
            f"{version}: {len(agreeing)} of {len(found)} scenes, {lines} reply lines, line for line"
        )
        for each in found:
            yield from (f"DIFFERS: {problem}" for problem in each.problems)
    yield "Differences that are allowed, and how often they were met:"
    for difference in ALLOWED:
        yield f"  {difference.name} ({met[difference.name]}): {difference.why}"
