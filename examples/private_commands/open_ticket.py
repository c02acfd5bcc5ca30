#!/usr/bin/env python3
"""An AGI script that uses AGI commands of one's own.

``res_tickets.so`` is a module that our exchange has and no other: its two commands are described in
``spec``, and the package ``ticket_agi`` beside this file was generated from that::

    pystrix-typed generate --spec spec --out ticket_agi

(the extra ``codegen`` brings what that needs; the package itself needs only pystrix-typed). Its
actions work with ``execute`` like all others, and may be mixed with them.
"""

from __future__ import annotations

from ticket_agi import TicketOpen, TicketRead, Urgency

from pystrix_typed import agi


def main() -> None:
    """Take a ticket for the caller, and read it back on demand."""
    with agi.AGI() as session:
        choice = session.execute(agi.core.GetData("press-1-if-urgent", timeout=3000, max_digits=1))
        urgency = Urgency.URGENT if choice.digits == "1" else Urgency.NORMAL
        caller = session.environment.caller_id or "somebody"
        try:
            ticket = session.execute(TicketOpen(f"Call of {caller}", urgency))
        except agi.AGIAppError:
            session.execute(agi.core.StreamFile("desk-is-closed"))
            return
        session.execute(agi.core.SayNumber(ticket.number))
        if session.execute(TicketRead(ticket.number, "#")).digit == "#":
            session.execute(agi.core.Verbose(f"ticket {ticket.number}: the caller heard enough"))


if __name__ == "__main__":
    main()
