#!/usr/bin/env python3
"""A PIN with three tries, then a menu: the balance, a message, somebody to talk to.

In the dialplan::

    exten => 600,1,AGI(agi://127.0.0.1/account)
     same => n,GotoIf($["${TRANSFER}" = ""]?done)
     same => n,Dial(${TRANSFER},30)
     same => n(done),Hangup()

The sounds are some that come with Asterisk; yours will say what they mean. The PIN is in Asterisk's
database, by the caller's number: ``database put pins 5550123 1234``; the
balance, in whole crowns, is in the family ``balances``.
"""

from __future__ import annotations

from pystrix_typed import agi
from pystrix_typed.agi import core

server = agi.FastAGIServer()


def look_up(session: agi.FastAGI, family: str, account: str) -> str | None:
    """Read what the database has of an account; None if that is nothing."""
    if not account:  # the number is withheld
        return None
    try:
        return session.execute(core.DatabaseGet(family, account)).value
    except agi.AGIDBError:
        return None


def knows_the_pin(session: agi.FastAGI, account: str) -> bool:
    """Ask for the PIN up to three times."""
    pin = look_up(session, "pins", account)
    if not pin:
        return False
    for prompt in ("vm-password", "vm-incorrect", "vm-incorrect"):
        if session.execute(core.GetData(prompt, 5000, len(pin))).digits == pin:
            return True
    return False


@server.script("account")
def account(session: agi.FastAGI, request: agi.Request) -> None:
    """Serve one caller."""
    caller = request.environment.caller_id or ""
    session.execute(core.Answer())
    if not knows_the_pin(session, caller):
        session.execute(core.StreamFile("vm-goodbye"))
        return
    match session.execute(core.GetData("vm-opts", 5000, 1)).digits:
        case "1":
            balance = look_up(session, "balances", caller)
            session.execute(core.SayNumber(int(balance or 0)))
        case "2":
            # Not named after the caller's number, which may be anything, and is not of one call.
            name = f"message-{session.environment.unique_id}"
            session.execute(core.RecordFile(name, "wav", "#", timeout=60_000))
        case "3":
            session.execute(core.SetVariable("TRANSFER", "PJSIP/desk"))
        case _:
            session.execute(core.StreamFile("vm-goodbye"))


if __name__ == "__main__":
    server.serve_forever(signals=True)
