"""The near end of a call: one handler, run over FastAGI in this process or as an AGI script.

Either way it runs in a blocking session, and, with ``await`` put before each command, in one of
asyncio.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import threading
import traceback
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from pystrix_typed import agi
from pystrix_typed.agi import core

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from .calls import Caller, Ending, Far
    from .exchange import Exchange

__all__ = ["Near", "Transport"]

T = TypeVar("T")


class Transport(Enum):
    """How Asterisk reaches the handler."""

    FASTAGI = "fastagi"
    AGI = "agi"
    FASTAGI_ASYNCIO = "fastagi-asyncio"
    AGI_ASYNCIO = "agi-asyncio"

    @property
    def is_script(self) -> bool:
        """Whether Asterisk starts a process."""
        return self in {Transport.AGI, Transport.AGI_ASYNCIO}

    @property
    def is_asyncio(self) -> bool:
        """Whether the session is one of asyncio."""
        return self in {Transport.AGI_ASYNCIO, Transport.FASTAGI_ASYNCIO}


HEAD = """\
#!/usr/bin/env python3
from __future__ import annotations
import asyncio
import os
import traceback
from pystrix_typed import agi
from pystrix_typed.agi import core

{source}
"""

BLOCKING = """\
with agi.AGI() as session:
    try:
        report = repr({name}(session))
    except BaseException:
        report = "!" + traceback.format_exc()
"""

ASYNCIO = """\
async def main() -> str:
    async with agi.aio.AGI() as session:
        try:
            return repr(await {name}(session))
        except BaseException:
            return "!" + traceback.format_exc()

report = asyncio.run(main())
"""

TAIL = """\
with open({report!r} + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
    file.write(report)
os.rename({report!r} + ".new", {report!r})
"""


@dataclass(frozen=True)
class Near:
    """Runs handlers on an exchange, over one transport.

    A handler is a module-level function of a session that names nothing but `agi` and `core`, so
    that it can be written into a script too. What it returns comes back as it is: lists, tuples,
    dicts, plain values, results.
    """

    exchange: Exchange
    transport: Transport

    def run(
        self,
        handler: Callable[[agi.Session], T],
        *,
        far: Far | None = None,
        args: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        caller: Caller | None = None,
        answer: bool = True,
        dead: bool = False,
        watch: Sequence[str] = (),
    ) -> tuple[T, Ending]:
        """Place a call into the handler; give what it returned and how the call ended."""
        place = self._script if self.transport.is_script else self._serve
        url, report = place(handler)
        with self.exchange.call(
            url,
            args,
            far=far,
            variables=variables,
            caller=caller,
            answer=answer,
            dead=dead,
            watch=watch,
        ) as call:
            ending = call.wait(40)
        text = report()
        assert not text.startswith("!"), text[1:]
        # Records print as they are built.
        value: T = eval(text, {**{name: getattr(core, name) for name in core.__all__}})
        return value, ending

    def _script(self, handler: Callable[[agi.Session], object]) -> tuple[str, Callable[[], str]]:
        name = handler.__name__
        report = self.exchange.folder / "agi" / f"{name}.report"
        report.unlink(missing_ok=True)
        source, body = inspect.getsource(handler), BLOCKING
        if self.transport.is_asyncio:
            source, body = awaiting(source), ASYNCIO
        text = (HEAD + body + TAIL).format(
            source=source, name=name, report=self.exchange.inside(report)
        )
        path = self.exchange.script(text, name)

        def read() -> str:
            # With AGIEXITONHANGUP Asterisk does not wait for the script to end.
            self.exchange.wait_until(report.exists, 10, f"the report of {name}")
            return report.read_text(encoding="utf-8", errors="surrogateescape")

        return path, read

    def _serve(self, handler: Callable[[agi.Session], object]) -> tuple[str, Callable[[], str]]:
        if self.transport.is_asyncio:
            return _serve_in_loop(handler)
        reports: list[str] = []
        done = threading.Event()

        def handle(
            session: agi.FastAGI,
            args: tuple[str, ...],
            kwargs: dict[str, list[str]],
            match: re.Match[str] | None,
            path: str,
        ) -> None:
            try:
                reports.append(repr(handler(session)))
            except BaseException:
                reports.append("!" + traceback.format_exc())
                raise
            finally:
                done.set()

        server = agi.FastAGIServer(port=0)
        server.register_script_handler(None, handle)
        server.timeout = 10.0
        threading.Thread(target=server.handle_request, daemon=True).start()

        def read() -> str:
            try:
                assert done.wait(10), "no call came"
                return reports[0]
            finally:
                server.shutdown()

        return f"agi://127.0.0.1:{server.server_address[1]}", read


def _serve_in_loop(handler: Callable[[agi.Session], object]) -> tuple[str, Callable[[], str]]:
    reports: list[str] = []
    done = threading.Event()
    names = dict(handler.__globals__)
    exec(awaiting(inspect.getsource(handler)), names)
    coroutine: Callable[[agi.aio.FastAGI], Awaitable[object]] = names[handler.__name__]
    server = agi.aio.FastAGIServer(port=0)

    @server.script(None)
    async def handle(session: agi.aio.FastAGI, request: agi.Request) -> None:
        try:
            reports.append(repr(await coroutine(session)))
        except BaseException:
            reports.append("!" + traceback.format_exc())
            raise
        finally:
            done.set()

    port = server.server_address[1]
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_until_complete(server.serve_forever())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def read() -> str:
        try:
            assert done.wait(10), "no call came"
            return reports[0]
        finally:
            loop.call_soon_threadsafe(server.stop, 5.0)
            thread.join(10)

    return f"agi://127.0.0.1:{port}", read


class _Awaiting(ast.NodeTransformer):
    """Puts ``await`` before each command."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if ast.unparse(node.func) == "session.execute":
            return ast.Await(node)
        return node


def awaiting(source: str) -> str:
    """Make an asynchronous handler of a blocking one."""
    tree = ast.parse(source)
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    _Awaiting().visit(function)
    return "async " + ast.unparse(tree).removeprefix("\n") + "\n"
