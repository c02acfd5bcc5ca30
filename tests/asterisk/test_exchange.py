"""Proofs of the fixtures: what they promise holds, without any of the package's own code.

The FastAGI server here is a bare socket that speaks lines, so that a failure in this file always
means the exchange and never the runtime.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .calls import Caller, Far, Step
from .configuration import LANDING
from .exchange import Exchange, ExchangeError
from .provision import RELEASES, Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fastagi import Listener

PROJECT = Path(__file__).resolve().parents[2]


def test_a_call_reaches_the_server_and_its_status_is_read(
    exchange: Exchange, listener: Listener
) -> None:
    with exchange.call(f"{listener.url}/menu?lang=en", ["one", "two"]) as call:
        with listener.session() as session:
            assert session.environment["agi_network_script"] == "menu?lang=en"
            assert session.environment["agi_channel"] == call.channel
            assert session.environment["agi_context"] == call.context
            assert session.environment["agi_extension"] == "near"
            assert session.environment["agi_callerid"] == "unknown"
            assert session.environment["agi_arg_2"] == "two"
            assert session.environment["agi_version"].startswith(exchange.version)
            assert session.ask("CHANNEL STATUS") == "200 result=6"
            assert session.ask("NO SUCH COMMAND") == "510 Invalid or unknown command"
        ending = call.wait()
    assert ending.agi_status == "SUCCESS"
    assert [step.context for step in ending.trace] == [call.context]


def test_texts_arrive_as_they_are(exchange: Exchange, listener: Listener) -> None:
    text = 'a,b;"c" \\ $x ${CHANNEL} (d) [e] = é'
    with exchange.call(
        listener.url,
        [text, "", "last"],
        variables={"TEXT": text, "LINES": "1\n2\n", "EMPTY": ""},
        caller=Caller("5551234", 'Anna "B"'),
        watch=["TEXT", "LINES", "EMPTY", "NEW", "CALLERID(name)"],
    ) as call:
        with listener.session() as session:
            assert session.environment["agi_callerid"] == "5551234"
            assert session.environment["agi_calleridname"] == 'Anna "B"'
            assert session.environment["agi_arg_1"] == text
            assert session.environment["agi_arg_2"] == ""
            assert session.environment["agi_arg_3"] == "last"
            assert session.ask('SET VARIABLE NEW "(x)"') == "200 result=1"
        variables = call.wait().variables
    assert variables == {
        "TEXT": text,
        "LINES": "1\n2\n",
        "EMPTY": "",
        "NEW": "(x)",
        "CALLERID(name)": 'Anna "B"',
    }


def test_keys_pressed_live_are_heard_in_order(exchange: Exchange, listener: Listener) -> None:
    with exchange.call(listener.url) as call, listener.session() as session:
        call.press("1#")
        assert session.ask("WAIT FOR DIGIT 2000") == f"200 result={ord('1')}"
        assert session.ask("WAIT FOR DIGIT 2000") == f"200 result={ord('#')}"
        call.press("5")
        assert session.ask("WAIT FOR DIGIT 2000") == f"200 result={ord('5')}"


def test_a_script_presses_keys_and_hangs_up(exchange: Exchange, listener: Listener) -> None:
    far = Far().wait(0.1).press("42").hangup()
    with exchange.call(listener.url, far=far) as call:
        with listener.session() as session:
            assert session.ask("GET DATA beep 2000 2") == "200 result=42"
            assert session.ask("WAIT FOR DIGIT 3000") in {"200 result=-1", "HANGUP"}
        assert call.wait().agi_status == "HANGUP"


def test_a_hangup_is_seen_and_reported(exchange: Exchange, listener: Listener) -> None:
    with exchange.call(listener.url) as call:
        with listener.session() as session:
            assert session.ask("NOOP") == "200 result=0"
            call.hangup()
            assert session.read() == "HANGUP"
            assert session.ask("CHANNEL STATUS").startswith("511 ")
            assert session.ask("NOOP") == "200 result=0"
        ending = call.wait()
    assert ending.agi_status == "HANGUP"
    assert ending.trace == ()


def test_the_session_may_answer_itself(exchange: Exchange, listener: Listener) -> None:
    far = Far().press("7")
    with exchange.call(listener.url, answer=False, far=far), listener.session() as session:
        assert session.ask("CHANNEL STATUS") == "200 result=4"
        assert session.ask("ANSWER") == "200 result=0"
        assert session.ask("CHANNEL STATUS") == "200 result=6"
        assert session.ask("WAIT FOR DIGIT 2000") == f"200 result={ord('7')}"


def test_a_dead_channel(exchange: Exchange, listener: Listener) -> None:
    with exchange.call(listener.url, dead=True) as call:
        with listener.session() as session:
            assert session.environment["agi_extension"] == "h"
            assert session.ask("CHANNEL STATUS").startswith("511 ")
            assert session.ask("NOOP") == "200 result=0"
        assert call.wait().trace == (Step(call.context, "h", 2),)


def test_the_call_continues_where_agi_sends_it(exchange: Exchange, listener: Listener) -> None:
    with exchange.call(listener.url) as call:
        with listener.session() as session:
            assert session.ask(f"SET CONTEXT {LANDING}") == "200 result=0"
            assert session.ask("SET EXTENSION elsewhere") == "200 result=0"
            assert session.ask("SET PRIORITY 2") == "200 result=0"
        ending = call.wait()
    assert ending.trace == (Step(LANDING, "elsewhere", 2), Step(LANDING, "elsewhere", 3))


def test_dialplan_before_and_after_and_subroutines(exchange: Exchange, listener: Listener) -> None:
    exchange.dialplan("[own]\nexten => sub,1,Return(own ${ARG1})")
    with exchange.call(
        listener.url,
        before=["Set(FIRST=1)"],
        after=["Gosub(own,sub,1(x))", "Set(LAST=${GOSUB_RETVAL})"],
        watch=["FIRST", "LAST", "GOSUB_RETVAL"],
    ) as call:
        with listener.session() as session:
            assert session.ask("GOSUB subs join 1 a,b") == "100 result=0 Trying..."
            assert session.read() == "200 result=0 Gosub complete"
            assert session.ask("GET VARIABLE GOSUB_RETVAL") == "200 result=1 (a-b)"
        variables = call.wait().variables
    assert variables == {"FIRST": "1", "LAST": "own x", "GOSUB_RETVAL": "own x"}


def test_the_operator_redirects_and_drops(exchange: Exchange, listener: Listener) -> None:
    with exchange.call(listener.url) as call:
        with listener.session() as session:
            call.redirect(LANDING, "away", "3")
            assert session.read() == "HANGUP"
        assert call.wait().trace == (Step(LANDING, "away", 3),)
    with exchange.call(listener.url) as call:
        with listener.session() as session:
            call.drop()
            assert session.read() == "HANGUP"
        assert call.wait().agi_status == "HANGUP"


@pytest.mark.parametrize("sound", ["silence", "tone"])
def test_the_far_end_is_silent_or_not(exchange: Exchange, listener: Listener, sound: str) -> None:
    name = f"take-{sound}"
    with exchange.call(listener.url) as call, listener.session() as session:
        if sound == "tone":
            call.tone()
        reply = session.ask(f'RECORD FILE {name} wav "#" 600 s=0')
        assert reply.startswith("200 result="), reply
        [file] = exchange.recordings(name)
        audio = file.read_bytes()[44:]
    assert len(audio) > 4000
    assert (len(set(audio)) > 10) == (sound == "tone")


def test_the_database_is_shared_with_the_test(exchange: Exchange, listener: Listener) -> None:
    value = 'a "quoted" \\ value'
    exchange.database_put("test family", "key", value)
    with exchange.call(listener.url), listener.session() as session:
        assert session.ask('DATABASE GET "test family" key') == f"200 result=1 ({value})"
        assert session.ask('DATABASE PUT "test family" new "1 2"') == "200 result=1"
    assert exchange.database_get("test family", "new") == "1 2"
    exchange.database_clear("test family")
    assert exchange.database_get("test family", "new") is None


def test_calls_overlap(exchange: Exchange, listener: Listener) -> None:
    with exchange.call(listener.url, ["first"]) as first, listener.session() as one:
        with exchange.call(listener.url, ["second"]) as second, listener.session() as two:
            first.press("1")
            second.press("2")
            assert two.ask("WAIT FOR DIGIT 2000") == f"200 result={ord('2')}"
        assert one.ask(f'CHANNEL STATUS "{first.channel}"') == "200 result=6"
        assert second.ended
        assert not first.ended


def test_the_console_refuses_plainly(exchange: Exchange) -> None:
    with pytest.raises(ExchangeError, match="No such command"):
        exchange.console("open the pod bay doors")
    with pytest.raises(ValueError, match="at most"):
        exchange.console("x" * 600)


def test_nothing_listens_on_the_network(exchange: Exchange) -> None:
    inodes: set[str] = set()
    for process in _processes(exchange.pid):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                inodes.add(str(descriptor.readlink()))
    listening: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":  # the state LISTEN
                listening.add(f"socket:[{words[9]}]")
    assert inodes
    assert not inodes & listening


def test_a_script_runs_inside(latest: Exchange) -> None:
    script = latest.script(
        """
import sys
while sys.stdin.readline().strip():
    pass
print(f'SET VARIABLE SEEN "{sys.version_info[0]} {sys.argv[1:]}"', flush=True)
sys.stdin.readline()
"""
    )
    with latest.call(script, ["x y"], watch=["SEEN"]) as call:
        ending = call.wait()
    assert ending.agi_status == "SUCCESS"
    assert ending.variables["SEEN"] == "3 ['x y']"


def test_a_script_imports_from_the_sources(latest: Exchange) -> None:
    script = latest.script("import pystrix_typed, sys\nsys.exit(0)\n")
    with latest.call(script) as call:
        assert call.wait().agi_status == "SUCCESS", latest.log()[-2000:]


def test_the_shared_tree_cannot_be_written(exchange: Exchange) -> None:
    inside = _processes(exchange.pid)[1]
    with pytest.raises(OSError, match="Read-only"):
        Path(f"/proc/{inside}/root/etc/intruder").write_text("")


def test_eagi_hears_the_caller(latest: Exchange) -> None:
    script = latest.script(
        """
import os, sys
while sys.stdin.readline().strip():
    pass
data = b""
while len(data) < 1600:
    data += os.read(3, 1600) if data else (os.set_blocking(3, True) or os.read(3, 1600))
print(f"SET VARIABLE HEARD {len(set(data)) > 10}", flush=True)
sys.stdin.readline()
"""
    )
    with latest.call(script, eagi=True, far=Far().tone(), watch=["HEARD"]) as call:
        assert call.wait().variables["HEARD"] == "True"


def test_two_exchanges_at_once(exchange: Exchange, listener: Listener) -> None:
    with Exchange(exchange.release) as other:
        exchange.database_put("whose", "key", "session")
        assert other.database_get("whose", "key") is None
        with other.call(listener.url) as call, listener.session() as session:
            assert session.environment["agi_channel"] == call.channel
        folder, pid = other.folder, other.pid
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_nothing_is_left_when_the_owner_is_killed(
    exchange_of: Callable[[Release], Exchange],
) -> None:
    release = exchange_of(RELEASES[0]).release
    program = f"""
import time
from tests.asterisk.exchange import Exchange
from tests.asterisk.provision import RELEASES
exchange = Exchange(RELEASES[{RELEASES.index(release)}])
exchange.start()
print(exchange.pid, exchange.folder, flush=True)
time.sleep(600)
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        inside = _processes(int(pid))
        assert len(inside) > 1
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(_alive(process) for process in inside):
        assert time.monotonic() < deadline, "still running"
        time.sleep(0.01)
    assert Path(folder).exists()
    with Exchange(release):
        assert not Path(folder).exists()


def _processes(root: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [root]
    for process in found:
        children = Path(f"/proc/{process}/task/{process}/children").read_text()
        found += [int(child) for child in children.split()]
    return found


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
