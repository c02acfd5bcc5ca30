"""A scene: one real call, the commands that are given on it, and what the far end does meanwhile.

Scenes are data (see `scenes`). `play` puts one on an exchange and gives a `Take` for each command:
what was said byte for byte, and that the runtime made of it what the spec promises.

Each command has a fresh protocol, so that none profits from what the one before it has learnt (that
the channel is dead, for one), and a take can be replayed on its own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pystrix_typed import agi
from pystrix_typed.agi.core.catalogue import BY_CLASS
from pystrix_typed.agi.protocol import Protocol

from ..transcript import ANSWER, FENCE, INTERRUPTED, Take, built, plain, spoken, unkept_promise
from .calls import Far
from .fastagi import Listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Mapping

    from pystrix_typed.agi.record import AnyAction

    from .calls import Call
    from .exchange import Exchange

__all__ = ["Ask", "Place", "Scene", "play"]

R = TypeVar("R")
PATIENCE = 20.0
#: Seconds after which the far end acts: the command has reached its wait by then.
LATER = 0.3


@dataclass(frozen=True)
class Place:
    """Where a scene plays.

    Attributes:
        exchange: The exchange.
        url: What AGI has to connect to.
        call: The call; None if the scene places its own.
    """

    exchange: Exchange
    url: str
    call: Call | None = None

    @property
    def the_call(self) -> Call:
        """The call of a scene that has one."""
        assert self.call is not None
        return self.call


class Ask(NamedTuple):
    """One command.

    Attributes:
        action: The action, as a Python expression.
        outcome: The id of the outcome that it is to have.
        line: What to send in its stead, without line feed: what no action says.
        gives: Fields of the result whose values are known beforehand.
        far: What the far end does meanwhile, as a dialplan application.
        meanwhile: What happens meanwhile otherwise.
        interrupt: Seconds after which a new command is sent before the answer to this one has come.
        only: The releases that it is for; empty for all.
    """

    action: str
    outcome: str
    line: str | None = None
    gives: Mapping[str, object] = {}
    far: str = ""
    meanwhile: Callable[[Place], None] | None = None
    interrupt: float = 0.0
    only: tuple[int, ...] = ()

    @property
    def command(self) -> str:
        """The command words."""
        return BY_CLASS[self.action.partition("(")[0]].name


@dataclass(frozen=True)
class Scene:
    """One call, and what is asked on it; `Exchange.call` explains the settings.

    Attributes:
        name: A word or two, unique.
        asks: The commands, in order.
        stage: What is to be different at the exchange meanwhile.
        bring: How the call is placed when it is not one with two ends: it has to bring AGI to the
            place's URL.
        connect: How the far end of AGI is reached when it is not a URL, given the URL.
        only: The releases that it is for; empty for all.
    """

    name: str
    asks: tuple[Ask, ...]
    far: Far = field(default_factory=Far)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    answer: bool = True
    dead: bool = False
    eagi: bool = False
    stage: Callable[[Exchange], contextlib.AbstractContextManager[None]] | None = None
    bring: Callable[[Place], None] | None = None
    connect: Callable[[Place], str] | None = None
    only: tuple[int, ...] = ()

    def asked_on(self, major: int) -> list[Ask]:
        """The commands that a release is asked."""
        if self.only and major not in self.only:
            return []
        return [ask for ask in self.asks if not ask.only or major in ask.only]


class Talk:
    """One AGI session that keeps what is said."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._said: list[tuple[bytes, bytearray]] = []
        block = b""
        while not block.endswith(b"\n\n"):
            piece = connection.recv(65536)
            assert piece, f"no variables, only {block!r}"
            block += piece

    def said(self) -> tuple[tuple[bytes, bytes], ...]:
        """Give what was said since the last time."""
        said = tuple((sent, bytes(answer)) for sent, answer in self._said)
        self._said.clear()
        return said

    def send(self, data: bytes) -> None:
        """Write a line."""
        self._said.append((data, bytearray()))
        self._connection.sendall(data)

    def receive(self, until: float | None) -> bytes | None:
        """Wait for bytes; None when the moment passed."""
        patience = PATIENCE if until is None else until - time.monotonic()
        self._connection.settimeout(max(patience, 0.001))
        try:
            data = self._connection.recv(65536)
        except TimeoutError:
            assert until is not None, f"no answer within {PATIENCE:g} seconds"
            return None
        self._said[-1][1].extend(data)
        return data

    def execute(self, action: AnyAction) -> object:
        """Drive a protocol of its own through one command."""
        protocol = Protocol()
        protocol.now = time.monotonic()
        steps = protocol.execute(action, None)
        try:
            data, until = next(steps)
            while True:
                if data:
                    self.send(data)
                    protocol.sending = False
                got = self.receive(until)
                protocol.now = time.monotonic()
                data, until = steps.send(got)
        except StopIteration as stop:
            return stop.value

    def interrupt(self, line: bytes, after: float) -> bytes:
        """Send a new command while one is under way; give what comes before the new one's answer.

        The far end's sound is all that would be seen of the first command until then.
        """
        self.send(line)
        early = self.receive(time.monotonic() + after)
        assert early is None, f"it was over before it could be interrupted: {early!r}"
        self.send(FENCE)
        answer = self._said[-1][1]
        while not answer.endswith(ANSWER):
            self.receive(None)
        return bytes(answer.removesuffix(ANSWER))


def play(exchange: Exchange, scene: Scene) -> list[Take]:
    """Put a scene on an exchange.

    Raises:
        AssertionError: An outcome is another one, or a promise of the spec is broken.
    """
    with Listener() as listener, contextlib.ExitStack() as stack:
        if scene.stage is not None:
            stack.enter_context(scene.stage(exchange))
        place = Place(exchange, listener.url)
        if scene.bring is not None:
            scene.bring(place)
        else:
            url = scene.connect(place) if scene.connect else place.url
            call = stack.enter_context(
                exchange.call(
                    url,
                    far=scene.far,
                    variables=scene.variables,
                    answer=scene.answer,
                    dead=scene.dead,
                    eagi=scene.eagi,
                )
            )
            place = Place(exchange, listener.url, call)
        with contextlib.closing(listener.accept()) as connection:
            talk = Talk(connection)
            return [
                _take(place, scene, ask, talk) for ask in scene.asked_on(exchange.release.major)
            ]


def _take(place: Place, scene: Scene, ask: Ask, talk: Talk) -> Take:
    action = built(ask.action)
    line = None if ask.line is None else ask.line.encode("utf-8", "surrogateescape") + b"\n"
    if ask.interrupt:
        answered = talk.interrupt(line or action.line, ask.interrupt)
        assert _as_told(ask, answered), f"{ask.outcome}: it answered {answered!r}"
        return Take(ask.command, ask.outcome, scene.name, ask.action, talk.said())
    watched, replies = spoken(action, line)
    result: Any = None
    error: agi.AGIException | None = None
    with _meanwhile(place, ask):
        try:
            result = talk.execute(watched)
        except agi.AGIException as caught:
            error = caught
    reply = error.reply if error is not None and error.reply is not None else replies[-1]
    broken = unkept_promise(BY_CLASS[type(action).__name__], ask.outcome, reply, result, error)
    assert not broken, f"{ask.action}: {broken}"
    gives = None
    if result is not None:
        gives = {name: plain(getattr(result, name)) for name in result.__match_args__}
        known = {name: gives[name] for name in ask.gives}
        assert known == ask.gives, f"{ask.action}: {result!r}, and not {ask.gives!r}"
    raises = type(error).__name__ if error is not None else ""
    return Take(ask.command, ask.outcome, scene.name, ask.action, talk.said(), gives, raises)


def _as_told(ask: Ask, answered: bytes) -> bool:
    """Tell whether a command answered to its interruption what the spec says."""
    command = BY_CLASS[ask.action.partition("(")[0]]
    phase = ask.outcome.removeprefix(INTERRUPTED)
    told = next(row.reply for row in command.interrupted if row.phase == phase)
    if told is None:
        return not answered
    # Positions differ from time to time.
    assert answered.endswith(b"\n")
    assert answered.count(b"\n") == 1
    return answered.rstrip().split(b" endpos=")[0] == told.encode().split(b" endpos=")[0]


@contextlib.contextmanager
def _meanwhile(place: Place, ask: Ask) -> Generator[None, None, None]:
    """Let things happen while a command is under way."""
    if ask.far:
        place.the_call.far_runs(ask.far, after=LATER)
    if ask.meanwhile is None:
        yield
        return
    failures: list[Exception] = []
    deed = ask.meanwhile

    def act() -> None:
        try:
            deed(place)
        except (AssertionError, OSError, ValueError) as error:
            failures.append(error)

    timer = threading.Timer(LATER, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()
    if failures:
        raise failures[0]
