"""The hooks and the fixtures of `pystrix_typed.pytest_plugin`, where pytest finds them."""

from __future__ import annotations

import inspect
import re
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import asyncio
    import os
    from collections.abc import Coroutine, Generator, Mapping, Sequence
    from typing import Unpack

    from pystrix_typed.agi import FastAGIServer
    from pystrix_typed.agi.aio import FastAGIServer as AioServer
    from pystrix_typed.pytest_plugin import (
        AgiCall,
        AgiCallAsync,
        AgiReplay,
        AgiScript,
        AgiServer,
        AgiTranscript,
    )
    from pystrix_typed.testing import Caller, CallOptions, SimulatedAsterisk, SimulatedCall
    from pystrix_typed.testing.handlers import AsyncHandler, Handler

__all__ = [
    "agi_call",
    "agi_call_async",
    "agi_caller",
    "agi_replay",
    "agi_script",
    "agi_server",
    "agi_transcript",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_make_parametrize_id",
    "pytest_runtest_makereport",
    "simulated_asterisk",
]

_UPDATE = "--update-transcripts"
_MARK, _CALLERS = "simulated_asterisk", "agi_callers"
_PATIENCE = 10.0
_calls = pytest.StashKey["list[SimulatedCall]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps dialogues."""
    group = parser.getgroup("pystrix-typed")
    about = "keep the dialogues of calls that tests compare with agi_transcript"
    group.addoption(_UPDATE, action="store_true", default=False, help=about)


def pytest_configure(config: pytest.Config) -> None:
    """Describe the markers."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(version, **options): what the Asterisk of the test's calls is; the arguments are "
        "those of pystrix_typed.testing.SimulatedAsterisk",
    )
    config.addinivalue_line(
        "markers",
        f"{_CALLERS}(name=Caller()...): run the test once for each caller, who is the fixture "
        "agi_caller",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each of its callers."""
    mark = metafunc.definition.get_closest_marker(_CALLERS)
    if mark is None:
        return
    if "agi_caller" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: {_CALLERS} needs agi_caller")
    from pystrix_typed.testing import Caller

    named: Mapping[str, object] = mark.kwargs
    if mark.args or not named or not all(isinstance(each, Caller) for each in named.values()):
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: {_CALLERS} takes callers by name, as in "
            f"{_CALLERS}(hasty=Caller().presses('1'))"
        )
    metafunc.parametrize("agi_caller", list(mark.kwargs.values()), ids=list(mark.kwargs))


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name a caller by what they do: ``caller=hears-menu-presses-1``."""
    del config
    if "pystrix_typed.testing.caller" not in sys.modules:
        return None  # nobody has made one, and this is called for whatever is parametrised
    from pystrix_typed.testing import Caller

    if not isinstance(val, Caller):
        return None
    words = "-".join(map(str, val.steps)) or "does nothing"
    return f"{argname}={re.sub(r'[^A-Za-z0-9.*#]+', '-', words).strip('-')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the dialogues of a test's calls when it fails."""
    none: list[SimulatedCall] = []
    made = item.stash.get(_calls, none)
    if made and call.excinfo is not None and not item.config.getoption("fulltrace"):
        _leave_out_the_package(call.excinfo)
    report = yield
    if report.failed:
        for number, each in enumerate(made, 1):
            report.sections.append((f"AGI call {number}", _shown(each)))
    return report


def _leave_out_the_package(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Show where the test and the handler went wrong, and not the way through this package."""
    package = str(Path(__file__).parent)
    steps: list[TracebackType] = []
    step: TracebackType | None = excinfo.tb
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(package):
            steps.append(step)
        step = step.tb_next
    chain: TracebackType | None = None
    for step in reversed(steps):
        chain = TracebackType(chain, step.tb_frame, step.tb_lasti, step.tb_lineno)
    if chain is not None:
        excinfo.traceback = type(excinfo.traceback)(chain)


def _shown(call: SimulatedCall) -> str:
    """Give a call's dialogue with the line marked at which it went wrong."""
    error = call.failure or call.error
    # The last thing that the script did before.
    marked = call.transcript.excerpt(None if error is None else call.transcript.latest_command)
    if error is not None:
        why = call.failure.why if call.failure is not None else str(error).partition("\n")[0]
        marked += [f"   {line}" for line in f"{type(error).__name__}: {why}".split("\n")]
    marked.append(f"   {call!r}")
    return "\n".join(marked)


def _ended(request: pytest.FixtureRequest, call: SimulatedCall, check: bool) -> SimulatedCall:
    """Keep a call, to show it if the test fails; and see that it went well."""
    __tracebackhide__ = True
    node: pytest.Item = request.node
    node.stash.setdefault(_calls, []).append(call)
    if call.failure is not None:
        call.failure.shorten()  # the dialogue is shown with the test
    if check:
        call.raise_errors()
    return call


@pytest.fixture
def simulated_asterisk(request: pytest.FixtureRequest) -> SimulatedAsterisk:
    """Give the Asterisk of the test, as the marker of the same name has it."""
    from pystrix_typed.testing import SimulatedAsterisk

    node: pytest.Item = request.node
    mark = node.get_closest_marker(_MARK)
    if mark is None:
        return SimulatedAsterisk()
    try:
        return SimulatedAsterisk(*mark.args, **mark.kwargs)
    except (TypeError, ValueError, OSError) as error:
        pytest.fail(f"@pytest.mark.{_MARK}: {error}", pytrace=False)


@pytest.fixture
def agi_caller(request: pytest.FixtureRequest) -> Caller:
    """Give each caller of the marker ``agi_callers`` in turn."""
    node: pytest.Item = request.node
    pytest.fail(
        f"{node.name} asks for agi_caller: say who calls, as in "
        f"@pytest.mark.{_CALLERS}(hasty=Caller().presses('1'))",
        pytrace=False,
    )


@pytest.fixture
def agi_call(request: pytest.FixtureRequest, simulated_asterisk: SimulatedAsterisk) -> AgiCall:
    """Give what calls a blocking handler, or a server's handlers, in this process."""

    def call(
        handler: Handler | FastAGIServer,
        script: str = "",
        *,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        __tracebackhide__ = True
        made = simulated_asterisk.call(handler, script, check=False, **options)
        return _ended(request, made, check)

    return call


@pytest.fixture
def agi_call_async(
    request: pytest.FixtureRequest, simulated_asterisk: SimulatedAsterisk
) -> Generator[AgiCallAsync, None, None]:
    """Give what calls an asyncio handler in the test's own loop, whose time is virtual then."""
    waiting: list[Coroutine[object, object, SimulatedCall]] = []

    def call(
        handler: AsyncHandler | AioServer,
        script: str = "",
        *,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> Coroutine[object, object, SimulatedCall]:
        waiting.append(place(handler, script, check, options))
        return waiting[-1]

    async def place(
        handler: AsyncHandler | AioServer, script: str, check: bool, options: CallOptions
    ) -> SimulatedCall:
        __tracebackhide__ = True
        made = await simulated_asterisk.call_async(handler, script, check=False, **options)
        return _ended(request, made, check)

    yield call
    forgotten = [each for each in waiting if inspect.getcoroutinestate(each) == "CORO_CREATED"]
    for each in forgotten:
        each.close()
    if forgotten:
        pytest.fail("a call was never placed: await agi_call_async(...)", pytrace=False)


@pytest.fixture
def agi_script(request: pytest.FixtureRequest, simulated_asterisk: SimulatedAsterisk) -> AgiScript:
    """Give what runs an AGI script in a process of its own."""

    def run(
        path: str | os.PathLike[str],
        *words: str,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        __tracebackhide__ = True
        command = [sys.executable, path, *words]
        made = simulated_asterisk.run_script(command, check=False, **options)
        return _ended(request, made, check)

    return run


@pytest.fixture
def agi_server(
    request: pytest.FixtureRequest, simulated_asterisk: SimulatedAsterisk
) -> Generator[AgiServer, None, None]:
    """Give what runs a server for the test, in a thread, and calls it over TCP."""
    running: list[_Running] = []

    def call(
        server: FastAGIServer | AioServer,
        script: str = "",
        *,
        check: bool = True,
        **options: Unpack[CallOptions],
    ) -> SimulatedCall:
        __tracebackhide__ = True
        host, port = server.server_address
        if not any(each.server is server for each in running):
            running.append(_Running(server))
        made = simulated_asterisk.call_server(host, port, script, check=False, **options)
        return _ended(request, made, check)

    yield call
    for each in running:
        each.stop()


class _Running:
    """A server, blocking or asyncio, that serves in a thread of its own."""

    def __init__(self, server: FastAGIServer | AioServer) -> None:
        self.server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="agi_server")
        self._thread.start()

    def _serve(self) -> None:
        serving = self.server.serve_forever()
        if serving is not None:
            import asyncio

            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(serving)

    def stop(self) -> None:
        """End its calls, and wait until it has ended."""
        ending = self.server.shutdown(0.0)
        if ending is not None:
            import asyncio

            if self._loop is None or self._loop.is_closed():
                ending.close()  # it has ended by itself
            else:
                asyncio.run_coroutine_threadsafe(ending, self._loop)
        self._thread.join(_PATIENCE)


@pytest.fixture
def agi_replay(request: pytest.FixtureRequest) -> AgiReplay:
    """Give what replays a recorded call into a blocking handler."""
    folder: Path = request.path.parent

    def replay(
        path: str | os.PathLike[str],
        handler: Handler,
        *,
        strict: bool = True,
        hidden: Sequence[str] = (),
        check: bool = True,
    ) -> SimulatedCall:
        from pystrix_typed.testing import RecordedCall

        __tracebackhide__ = True
        recorded = RecordedCall.load(folder / path)
        made = recorded.replay(handler, strict=strict, hidden=hidden, check=False)
        return _ended(request, made, check)

    return replay


@pytest.fixture
def agi_transcript(request: pytest.FixtureRequest) -> AgiTranscript:
    """Give what compares a call's dialogue with the one kept in ``__transcripts__``."""
    node: pytest.Item = request.node
    folder: Path = request.path.parent / "__transcripts__" / request.path.stem

    def compare(call: SimulatedCall, name: str = "") -> None:
        named = [node.cls.__name__] if isinstance(node, pytest.Function) and node.cls else []
        stem = ".".join([*named, name or node.name])
        stem = "".join([c if c.isalnum() or c in "-_." else "-" for c in stem])
        file = folder / f"{stem}.txt"
        found = f"{call.transcript}\n"
        if request.config.getoption(_UPDATE):
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(found, encoding="utf-8", errors="surrogateescape")
            return
        if not file.exists():
            pytest.fail(f"no dialogue is kept in {file}; {_UPDATE} keeps this one", pytrace=False)
        kept = file.read_text(encoding="utf-8", errors="surrogateescape")
        if kept != found:
            from difflib import unified_diff

            lines = unified_diff(kept.splitlines(), found.splitlines(), "kept", "now", lineterm="")
            told = (
                f"the dialogue is another one than in {file}; if that is right, {_UPDATE} keeps it"
            )
            pytest.fail("\n".join([f"{told}:", *lines]), pytrace=False)

    return compare
