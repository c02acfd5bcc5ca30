"""Actions that were generated from a spec of one's own are as typed as ours."""

from typing import assert_type

from ticket_agi import TicketOpen, TicketRead, Urgency

from pystrix_typed import agi
from pystrix_typed.agi import core


def own(session: agi.Session) -> None:
    ticket = session.execute(TicketOpen("a call", Urgency.URGENT))
    assert_type(ticket.number, int)
    assert_type(session.execute(TicketRead(ticket.number, "#")).digit, str | None)
    actions: list[agi.Action[object]] = [TicketRead(1), core.Answer()]
    for action in actions:
        session.execute(action)


async def own_in_a_loop(session: agi.aio.FastAGI) -> None:
    assert_type((await session.execute(TicketOpen("a call"))).number, int)


def wrong(session: agi.Session) -> None:
    TicketOpen()  # mypy: call-arg; pyright: reportCallIssue
    TicketOpen("a call", "tomorrow")  # mypy: arg-type; pyright: reportArgumentType
    read = session.execute(TicketRead(1))
    print(read.number)  # mypy: attr-defined; pyright: reportAttributeAccessIssue
