"""Having the running Asterisk call a server: it knows its own names, routes and firewalls best.

Asterisk gets a dialplan context for this one call, and loses it afterwards. The call is over before
AGI begins (in an ``h`` extension), so nobody is rung and nothing is heard, whatever the handler
does: of the commands only those work that Asterisk allows on a dead channel.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING

from pystrix_typed.cli.console import ask
from pystrix_typed.cli.finding import Finding
from pystrix_typed.cli.problem import Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["examine"]

_FAMILY = "pystrix-typed-doctor"
#: What can stand in AGI() and on the console without quotes.
_PLAIN = re.compile(r"[\w.:/@?&=+%~\[\]-]+", re.ASCII)
_LIMIT = 10.0
_POLL = 0.05


def examine(url: str, console: Path | None) -> Finding:
    """Have Asterisk call a server.

    Args:
        url: What stands in the dialplan.
        console: The folder with the control socket of the running Asterisk; None if there is none.

    Raises:
        Problem: The address cannot be handed to the console.
    """
    text = url if "://" in url else f"agi://{url}"
    if not _PLAIN.fullmatch(text):
        raise Problem(f"{url!r} has characters that the console would not take", status=2)
    if console is None:
        return Finding(
            "through",
            "problem",
            f"no Asterisk that runs here could be asked to call {text}",
            "start it, and run this as root or as its user",
        )
    try:
        status = _status(text, console)
    except OSError as error:
        why = error.strerror or str(error)
        return Finding(
            "through", "problem", f"Asterisk's console failed: {why}", "run this as root"
        )
    return _judged(text, status)


def _judged(url: str, status: str) -> Finding:
    if status == "SUCCESS":
        return Finding("through", "ok", f"Asterisk itself reaches {url}")
    if status == "FAILURE":
        return Finding(
            "through",
            "problem",
            f"Asterisk itself does not reach {url}",
            "its console says why (asterisk -rvvv); it may have other names and routes than you",
        )
    return Finding(
        "through",
        "warning",
        f"Asterisk called {url}, and {status or f'no end came within {_LIMIT:g} s'}",
        "look at its console (asterisk -rvvv) and at the server's log",
    )


def _status(url: str, console: Path) -> str:
    """Place the call; give its AGISTATUS, a sentence, or nothing when it does not end."""
    name = f"{_FAMILY}-{secrets.token_hex(4)}"
    lines = (
        "s,1,Hangup()",
        f"h,1,AGI({url})",
        f"h,2,Set(DB({_FAMILY}/{name})=${{AGISTATUS}})",
    )
    try:
        for line in lines:
            said = ask(console, f"dialplan add extension {line} into {name}").text
            if "added into" not in said:
                return f"its dialplan took nothing: {said.strip().partition(chr(10))[0]}"
        said = ask(console, f"channel originate Local/s@{name}/n application Wait 1").text.strip()
        if said:
            return f"it placed no call: {said}"
        deadline = time.monotonic() + _LIMIT
        while time.monotonic() < deadline:
            told = ask(console, f"database get {_FAMILY} {name}").text
            if found := re.match(r"Value: (\S+)", told):
                return found[1]
            time.sleep(_POLL)
        return ""
    finally:
        ask(console, f"dialplan remove context {name}")
        ask(console, f"database del {_FAMILY} {name}")
