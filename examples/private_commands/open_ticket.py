#!/usr/bin/env python3
"""An AGI script that uses AGI commands of one's own.

``res_tickets.so`` is a module that our exchange has and no other (``res_tickets.c``). Its two
commands are described in ``spec``, and the package ``ticket_agi`` was generated from that::

    pystrix-typed generate --spec spec --out ticket_agi

(the extra ``codegen`` brings what that needs; the package itself needs only pystrix-typed). Its
actions work with ``execute`` like all others, and may be mixed with them. Put this file and the
package beside it on Asterisk's machine; in the dialplan::

    exten => 650,1,AGI(/opt/ivr/open_ticket.py)
     same => n,NoOp(the ticket is ${TICKET})
     same => n,Hangup()
"""

from __future__ import annotations

from ticket_agi import TicketOpen, TicketRead, Urgency

from pystrix_typed import agi
from pystrix_typed.agi import core


def main() -> None:
    """Take a ticket for the caller, and read it back on demand."""
    with agi.AGI() as session:
        session.execute(core.Answer())
        choice = session.execute(core.GetData("vm-Urgent", timeout=3000, max_digits=1))
        urgency = Urgency.URGENT if choice.digits == "1" else Urgency.NORMAL
        caller = session.environment.caller_id or "somebody"
        try:
            # At most 200 bytes, says the spec: a caller's number may be anything.
            ticket = session.execute(TicketOpen(f"Call of {caller[:40]}", urgency))
        except agi.AGIAppError:
            session.execute(core.StreamFile("vm-nobodyavail"))
            return
        session.execute(core.SetVariable("TICKET", str(ticket.number)))
        session.execute(core.SayNumber(ticket.number))
        if session.execute(TicketRead(ticket.number, "#")).digit == "#":
            session.execute(core.Verbose(f"ticket {ticket.number}: the caller heard enough"))


if __name__ == "__main__":
    main()
