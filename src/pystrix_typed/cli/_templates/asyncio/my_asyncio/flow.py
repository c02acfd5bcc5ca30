"""What happens in a call."""

from pystrix_typed import agi
from pystrix_typed.agi import core

DIGITS = 4
PROMPTS = ("vm-enter-num-to-call", "please-try-again", "please-try-again")


async def take_call(session: agi.aio.FastAGI, request: agi.Request) -> None:
    """Ask for a number, say it back, and leave it in the channel variable NUMBER.

    The address in the dialplan may say how often to ask: ``agi://host/number?tries=2``.

    When the caller hangs up, the command that is running raises `agi.AGIHangup`. That is the usual
    end of a call, and need not be caught.
    """
    tries = int(request.query.get("tries", "3"))
    await session.execute(core.Answer())
    number = await ask_for_number(session, tries)
    await session.execute(core.SetVariable("NUMBER", number))
    if number:
        await session.execute(core.StreamFile("you-entered"))
        await session.execute(core.SayDigits(number))
    await session.execute(core.StreamFile("vm-goodbye"))


async def ask_for_number(session: agi.aio.Session, tries: int) -> str:
    """Give what the caller enters, or an empty text when there is none after some tries."""
    for prompt in PROMPTS[:tries]:
        entry = await session.execute(core.GetData(prompt, timeout=5000, max_digits=DIGITS))
        digits = entry.digits
        if len(digits) == DIGITS and digits.isdecimal():
            return digits
    return ""
