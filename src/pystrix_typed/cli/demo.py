"""``pystrix-typed demo``: a call flow, and behind it all that is said on the wire.

A `FastAGIServer` serves the flow on loopback. The call comes from the simulated Asterisk, or with
``--asterisk`` from a real exchange, and passes through a wiretap, which shows what is really said.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from pystrix_typed import agi
from pystrix_typed.agi import core
from pystrix_typed.cli.problem import Problem
from pystrix_typed.cli.screen import Screen
from pystrix_typed.cli.wiretap import Wiretap
from pystrix_typed.testing import Caller, CallerError, SimulatedAsterisk

if TYPE_CHECKING:
    import re

    from pystrix_typed.agi import Action, FastAGI

__all__ = ["KEYS", "LAST_COMMAND", "SCRIPT", "log_in", "play"]

R = TypeVar("R")

SCRIPT = "agents/login?lang=en"
KEYS = {"agent-user": "1234"}
"""What the caller presses, by prompt."""
LAST_COMMAND = "WAIT FOR DIGIT"
"""The command at which the caller hangs up."""

_SOUNDS = {"hello-world": 1.42, "agent-user": 3.4, "agent-loginok": 0.9}
_SECONDS = 30.0


class Narrator:
    """Executes actions and prints what happens."""

    def __init__(self, session: FastAGI, wire: Wiretap, screen: Screen) -> None:
        self.session = session
        self.screen = screen
        self._wire = wire

    def execute(self, action: Action[R]) -> R:
        """Execute an action, as the session does, and show the dialogue of it."""
        self.screen.call(f"execute({action!r})")
        try:
            result = self.session.execute(action)
        except agi.AGIException as error:
            self._show_wire()
            self.screen.error(error)
            raise
        self._show_wire()
        self.screen.result(result)
        return result

    def meet(self) -> None:
        """Show who calls: the variables that the exchange sends first, typed."""
        self._wire.take()
        environment = self.session.environment
        shown = {
            "caller_id": environment.caller_id,
            "caller_id_name": environment.caller_id_name,
            "redirecting_number": environment.redirecting_number,
            "extension": environment.extension,
            "priority": environment.priority,
            "script": environment.script,
            "query": environment.query,
        }
        for name, value in shown.items():
            self.screen.call(f"environment.{name} = {value!r}")

    def _show_wire(self) -> None:
        for heard in self._wire.take():
            show = self.screen.received if heard.from_exchange else self.screen.sent
            show(heard.text)


def log_in(call: Narrator, language: str) -> None:
    """Log an agent in: the call flow of the demo."""
    title = call.screen.title
    title(f"A call comes in, and asks for the language {language!r}:")
    call.meet()

    title("Answer it, and greet the caller:")
    call.execute(core.Answer())
    call.execute(core.StreamFile("hello-world", "#"))

    title("Write into Asterisk's database, then ask for four digits and look them up:")
    call.execute(core.DatabasePut("agents", "1234", "Grace Hopper"))
    entry = call.execute(core.GetData("agent-user", 5000, 4))
    agent = call.execute(core.DatabaseGet("agents", entry.digits))

    title("Set a channel variable and read it back, and another that nobody has set:")
    call.execute(core.SetVariable("AGENT", agent.value))
    call.execute(core.GetVariable("AGENT"))
    call.execute(core.GetVariable("NOBODY_SET_THIS"))

    title("Run an application of the dialplan:")
    call.execute(core.Exec("Playback", "agent-loginok"))

    title("A key that is not there is an exception of its own:")
    try:
        call.execute(core.DatabaseGet("agents", "9999"))
    except agi.AGIDBError:
        call.screen.note("  caught; the call goes on")

    title("A wrong argument never reaches the wire:")
    try:
        call.execute(core.GetData("agent-user", 5000, max_digits=5000))
    except ValueError as error:
        call.screen.error(error)

    title("Wait for a key, and the caller hangs up:")
    try:
        call.execute(core.WaitForDigit(20_000))
    except agi.AGIHangup:
        call.screen.note("  caught; the call is over")

    title("What Asterisk allows on a dead channel still works:")
    call.execute(core.Verbose("the agent was logged in"))


def play(*, real: bool) -> None:
    """Play the demo to its end.

    Args:
        real: Put the call through a real Asterisk.

    Raises:
        Problem: It cannot be played here, or did not come to its end.
    """
    screen = Screen()
    finished: Future[None] = Future()

    def handler(
        session: FastAGI,
        _args: tuple[str, ...],
        kwargs: dict[str, list[str]],
        _match: re.Match[str] | None,
        _path: str,
    ) -> None:
        try:
            _introduce(screen, "a real Asterisk" if real else "a simulated Asterisk")
            log_in(Narrator(session, wire, screen), kwargs["lang"][0])
        except BaseException as error:  # noqa: BLE001 - raised again below, on the main thread
            finished.set_exception(error)
        else:
            finished.set_result(None)

    try:
        with agi.FastAGIServer(port=0) as server:
            server.register_script_handler("agents/login", handler)
            server.bind()  # here, where its error is told
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with Wiretap(server.server_address) as wire:
                try:
                    _place_call(wire, real=real)
                except CallerError:
                    finished.result(_SECONDS)  # it ended early, and knows why: nobody reads this
                    raise
                finished.result(_SECONDS)
    except TimeoutError as error:
        raise Problem("the call did not come to its end in time") from error
    except OSError as error:
        raise Problem(f"the call did not come about: {error}") from error
    except agi.AGIException as error:
        raise Problem(f"the call failed: {error}") from error
    screen.title("The end.")


def _introduce(screen: Screen, caller: str) -> None:
    screen.title(f"An example call, from {caller} to a server:")
    screen.note("  > is what the Python behind execute() sends, < what Asterisk answers,")
    screen.note("  = is what that becomes in Python, or ! an exception.")


def _place_call(wire: Wiretap, *, real: bool) -> None:
    if real:
        from pystrix_typed.cli import realcall

        realcall.place(wire, SCRIPT, keys=KEYS, last_command=LAST_COMMAND)
    else:
        caller = Caller("5550123", "Ada Lovelace")
        for prompt, keys in KEYS.items():
            caller = caller.hears(prompt).presses(keys)
        caller = caller.awaits(LAST_COMMAND).waits(1).hangs_up()
        SimulatedAsterisk(sounds=_SOUNDS).call_server(*wire.address, SCRIPT, caller=caller)
