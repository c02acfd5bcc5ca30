"""What the checkers must report, and the words in which they do: exactly these lines.

The comments give the rule of each checker that the line breaks.
"""

import pystrix_typed
from pystrix_typed import agi, testing
from pystrix_typed.agi import core
from pystrix_typed.agi.health import HealthServer, readiness
from pystrix_typed.agi.logs import configure


def wrong_arguments() -> None:
    core.StreamFile("beep", escape_digits=1.5)  # mypy: arg-type; pyright: reportArgumentType
    core.StreamFile()  # mypy: call-arg; pyright: reportCallIssue
    core.StreamFile("beep", "", 0, "more")  # mypy: call-arg; pyright: reportCallIssue
    core.GetData("beep", timeout="soon")  # mypy: arg-type; pyright: reportArgumentType
    core.GetData("beep", max_digits=None)  # mypy: arg-type; pyright: reportArgumentType
    core.GetData("beep", digits=4)  # mypy: call-arg; pyright: reportCallIssue
    core.SetVariable("X", 5)  # mypy: arg-type; pyright: reportArgumentType
    core.DatabaseGet("family", b"key")  # mypy: arg-type; pyright: reportArgumentType
    core.TDDMode("perhaps")  # mypy: arg-type; pyright: reportArgumentType
    core.Answer("now")  # mypy: call-arg; pyright: reportCallIssue


def wrong_names() -> None:
    pystrix_typed.nonsense()  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    agi.Nonsense()  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    core.Nonsense()  # mypy: attr-defined; pyright: reportAttributeAccessIssue


def wrong_results(session: agi.Session) -> None:
    entry = session.execute(core.GetData("beep"))
    print(entry.digit)  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    number: int = entry.digits  # mypy: assignment; pyright: reportAssignmentType
    print(number + 1)
    played = session.execute(core.StreamFile("beep"))
    print(played.digit + "#")  # mypy: operator; pyright: reportOptionalOperand
    session.execute("ANSWER")  # mypy: arg-type; pyright: reportArgumentType
    session.execute(core.Answer)  # mypy: arg-type; pyright: reportArgumentType


def frozen(session: agi.Session) -> None:
    action = core.GetData("beep")
    action.timeout = 10  # mypy: misc; pyright: reportAttributeAccessIssue
    session.execute(action).digits = "1"  # mypy: misc; pyright: reportAttributeAccessIssue


def greet(session: agi.FastAGI) -> None:
    """Is no handler: it must take the rest as well."""


def wrong_handler(server: agi.FastAGIServer) -> None:
    server.register_script_handler("greet", greet)  # mypy: arg-type; pyright: reportArgumentType


def wrong_observers(server: agi.FastAGIServer) -> None:
    configure("xml")  # mypy: arg-type; pyright: reportArgumentType
    HealthServer("127.0.0.1", 0, server.state)  # mypy: arg-type; pyright: reportArgumentType
    readiness(server.calls)  # mypy: arg-type; pyright: reportArgumentType
    agi.FastAGIServer(observers=[print])  # mypy: list-item; pyright: reportArgumentType


async def in_a_loop(session: agi.aio.FastAGI) -> None:
    await session.execute(core.Answer())


def wrong_calls(asterisk: testing.SimulatedAsterisk) -> None:
    asterisk.call(in_a_loop)  # mypy: arg-type; pyright: reportArgumentType
    asterisk.call(greet, callers=2)  # mypy: call-arg; pyright: reportCallIssue
    testing.Caller().presses(1)  # mypy: arg-type; pyright: reportArgumentType
    testing.Caller().number = "1"  # mypy: misc; pyright: reportAttributeAccessIssue
