"""What an Asterisk that is too old, or too new, is not asked for; and what its 510 means."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, ClassVar

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.agi.core.catalogue import COMMANDS
from pystrix_typed.agi.protocol import Protocol
from pystrix_typed.agi.record import Action
from pystrix_typed.agi.versions import removed, too_old
from pystrix_typed.agi.wire import version

from .peer import ENVIRONMENT, Asterisk, Wire, scripted, serve

if TYPE_CHECKING:
    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.wire import Reply

OK = b"200 result=0 endpos=1\n"
UNKNOWN = b"510 Invalid or unknown command\n"


class Relic(Action[None]):
    """A command that Asterisk dropped."""

    __slots__ = ()
    command = "RELIC"
    _newest: ClassVar[tuple[int, ...]] = (1_000_000,)
    _versions: ClassVar[tuple[tuple[str, object, str, str], ...]] = (("", None, "1.4", "13.0.0"),)

    def _read(self, reply: Reply) -> None:
        return


def greeting(told: str) -> bytes:
    return ENVIRONMENT.replace(b"22.10.1", told.encode())


def talk(told: str, action: AnyAction, answer: bytes = OK) -> list[bytes]:
    """Execute an action on an Asterisk that tells this version; give what it heard."""
    asterisk = Asterisk(scripted(answer))
    protocol = Protocol()
    wire = Wire(protocol, asterisk, greeting=greeting(told))
    wire.drive(protocol.start(None))
    try:
        wire.drive(protocol.execute(action, None))
    except agi.AGIVersionError:
        assert asterisk.heard == []
        raise
    return asterisk.heard


OFFSET = core.ControlStreamFile("beep", offset=1000)
CASE = core.SayAlpha("Ab", case="upper")
REFUSED = {
    "argument": (
        "11.25.3",
        OFFSET,
        (
            "CONTROL STREAM FILE was not sent: the argument offset came with Asterisk 12.0.0, "
            "and this is Asterisk 11.25.3; leave it out"
        ),
    ),
    "another": (
        "1.8.32.3~dfsg",
        CASE,
        (
            "SAY ALPHA was not sent: the argument case came with Asterisk 12.0.0, "
            "and this is Asterisk 1.8.32.3; leave it out"
        ),
    ),
    "command": (
        "1.4.44",
        core.SpeechDestroy(),
        (
            "SPEECH DESTROY was not sent: the command came with Asterisk 1.6.0, "
            "and this is Asterisk 1.4.44"
        ),
    ),
    "removed": (
        "22.10.1",
        Relic(),
        (
            "RELIC was not sent: the command is gone since Asterisk 13.0.0, "
            "and this is Asterisk 22.10.1"
        ),
    ),
}


@pytest.mark.parametrize(("told", "action", "message"), REFUSED.values(), ids=REFUSED)
def test_what_asterisk_does_not_have_is_not_sent(
    told: str, action: AnyAction, message: str
) -> None:
    with pytest.raises(agi.AGIVersionError) as caught:
        talk(told, action)
    assert str(caught.value) == message
    assert isinstance(caught.value, agi.AGIError)
    assert caught.value.action is action


@pytest.mark.parametrize("told", ["12.0.0", "12.0.0-beta1", "22.10.1", "certified/13.1-cert2"])
def test_what_asterisk_has_is_sent(told: str) -> None:
    assert talk(told, OFFSET) == [OFFSET.line.strip()]


@pytest.mark.parametrize("told", ["", "unknown", "GIT-master-1a2b3c", "SVN-trunk-r123456"])
@pytest.mark.parametrize("action", [OFFSET, CASE, Relic()])
def test_an_unknown_version_refuses_nothing(told: str, action: AnyAction) -> None:
    assert talk(told, action) == [action.line.strip()]


def test_an_argument_that_was_left_out_refuses_nothing() -> None:
    action = core.ControlStreamFile("beep")
    assert talk("1.8.32.3", action) == [action.line.strip()]


def test_a_session_goes_on_after_a_refusal() -> None:
    asterisk = Asterisk(scripted(OK))
    protocol = Protocol()
    wire = Wire(protocol, asterisk, greeting=greeting("11.25.3"))
    wire.drive(protocol.start(None))
    with pytest.raises(agi.AGIVersionError):
        wire.drive(protocol.execute(OFFSET, None))
    wire.drive(protocol.execute(core.Noop(), None))
    assert asterisk.heard == [b"NOOP"]
    assert (asterisk.fences, asterisk.violations) == (0, [])


@pytest.mark.parametrize(
    ("told", "since", "old"),
    [
        ("11.25.3", "12.0.0", True),
        ("1.8.23.1", "1.8.24.0", True),
        ("1.8.24", "1.8.24.0", False),
        ("1.8", "1.8.24.0", False),  # a branch, and who knows where on it
        ("12.0", "12.0.0", False),
        ("16.28.0", "1.6.0", False),
    ],
)
def test_too_old_is_only_what_surely_is(told: str, since: str, old: bool) -> None:
    assert too_old(version(told), since) is old


@pytest.mark.parametrize(
    ("told", "until", "gone"),
    [
        ("12.0.0", "12.0.0", True),
        ("12.0", "12.0.0", True),
        ("11.25.3", "12.0.0", False),
        ("12.4", "12.4.1", False),
        ("13.0", "12.4.1", True),
        ("22.10.1", "1.8.24.0", True),
    ],
)
def test_removed_is_only_what_surely_is(told: str, until: str, gone: bool) -> None:
    assert removed(version(told), until) is gone


MEANINGS = {
    "core": (core.SpeechDestroy(), "22.10.1", "Asterisk 22.10.1 does not know the command ("),
    "unknown": (core.SpeechDestroy(), "", "this Asterisk does not know the command ("),
    "module": (
        core.Gosub("menu", "s", 1),
        "22.10.1",
        (
            "Asterisk 22.10.1 does not know the command, or app_stack.so, which brings it, is not "
            "loaded there (its console: module load app_stack.so) ("
        ),
    ),
}


@pytest.mark.parametrize(("action", "told", "meaning"), MEANINGS.values(), ids=MEANINGS)
def test_510_says_what_it_means(action: AnyAction, told: str, meaning: str) -> None:
    with pytest.raises(agi.AGIInvalidCommandError) as caught:
        talk(told, action, UNKNOWN)
    assert str(caught.value).startswith(f"{action.command}: {meaning}")


def test_every_session_tells_the_version() -> None:
    for told, expected in (("22.10.1~dfsg+~cs6.15", (22, 10, 1)), ("GIT-master-1a2b", ())):
        near, far = socket.socketpair()
        descriptor = far.detach()
        with (
            serve(Asterisk(scripted()), descriptor, descriptor, greeting(told)),
            agi.FastAGI(near) as session,
        ):
            assert session.asterisk_version == expected
            assert (session.asterisk_version >= (13,)) is bool(expected)


def test_asyncio_tells_and_refuses_alike() -> None:
    async def call() -> None:
        near, far = socket.socketpair()
        descriptor = far.detach()
        asterisk = Asterisk(scripted())
        with serve(asterisk, descriptor, descriptor, greeting("11.25.3")):
            async with agi.aio.FastAGI(near) as session:
                assert session.asterisk_version == (11, 25, 3)
                with pytest.raises(agi.AGIVersionError):
                    await session.execute(OFFSET)
        assert asterisk.heard == []

    asyncio.run(call())


def test_actions_without_versions_are_not_looked_at() -> None:
    """What every Asterisk has costs one comparison with an empty tuple."""
    for command in COMMANDS:
        action: type[AnyAction] = getattr(core, command.class_name)
        versioned = (
            command.since != "1.0"
            or bool(command.until)
            or any(argument.since or argument.until for argument in command.arguments)
        )
        assert (action._newest != ()) is versioned  # pyright: ignore[reportPrivateUsage]
        assert action._module == command.module  # pyright: ignore[reportPrivateUsage]
