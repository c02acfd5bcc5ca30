"""Calls into handlers in this process, blocking and asyncio alike."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.testing import Caller, CallerError, HungUp, Recording, SimulatedAsterisk

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from pystrix_typed.agi import aio
    from pystrix_typed.agi.routing import Request
    from pystrix_typed.testing import CallOptions, SimulatedCall

SOUNDS = {"welcome": 2.5, "menu": 4.0, "bye": 1.0}


def menu(session: agi.FastAGI) -> None:
    session.execute(core.Answer())
    session.execute(core.StreamFile("welcome"))
    entry = session.execute(core.GetData("menu", 5000, 4))
    session.execute(core.SetVariable("ENTRY", entry.digits))
    session.execute(core.SayDigits(entry.digits or "0"))
    session.execute(core.StreamFile("bye"))
    session.execute(core.Hangup())


async def menu_async(session: aio.FastAGI) -> None:
    await session.execute(core.Answer())
    await session.execute(core.StreamFile("welcome"))
    entry = await session.execute(core.GetData("menu", 5000, 4))
    await session.execute(core.SetVariable("ENTRY", entry.digits))
    await session.execute(core.SayDigits(entry.digits or "0"))
    await session.execute(core.StreamFile("bye"))
    await session.execute(core.Hangup())


def blocking(caller: Caller) -> SimulatedCall:
    return SimulatedAsterisk(sounds=SOUNDS).call(menu, caller=caller)


def in_loop(caller: Caller) -> SimulatedCall:
    return asyncio.run(SimulatedAsterisk(sounds=SOUNDS).call_async(menu_async, caller=caller))


both = pytest.mark.parametrize("place", [blocking, in_loop])


@both
def test_what_a_call_tells(place: Callable[[Caller], SimulatedCall]) -> None:
    call = place(Caller("5550199", "Ann").hears("menu").presses("12#"))
    assert call.played == ["welcome", "menu", "bye"]
    assert call.said == ["12"]
    assert call.heard == ["welcome", "menu", "12", "bye"]
    assert call.pressed == "12#"
    assert call.answered
    assert call.hung_up_by == "script"
    assert call.agistatus == "HANGUP"
    assert call.variables["ENTRY"] == "12"
    assert call.error is None
    # The answer's first frame, two prompts, three keys of 150 ms, two digits, one prompt.
    assert call.duration == pytest.approx(0.02 + 2.5 + 4.0 + 0.4 + 1.2 + 1.0)
    assert call.transcript.dialogue[2] == ('GET DATA "menu" 5000 4', ["200 result=12"])


@both
def test_both_say_the_same(place: Callable[[Caller], SimulatedCall]) -> None:
    caller = Caller().hears("menu", only=1).presses("7").waits(3).hangs_up()
    assert str(place(caller).transcript) == str(blocking(caller).transcript)


@both
def test_a_hangup_in_the_middle(place: Callable[[Caller], SimulatedCall]) -> None:
    call = place(Caller().hears("menu", only=1.0).hangs_up())
    assert call.hung_up_by == "caller"
    assert isinstance(call.error, agi.AGIHangup)
    assert call.played == ["welcome", "menu"]
    assert call.sounds[-1].whole is False
    assert call.agistatus == "HANGUP"
    assert call.duration == pytest.approx(0.02 + 2.5 + 1.0)


@both
def test_waiting_in_vain(place: Callable[[Caller], SimulatedCall]) -> None:
    with pytest.raises(CallerError, match=r"waited to hear 'menue' in vain, and heard: 'welcome'"):
        place(Caller().hears("menue").presses("1"))


def patient(session: agi.FastAGI) -> None:
    session.execute(core.WaitForDigit(-1))


async def patient_async(session: aio.FastAGI) -> None:
    await session.execute(core.WaitForDigit(-1))


def test_a_call_that_would_never_end() -> None:
    asterisk = SimulatedAsterisk()
    with pytest.raises(CallerError, match="WAIT FOR DIGIT waits, and so does the caller"):
        asterisk.call(patient)
    with pytest.raises(CallerError, match="WAIT FOR DIGIT waits, and so does the caller"):
        asyncio.run(asterisk.call_async(patient_async))


def test_a_call_that_goes_on_too_long() -> None:
    def circle(session: agi.FastAGI) -> None:
        while True:
            session.execute(core.StreamFile("menu"))

    with pytest.raises(CallerError, match="lasted for 60 seconds"):
        SimulatedAsterisk(sounds=SOUNDS).call(circle, limit=60)


def test_deadlines_are_in_virtual_time() -> None:
    def handler(session: agi.FastAGI) -> None:
        with pytest.raises(agi.AGITimeoutError):
            session.execute(core.WaitForDigit(600_000), timeout=300)
        session.execute(core.Noop("still in step"))

    began = time.monotonic()
    call = SimulatedAsterisk().call(handler)
    assert str(call.transcript) == str(SimulatedAsterisk().call(handler).transcript)
    assert call.duration == 300
    assert time.monotonic() - began < 5
    assert call.transcript.commands[-1] == 'NOOP "still in step"'


def test_the_time_of_the_loop_is_virtual() -> None:
    async def handler(session: aio.FastAGI) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await session.execute(core.StreamFile("menu"))
        await asyncio.sleep(300)
        await session.execute(core.Noop())

    began = time.monotonic()
    call = asyncio.run(SimulatedAsterisk(sounds=SOUNDS).call_async(handler))
    assert time.monotonic() - began < 5
    assert call.sounds[0].end == 3000
    assert call.transcript[-1].time == 303.0


def test_the_time_of_the_loop_is_real_again() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await SimulatedAsterisk(sounds=SOUNDS).call_async(menu_async, caller=Caller().hears("menu"))
        assert loop.time() - before < 5
        assert loop.time.__name__ == "time"

    asyncio.run(main())


def test_two_calls_in_one_loop() -> None:
    async def main() -> list[SimulatedCall]:
        asterisk = SimulatedAsterisk(sounds=SOUNDS)
        return await asyncio.gather(
            *(
                asterisk.call_async(menu_async, caller=Caller().hears("menu").presses(keys))
                for keys in ("1#", "22#")
            )
        )

    first, second = asyncio.run(main())
    assert (first.said, second.said) == (["1"], ["22"])
    assert first.duration < second.duration


def test_shapes_of_handlers() -> None:
    seen: list[object] = []

    def decorated(session: agi.FastAGI, request: Request) -> None:
        seen.append((request.path, request.query["lang"], request.arguments))

    def registered(
        session: agi.FastAGI,
        args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        match: re.Match[str] | None,
        path: str,
    ) -> None:
        seen.append((args, kwargs, match and match[1], path))

    asterisk = SimulatedAsterisk()
    asterisk.call(decorated, "menu?lang=en", arguments=("a", "b"))
    asterisk.call(registered, "menu/7?lang=en", arguments=("a",), pattern=r"menu/(\d+)")
    assert seen == [("menu", "en", ("a", "b")), (("a",), {"lang": ["en"]}, "7", "menu/7")]


def test_the_handlers_own_mistakes_are_raised() -> None:
    def wrong(session: agi.FastAGI) -> None:
        raise LookupError("no such agent")

    asterisk = SimulatedAsterisk()
    with pytest.raises(LookupError, match="no such agent"):
        asterisk.call(wrong)
    call = asterisk.call(wrong, check=False)
    assert isinstance(call.error, LookupError)
    assert call.hung_up_by is None


def test_leaving_the_program_is_a_return_as_it_is_to_a_server() -> None:
    def handler(session: agi.FastAGI) -> None:
        session.execute(core.Answer())
        sys.exit(3)

    async def handler_async(session: aio.FastAGI) -> None:
        await session.execute(core.Answer())
        sys.exit(3)

    asterisk = SimulatedAsterisk()
    for call in (asterisk.call(handler), asyncio.run(asterisk.call_async(handler_async))):
        assert call.transcript.commands == ["ANSWER"]
        assert (call.agistatus, call.hung_up_by, call.error) == ("SUCCESS", None, None)


def test_recordings_can_be_played() -> None:
    def handler(session: agi.FastAGI) -> None:
        result = session.execute(core.RecordFile("message", "wav", "#", 60_000, silence=2))
        assert result.digit == "#"
        session.execute(core.StreamFile("message"))

    caller = Caller().hears("beep").says("call me back").presses("#")
    call = SimulatedAsterisk(sounds={}).call(handler, caller=caller)
    assert call.recordings == [Recording("message", "wav", 1.1, "digit", ("call me back",))]
    assert call.played == ["message"]


def options() -> CallOptions:
    return {
        "caller": Caller("5550199", "Ann"),
        "arguments": ("one", "two words"),
        "extension": "200",
        "context": "incoming",
        "language": "de",
        "answered": True,
    }


def test_the_beginning_of_a_call() -> None:
    def handler(session: agi.FastAGI) -> None:
        environment = session.environment
        assert environment.extension == "200"
        assert environment.context == "incoming"
        assert environment.language == "de"
        assert environment.caller_id == "5550199"
        assert environment.caller_id_name == "Ann"
        assert environment.arguments == ("one", "two words")
        assert session.asterisk_version == (22, 10, 1)
        assert session.execute(core.ChannelStatus()).state == 6

    call = SimulatedAsterisk().call(handler, **options())
    assert call.location == ("incoming", "200", 2)
    assert call.agistatus == "SUCCESS"


def test_an_option_that_there_is_not_is_no_silent_one() -> None:
    options: dict[str, str] = {"contxt": "default"}
    with pytest.raises(TypeError, match=r"no option 'contxt'; it has caller, arguments"):
        SimulatedAsterisk().call(menu, **options)  # type: ignore[arg-type]  # on purpose


def test_the_handlers_of_a_server() -> None:
    server = agi.FastAGIServer()
    seen: list[str] = []

    @server.script(r"menu/(\d+)")
    def menu_of(session: agi.FastAGI, request: Request) -> None:
        assert request.match is not None
        seen.append(request.match[1])
        session.execute(core.Answer())

    asterisk = SimulatedAsterisk()
    assert asterisk.call(server, "menu/7").answered
    assert seen == ["7"]
    with pytest.raises(LookupError, match="no handler for the path 'other'"):
        asterisk.call(server, "other")


def test_the_handlers_of_an_asyncio_server() -> None:
    server = agi.aio.FastAGIServer()

    @server.script("menu")
    async def answer(session: agi.aio.FastAGI, request: Request) -> None:
        await session.execute(core.Answer())

    assert asyncio.run(SimulatedAsterisk().call_async(server, "menu")).answered


def test_hangups_are_noticed_between_commands() -> None:
    told: list[bool] = []

    def handler(session: agi.FastAGI) -> None:
        session.on_hangup(lambda: told.append(session.hung_up))
        session.execute(core.Exec("Wait", "2"))
        # The notice comes a moment later.
        assert not session.hung_up
        with pytest.raises(agi.AGIHangup):
            session.execute(core.Answer())

    call = SimulatedAsterisk().call(handler, caller=Caller().waits(1).hangs_up())
    assert told == [True]
    assert call.agistatus == "HANGUP"


def test_what_a_call_would_not_heed() -> None:
    asterisk = SimulatedAsterisk()

    def nothing(session: agi.FastAGI) -> None:
        pass

    async def nothing_async(session: agi.aio.FastAGI) -> None:
        pass

    wrong: list[tuple[dict[str, object], str]] = [
        ({"callerr": Caller()}, r"no option 'callerr'; it has caller, arguments"),
        ({"script": Caller()}, "script=.* path and query"),
        ({"caller": "1"}, "must be a Caller"),
        ({"arguments": "abc"}, "arguments='abc': it must be a list"),
        ({"faults": HungUp(at=1)}, "faults=.* must be a list"),
    ]
    for options, told in wrong:
        with pytest.raises(TypeError, match=told):
            asterisk.call(nothing, **options)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="is for asyncio: call it with call_async"):
        asterisk.call(nothing_async)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="no coroutine function: call it with call"):
        asyncio.run(asterisk.call_async(nothing))  # type: ignore[arg-type]  # wrong on purpose


def test_a_routine_goes_on_after_the_script() -> None:
    dialplan = "[subs]\nexten => join,1,Return(${ARG1}-${ARG2}${LOCAL(x)})\n"
    place = 'GET FULL VARIABLE "${EXTEN} ${PRIORITY} ${GOSUB_RETVAL} ${ARG1} ${ARGC}"'

    def told(*lines: str) -> list[str]:
        call = SimulatedAsterisk(dialplan=dialplan).prepare(extension="near")
        call.begin()
        call.output()
        answers: list[str] = []
        for line in lines:
            call.feed(f"{line}\n".encode())
            answers.append(call.output().decode().strip())
        call.finish()
        answers.append(str(tuple(call.location)))
        return answers

    gosub = 'EXEC Gosub "subs,join,1(a,b)"'
    assert told(gosub, place, "EXEC Return x", place, "EXEC Return y") == [
        "200 result=0",
        "200 result=1 (join 0  a 2)",
        "200 result=0",
        "200 result=1 (near 1 x  )",
        "200 result=-1",
        "('default', 'near', 2)",
    ]
    assert told("EXEC Goto subs,join,1")[-1] == "('subs', 'join', 1)"
    assert told('GOSUB subs join 1 "(a,b),\\"c,d\\""', "GET VARIABLE GOSUB_RETVAL")[1] == (
        '200 result=1 ((a,b)-"c,d")'
    )
