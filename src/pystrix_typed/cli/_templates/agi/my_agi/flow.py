"""What happens in a call."""

from pystrix_typed import agi
from pystrix_typed.agi import core

DIGITS = 4
PROMPTS = ("vm-enter-num-to-call", "please-try-again", "please-try-again")


def take_call(session: agi.Session) -> None:
    """Ask for a number, say it back, and leave it in the channel variable NUMBER.

    When the caller hangs up, the command that is running raises `agi.AGIHangup`. That is the usual
    end of a call, and need not be caught.
    """
    session.execute(core.Answer())
    number = ask_for_number(session)
    session.execute(core.SetVariable("NUMBER", number))
    if number:
        session.execute(core.StreamFile("you-entered"))
        session.execute(core.SayDigits(number))
    session.execute(core.StreamFile("vm-goodbye"))


def ask_for_number(session: agi.Session) -> str:
    """Give what the caller enters, or an empty text when there is none after three tries."""
    for prompt in PROMPTS:
        entry = session.execute(core.GetData(prompt, timeout=5000, max_digits=DIGITS))
        digits = entry.digits
        if len(digits) == DIGITS and digits.isdecimal():
            return digits
    return ""
