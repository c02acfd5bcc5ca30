"""The near end of a call: one handler, run over FastAGI in this process or as an AGI script."""

from __future__ import annotations

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
    from collections.abc import Callable, Mapping, Sequence

    from .calls import Caller, Ending, Far
    from .exchange import Exchange

__all__ = ["Near", "Transport"]

T = TypeVar("T")


class Transport(Enum):
    """How Asterisk reaches the handler."""

    FASTAGI = "fastagi"
    AGI = "agi"


SCRIPT = """\
#!/usr/bin/env python3
from __future__ import annotations
import os
import traceback
from pystrix_typed import agi
from pystrix_typed.agi import core

{source}
with agi.AGI() as session:
    try:
        report = repr({name}(session))
    except BaseException:
        report = "!" + traceback.format_exc()
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
        place = self._script if self.transport is Transport.AGI else self._serve
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
        source = inspect.getsource(handler)
        text = SCRIPT.format(source=source, name=name, report=self.exchange.inside(report))
        path = self.exchange.script(text, name)

        def read() -> str:
            # With AGIEXITONHANGUP Asterisk does not wait for the script to end.
            self.exchange.wait_until(report.exists, 10, f"the report of {name}")
            return report.read_text(encoding="utf-8", errors="surrogateescape")

        return path, read

    def _serve(self, handler: Callable[[agi.Session], object]) -> tuple[str, Callable[[], str]]:
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
