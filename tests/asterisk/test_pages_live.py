"""What the pages promise, on real calls: their functions, their programs and their dialplan."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from typing import TYPE_CHECKING, TypeVar, cast

import pytest

from pystrix_typed import agi
from pystrix_typed.agi import core

from ..pages import BLOCKS, ROOT, complete, program
from .calls import Caller, Far
from .isolation import INSIDE
from .near import Near, Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .calls import Ending
    from .exchange import Exchange

T = TypeVar("T")


def shown(name: str) -> Callable[..., object]:
    """Give the function of that name that the pages show."""
    blocks = [block for block in BLOCKS if block.language == "python"]
    (block,) = [block for block in blocks if f"def {name}(" in block.text]
    space: dict[str, object] = {"__name__": block.name}
    exec(compile(complete(block), block.name, "exec", dont_inherit=True), space)
    return cast("Callable[..., object]", space[name])


def served(page: str, mark: str) -> object:
    """Give the server that a page shows, on any free port."""
    text = program(page, mark).replace("port=4573", "port=0")
    space: dict[str, object] = {"__name__": "shown"}
    exec(compile(text, mark, "exec", dont_inherit=True), space)
    return space["server"]


@pytest.fixture
def call(latest: Exchange) -> Near:
    return Near(latest, Transport.FASTAGI)


# Digits and prompts


def test_a_pin_is_asked_for_again(call: Near) -> None:
    ask = shown("ask_for_pin")
    far = Far().wait(0.5).press("12#").wait(5).press("0042")
    assert call.run(ask, far=far)[0] == "0042"


def test_a_menu_takes_a_key_during_the_sound(call: Near) -> None:
    choose = shown("choose")
    assert call.run(choose, far=Far().wait(0.5).press("92"))[0] == "support"


def test_a_sound_pauses_and_goes_on(call: Near) -> None:
    play = shown("play_with_pause")
    far = Far().wait(0.4).press("5").wait(0.5).press("1")
    assert call.run(lambda session: play(session, "hello-world"), far=far)[0] is None


def test_sounds_in_a_row_end_at_a_key(call: Near) -> None:
    play = shown("play_all")
    sounds = ["beep", "hello-world", "vm-intro", "vm-intro"]
    far = Far().wait(1.5).press("7")
    assert call.run(lambda session: play(session, sounds, "7"), far=far)[0] == "7"


def idle_then_play(session: agi.Session) -> core.PlaybackResult:
    session.execute(core.Answer())
    session.execute(core.StreamFile("hello-world"))
    return session.execute(core.StreamFile("beep", "0123456789*#"))


def test_a_key_that_no_command_listed_is_lost(call: Near) -> None:
    value, _ = call.run(idle_then_play, far=Far().wait(0.4).press("5").wait(5))
    assert value.digit is None


# Recording


@pytest.mark.parametrize(
    ("far", "there"),
    [
        (Far().tone().wait(2).hangup(), True),
        (Far().tone().wait(2).press("#"), True),
        (Far().wait(0.1).press("#"), False),
    ],
    ids=["hangup", "key", "key during the beep"],
)
def test_a_message_is_kept_whoever_ends_it(call: Near, far: Far, there: bool) -> None:
    take = shown("take_message_to_the_end")
    assert call.run(lambda session: take(session, "kept"), far=far)[0] is there


def test_a_message_ends_with_a_key(call: Near) -> None:
    take = shown("take_message")
    far = Far().tone().wait(7).press("#")
    value, _ = call.run(lambda session: take(session, "message"), far=far)
    assert cast("core.RecordResult", value).ended_by == "digit"


def test_a_recording_goes_on(call: Near) -> None:
    record = shown("record_in_two_parts")
    far = Far().tone().wait(2).press("#").wait(0.5).press("1").tone().wait(1).press("#")
    value, _ = call.run(lambda session: record(session, "parts"), far=far)
    assert cast("int", value) > 12_000


# Variables and the database


def test_the_call_is_described(call: Near) -> None:
    describe = shown("describe")
    value, _ = call.run(describe, caller=Caller("5550123"))
    assert str(value).startswith("5550123 dialled near in call-")


def test_variables_are_read_and_written(call: Near) -> None:
    both = shown("read_and_write")
    value, ending = call.run(both, watch=["ACCOUNT"])
    assert value == (None, "Sales")
    assert ending.variables["ACCOUNT"] == "none"


def test_calls_are_counted(call: Near) -> None:
    count = shown("count_calls")

    def twice(session: agi.Session) -> tuple[object, object]:
        session.execute(core.DatabaseDel("calls", "5550123"))
        return count(session, "5550123"), count(session, "5550123")

    assert call.run(twice)[0] == (1, 2)


# Dialling and handing over

DESK = """\
[desk]
exten => talks,1,Answer()
 same => n,Wait(1)
 same => n,Hangup()
exten => busy,1,Busy(2)
exten => rings,1,Wait(40)
"""


@pytest.mark.parametrize(
    ("extension", "far", "status", "after"),
    [
        ("talks", Far(), "ANSWER", "SUCCESS"),
        ("busy", Far(), "BUSY", "SUCCESS"),
        ("nobody", Far(), "CHANUNAVAIL", "SUCCESS"),
        ("rings", Far().wait(0.5).hangup(), "CANCEL", "HANGUP"),
    ],
)
def test_somebody_is_rung(
    exchange: Exchange, extension: str, far: Far, status: str, after: str
) -> None:
    exchange.dialplan(DESK)
    connect = shown("connect")
    device = f"Local/{extension}@desk"
    near = Near(exchange, Transport.FASTAGI)
    value, ending = near.run(lambda session: connect(session, device), far=far)
    assert (value, ending.agi_status) == (status, after)


@pytest.mark.parametrize(("options", "value"), [("g", 0), ("", -1)])
def test_the_script_goes_on_after_they_have_talked(
    exchange: Exchange, options: str, value: int
) -> None:
    exchange.dialplan(DESK)

    def flow(session: agi.Session) -> tuple[int, str | None]:
        talked = session.execute(core.Exec("Dial", ["Local/talks@desk", 30, options]))
        return talked.value, session.execute(core.StreamFile("beep")).digit

    found, ending = Near(exchange, Transport.FASTAGI).run(flow)
    assert (found, ending.agi_status) == ((value, None), "SUCCESS")


def test_the_dialplan_goes_on_elsewhere(call: Near) -> None:
    hand_over = shown("hand_over")
    _, ending = call.run(lambda session: hand_over(session, "landing", "700"))
    assert [step.context for step in ending.trace] == ["landing"] * 3


def test_a_routine_of_the_dialplan_answers(latest: Exchange, call: Near) -> None:
    latest.dialplan(program("docs/guides/dialling.md", "[prices]"))
    latest.database_put("prices", "4711", "12 crowns")
    price_of = shown("price_of")
    assert call.run(lambda session: price_of(session, "4711"))[0] == "12 crowns"


def test_music_plays_while_something_is_looked_up(call: Near) -> None:
    thinking = shown("thinking")
    assert call.run(thinking, variables={"ACCOUNT": "4711"})[0] == "4711"


# Hangups, timeouts, versions, security


def test_answers_are_kept_when_the_caller_goes(call: Near) -> None:
    survey = shown("survey")
    far = Far().wait(0.3).press("4").wait(0.3).hangup()
    value, ending = call.run(survey, far=far, watch=["ANSWERS"])
    assert value == ["4"]
    assert ending.agi_status == "HANGUP"


def test_a_deadline_counts_for_the_whole_entry(call: Near) -> None:
    ask = shown("with_both")
    assert call.run(ask, far=Far().wait(0.5).press("12#"))[0] == "12"


def test_the_version_is_compared(call: Near) -> None:
    modern = shown("modern")
    assert call.run(modern)[0] is True


def test_what_strangers_send_is_not_evaluated(call: Near) -> None:
    text = program("docs/guides/security.md", "URIENCODE")

    def handle(session: agi.Session) -> str | None:
        exec(
            compile(text, "security", "exec", dont_inherit=True), {"session": session, "core": core}
        )
        return session.execute(core.GetFullVariable("${URIENCODE(${WHO})}")).value

    caller = Caller("1", "${SHELL(echo HARM)}")
    assert call.run(handle, caller=caller)[0] == "%24%7BSHELL(echo%20HARM)%7D"


# The programs, and asyncio


def run_loop(
    exchange: Exchange, handler: Callable[[agi.aio.FastAGI], Awaitable[T]], far: Far
) -> tuple[T, Ending]:
    """Place a call into an asynchronous handler."""

    async def main() -> tuple[T, Ending]:
        server = agi.aio.FastAGIServer(port=0)
        found: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        @server.script(None)
        async def handle(session: agi.aio.FastAGI, request: agi.Request) -> None:
            try:
                found.set_result(await handler(session))
            except BaseException as error:
                found.set_exception(error)
                raise

        url = f"agi://127.0.0.1:{server.server_address[1]}"
        serving = asyncio.create_task(server.serve_forever())
        ending = await asyncio.to_thread(_place, exchange, url, far)
        await server.shutdown(drain=5)
        await serving
        return await found, ending

    return asyncio.run(main())


def _place(exchange: Exchange, url: str, far: Far) -> Ending:
    with exchange.call(url, far=far) as call:
        return call.wait(40)


def test_a_sound_plays_until_the_work_is_done(latest: Exchange) -> None:
    play_until = cast("Callable[..., Awaitable[str]]", shown("play_until"))

    async def handle(session: agi.aio.FastAGI) -> tuple[str, object]:
        found = await play_until(session, asyncio.sleep(1.0, "found"))
        return found, await session.execute(core.StreamFile("beep"))

    (found, after), ending = run_loop(latest, handle, Far())
    assert found == "found"
    assert isinstance(after, core.PlaybackResult)
    assert ending.agi_status == "SUCCESS"


def test_the_servers_of_the_start_page_answer(latest: Exchange) -> None:
    server = served("docs/start.md", '@server.script("greet")')
    assert isinstance(server, agi.FastAGIServer)
    latest.database_put("customers", "5550123", "Ada")
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"agi://127.0.0.1:{server.server_address[1]}/greet?family=customers"
        with latest.call(url, caller=Caller("5550123"), watch=["CUSTOMER"]) as call:
            ending = call.wait(40)
    assert ending.agi_status == "SUCCESS"
    assert ending.variables["CUSTOMER"] == "Ada"


def test_the_asyncio_server_of_the_start_page_answers(latest: Exchange) -> None:
    async def main() -> Ending:
        server = served("docs/start.md", '@server.script("account")')
        assert isinstance(server, agi.aio.FastAGIServer)
        url = f"agi://127.0.0.1:{server.server_address[1]}/account"
        serving = asyncio.create_task(server.serve_forever())
        ending = await asyncio.to_thread(_place, latest, url, Far().wait(0.5).press("4711#"))
        await server.shutdown(drain=5)
        await serving
        return ending

    assert asyncio.run(main()).agi_status == "SUCCESS"


def _script(exchange: Exchange, page: str, mark: str) -> str:
    """Install a script that a page shows, run by the Python inside."""
    text = program(page, mark).replace("#!/opt/ivr/bin/python", "#!/usr/bin/python3")
    return exchange.script(text, "shown")


def test_the_script_of_the_start_page_runs(latest: Exchange) -> None:
    path = _script(latest, "docs/start.md", "#!/opt/ivr/bin/python")
    far = Far().wait(0.5).press("0042")
    with latest.call(path, far=far, answer=False, watch=["PIN"]) as call:
        ending = call.wait(40)
    assert ending.agi_status == "SUCCESS"
    assert ending.variables["PIN"] == "0042"


def test_the_eagi_script_hears(latest: Exchange) -> None:
    path = _script(latest, "docs/guides/eagi.md", "#!/opt/ivr/bin/python")
    with latest.call(path, far=Far().tone(), eagi=True, watch=["LEVEL"]) as call:
        ending = call.wait(40)
    assert ending.agi_status == "SUCCESS"
    assert -40 < int(ending.variables["LEVEL"]) < 0


def test_the_asyncio_eagi_script_stops_talking_when_the_caller_speaks(latest: Exchange) -> None:
    path = _script(latest, "docs/guides/eagi.md", "greeting.cancel()")
    # The far end is silent for a second, then there is a tone; the sound alone takes half a minute.
    with latest.call(path, far=Far().wait(1).tone(), eagi=True) as call:
        assert call.wait(15).agi_status == "SUCCESS"


def dialplans() -> Iterator[tuple[str, str]]:
    """Give each piece of dialplan on the pages and in the examples, and where it stands."""
    for block in BLOCKS:
        if block.language == "ini" and "exten =>" in block.text:
            yield f"{block.page}:{block.line}", block.text
    for file in sorted((ROOT / "examples").glob("*/*.py")):
        lines = re.findall(r"^    ((?:exten| same) => .*)$", file.read_text(), re.MULTILINE)
        if lines:
            yield f"examples/{file.parent.name}", "\n".join(["[example]", *lines])


def test_asterisk_understands_the_dialplan(exchange: Exchange) -> None:
    pieces = list(dialplans())
    assert len(pieces) > 15
    for number, (place, text) in enumerate(pieces):
        before = exchange.log_size()
        context = f"page-{number}"
        exchange.dialplan(re.sub(r"^\[[^]]+\]", f"[{context}]", text, count=1, flags=re.MULTILINE))
        log = exchange.log(before)
        assert "WARNING" not in log, f"{place}\n{log}"
        assert "ERROR" not in log, f"{place}\n{log}"
        found = exchange.console(f"dialplan show {context}")
        assert found.count("exten =>") + found.count("=> ") >= text.count("exten =>"), found


# When it does not work


def _ends(exchange: Exchange, what: str) -> tuple[str, str]:
    """Give the status of a call, and what the console said."""
    before = exchange.log_size()
    with exchange.call(what) as call:
        status = call.wait(40).agi_status
    return status, exchange.log(before)


@pytest.mark.parametrize(
    ("head", "mode", "status", "said"),
    [
        ("#!/usr/bin/python3", 0o644, "FAILURE", "Permission denied"),
        ("#!/opt/none/python", 0o755, "FAILURE", "No such file or directory"),
        ("#!/usr/bin/python3\r", 0o755, "FAILURE", "No such file or directory"),
        ("#!/usr/bin/python3\nimport no_such_module", 0o755, "FAILURE", "completed"),
    ],
    ids=["mode", "interpreter", "line ends", "module"],
)
def test_a_script_that_does_not_start(
    latest: Exchange, head: str, mode: int, status: str, said: str
) -> None:
    path = latest.script(f"{head}\nprint(1)\n", "broken")
    (latest.folder / path.removeprefix(f"{INSIDE}/")).chmod(mode)
    found, log = _ends(latest, path)
    assert found == status
    assert said in log


def test_a_script_that_is_not_there(latest: Exchange) -> None:
    status, log = _ends(latest, "/nowhere/pin.py")
    assert status == "NOTFOUND"
    assert "File does not exist" in log


CAUGHT = """
from pystrix_typed import agi
with agi.AGI() as session:
    try:
        session.execute(agi.core.StreamFile("no-such-sound"))
    except agi.AGIAppError:
        session.execute(agi.core.Noop())
"""


def test_a_missing_sound_is_a_failure_even_if_it_is_caught(latest: Exchange) -> None:
    status, log = _ends(latest, latest.script(CAUGHT, "caught"))
    assert status == "FAILURE"
    assert "does not exist in any format" in log


def test_a_server_that_is_not_there(exchange: Exchange) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        status, log = _ends(exchange, f"agi://127.0.0.1:{taken.getsockname()[1]}/pin")
    assert status == "FAILURE"
    assert "Connection refused" in log


def broken(session: agi.FastAGI, request: agi.Request) -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize("path", ["nothing", "broken"])
def test_a_server_that_does_nothing_is_a_success(exchange: Exchange, path: str) -> None:
    with agi.FastAGIServer(port=0) as server:
        server.script("broken")(broken)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"agi://127.0.0.1:{server.server_address[1]}/{path}"
        assert _ends(exchange, url)[0] == "SUCCESS"
