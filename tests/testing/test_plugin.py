"""The pytest plugin, in runs of pytest of its own: what it gives, and what it shows."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

FLOW = """
from pystrix_typed import agi
from pystrix_typed.agi import core

def menu(session, request):
    session.execute(core.Answer())
    session.execute(core.StreamFile("welcome"))
    digits = session.execute(core.GetData("menu", 3000, 1)).digits
    session.execute(core.SetVariable("CHOICE", digits))
    if digits == "9":
        raise ZeroDivisionError("nine")

async def menu_async(session, request):
    await session.execute(core.Answer())
    digits = (await session.execute(core.GetData("menu", 3000, 1))).digits
    await session.execute(core.SetVariable("CHOICE", digits))
"""


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    def run(test: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(flow=FLOW, test_it="from flow import *\n" + test)
        pytester.makeini("[pytest]")  # or one in a folder further up would count
        # As if it was installed, and nothing else that may be.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_subprocess(
            "-p", "pystrix_typed.pytest_plugin", "-p", "no:cacheprovider", *options
        )

    return run


def test_a_call_into_a_handler(run: Callable[..., pytest.RunResult]) -> None:
    run(
        """
        from pystrix_typed.testing import Caller
        def test_menu(agi_call):
            call = agi_call(menu, caller=Caller().hears("menu").presses("1"))
            assert call.played == ["welcome", "menu"]
            assert call.variables["CHOICE"] == "1"
            assert call.hung_up_by is None
        """.replace("\n        ", "\n")
    ).assert_outcomes(passed=1)


def test_a_failure_shows_the_dialogue(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        from pystrix_typed.testing import Caller
        def test_menu(agi_call):
            agi_call(menu, caller=Caller().hears("menu").presses("9"))
        """.replace("\n        ", "\n")
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AGI call 1*",
            "*> GET DATA*",
            '=>*> SET VARIABLE "CHOICE" "9"',
            "*ZeroDivisionError: nine",
        ]
    )


def test_a_caller_who_waits_in_vain(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        from pystrix_typed.testing import Caller
        def test_menu(agi_call):
            agi_call(menu, caller=Caller().hears("good-bye"))
        """.replace("\n        ", "\n")
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AGI call 1*", "*CallerError: *good-bye*"])


def test_asyncio(run: Callable[..., pytest.RunResult]) -> None:
    test = """
        import pytest
        from pystrix_typed.testing import Caller
        @pytest.mark.{mark}
        async def test_menu(agi_call_async):
            call = await agi_call_async(menu_async, caller=Caller().hears("menu").presses("1"))
            assert call.variables["CHOICE"] == "1"
        """.replace("\n        ", "\n")
    run(
        test.format(mark="asyncio"),
        *("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"),
    ).assert_outcomes(passed=1)
    fixture = "\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    run(test.format(mark="anyio") + fixture, "-p", "anyio.pytest_plugin").assert_outcomes(passed=1)


def test_another_loop_than_that_of_asyncio_is_refused(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        # What trio's loop comes to: a coroutine that no loop of asyncio runs.
        def test_menu(agi_call_async):
            agi_call_async(menu_async).send(None)
        """.replace("\n        ", "\n")
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*needs asyncio's loop*anyio_backend that returns 'asyncio'"])
    result.stdout.no_fnmatch_line("*AGI call*")


def test_parametrised_callers_have_names(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        import pytest
        from pystrix_typed.testing import Caller
        hears = Caller().hears("menu")
        people = [hears.presses("12#"), hears.waits(0.5).hangs_up(), Caller()]
        @pytest.mark.parametrize("who", people)
        @pytest.mark.parametrize("other", [1, "two"])
        def test_menu(who, other):
            pass
        """.replace("\n        ", "\n"),
        "-v",
    )
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        [
            "*test_menu?1-who=hears-menu-presses-12#? *",
            "*test_menu?1-who=hears-menu-waits-0.5-s-hangs-up? *",
            "*test_menu?1-who=does-nothing? *",
            "*test_menu?two-who=does-nothing? *",
        ]
    )


def test_classes_keep_dialogues_of_their_own(run: Callable[..., pytest.RunResult]) -> None:
    test = """
        from pystrix_typed.testing import Caller
        class TestOne:
            def test_menu(self, agi_call, agi_transcript):
                agi_transcript(agi_call(menu, caller=Caller().hears("menu").presses("1")))
        class TestTwo:
            def test_menu(self, agi_call, agi_transcript):
                agi_transcript(agi_call(menu, caller=Caller().hears("menu").presses("2")))
        """.replace("\n        ", "\n")
    run(test, "--update-transcripts").assert_outcomes(passed=2)
    run(test).assert_outcomes(passed=2)


def test_callers_and_the_exchange_by_markers(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        import pytest
        from pystrix_typed.testing import Caller
        @pytest.mark.simulated_asterisk("16.28.0", sounds={"welcome": 1, "menu": 60})
        @pytest.mark.agi_callers(one=Caller().presses("1"), two=Caller().waits(2).presses("2"))
        def test_menu(agi_call, agi_caller, simulated_asterisk):
            assert simulated_asterisk.version == "16.28.0"
            call = agi_call(menu, caller=agi_caller, check=False)
            assert call.duration < 70

        @pytest.mark.agi_callers(one=Caller())
        def test_without(agi_call):
            pass
        """.replace("\n        ", "\n"),
        "-v",
        "--strict-markers",
    )
    assert "needs agi_caller" in str(result.stdout)
    passing = run(
        """
        import pytest
        from pystrix_typed.testing import Caller
        at_menu = Caller().hears("menu")
        @pytest.mark.agi_callers(one=at_menu.presses("1"), two=at_menu.presses("2"))
        def test_menu(agi_call, agi_caller):
            assert agi_call(menu, caller=agi_caller).pressed in "12"
        """.replace("\n        ", "\n"),
        "-v",
        "--strict-markers",
    )
    passing.assert_outcomes(passed=2)
    passing.stdout.fnmatch_lines(["*test_menu?one?*", "*test_menu?two?*"])


def test_mistakes_are_told(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        import pytest
        from pystrix_typed.testing import Caller

        def missing(session, request):
            session.execute(core.DatabaseGet("a", "b"))

        def test_forgotten(agi_call_async):
            agi_call_async(menu_async)
        def test_asyncio(agi_call):
            agi_call(menu_async)
        def test_unknown(agi_call):
            agi_call(menu, callerr=Caller())
        def test_nobody(agi_caller):
            pass
        def test_deep(agi_call):
            agi_call(missing)
        def test_for_ever(agi_call):
            def handler(session):
                while True:
                    session.execute(core.WaitForDigit(1000))
            agi_call(handler)
        @pytest.mark.simulated_asterisk(sound={})
        def test_marker(agi_call):
            pass
        """.replace("\n        ", "\n")
    )
    result.assert_outcomes(passed=1, failed=4, errors=3)
    shown = str(result.stdout)
    for told in (
        "a call was never placed: await agi_call_async(...)",
        "is for asyncio: call it with call_async",
        "a call has no option 'callerr'; it has caller, ",
        "test_nobody asks for agi_caller: say who calls, as in ",
        "CallerError: the call has lasted for 3600 seconds and goes on",
        "@pytest.mark.simulated_asterisk: SimulatedAsterisk.__init__() got an unexpected",
    ):
        assert told in shown
    # The dialogue once, and of a long one not all; of this package's own code nothing.
    result.stdout.fnmatch_lines(['=>*> DATABASE GET "a" "b"'])
    assert shown.count('> DATABASE GET "a" "b"') == 1
    assert "lines are left out" in shown
    assert shown.count("> WAIT FOR DIGIT") < 150
    assert "session.py" not in shown


@pytest.mark.parametrize("given", ["[Caller()]", "Caller()", "", "one='1'"])
def test_callers_have_names(run: Callable[..., pytest.RunResult], given: str) -> None:
    result = run(
        f"""
        import pytest
        from pystrix_typed.testing import Caller
        @pytest.mark.agi_callers({given})
        def test_menu(agi_call, agi_caller):
            pass
        """.replace("\n        ", "\n")
    )
    assert result.ret != 0
    assert "agi_callers takes callers by name" in str(result.stdout)


def test_a_dialogue_is_kept_and_compared(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    test = """
        from pystrix_typed.testing import Caller
        def test_menu(agi_call, agi_transcript):
            agi_transcript(agi_call(menu, caller=Caller().hears("menu").presses("{key}")))
        """.replace("\n        ", "\n")
    result = run(test.format(key=1))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no dialogue is kept in *--update-transcripts keeps this one*"])
    run(test.format(key=1), "--update-transcripts").assert_outcomes(passed=1)
    assert (pytester.path / "__transcripts__" / "test_it" / "test_menu.txt").exists()
    run(test.format(key=1)).assert_outcomes(passed=1)
    result = run(test.format(key=2))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['-*SET VARIABLE "CHOICE" "1"', '+*SET VARIABLE "CHOICE" "2"'])


def test_a_script_and_a_server(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.makefile(
        ".agi",
        script=(
            "from pystrix_typed import agi\n"
            "with agi.AGI() as session:\n"
            "    session.execute(agi.core.Verbose(session.environment.arguments[0]))\n"
        ),
    )
    run(
        """
        def test_script(agi_script):
            call = agi_script("script.agi", arguments=("hello",))
            assert (call.log, call.agistatus) == (["hello"], "SUCCESS")

        def test_server(agi_server):
            server = agi.FastAGIServer(port=0)
            server.script("menu")(menu)
            for _ in range(2):
                assert agi_server(server, "menu").played == ["welcome", "menu"]
            assert server.state == "serving"

        def test_asyncio_server(agi_server):
            server = agi.aio.FastAGIServer(port=0)
            server.script("menu")(menu_async)
            for _ in range(2):
                assert agi_server(server, "menu").variables["CHOICE"] == ""
            assert server.state == "serving"

        def test_they_are_ended():
            import threading
            assert [each.name for each in threading.enumerate()] == ["MainThread"]
        """.replace("\n        ", "\n")
    ).assert_outcomes(passed=4)


def test_a_recording_is_replayed(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        import pytest
        from pathlib import Path
        from pystrix_typed.testing import Caller, RecordedCall
        def test_keep(agi_call):
            call = agi_call(menu, caller=Caller().hears("menu").presses("1"))
            RecordedCall.of(call.transcript).save(Path(__file__).parent / "call.agi.jsonl")
        def test_same(agi_replay):
            assert agi_replay("call.agi.jsonl", menu).agistatus == "SUCCESS"
        def test_other(agi_replay):
            agi_replay("call.agi.jsonl", lambda session: session.execute(core.Hangup()))
        """.replace("\n        ", "\n")
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*ReplayError: the script sent: *HANGUP", "*AGI call 1*"])


def test_it_costs_nothing_unused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        test_it="""
        import sys
        def test_nothing():
            loaded = {name for name in sys.modules if name.startswith("pystrix_typed.")}
            assert loaded == {"pystrix_typed.pytest_plugin", "pystrix_typed._pytest_fixtures"}
        """
    )
    pytester.makeini("[pytest]")
    plugin = ["-p", "pystrix_typed.pytest_plugin", "-p", "no:cacheprovider"]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    assert pytester.runpytest_subprocess(*plugin).ret == 0


def test_the_entry_point() -> None:
    named = [each.value for each in entry_points(group="pytest11") if each.name == "pystrix-typed"]
    text = (ROOT / "pyproject.toml").read_text()
    assert 'pystrix-typed = "pystrix_typed.pytest_plugin"' in text
    assert named in ([], ["pystrix_typed.pytest_plugin"])
