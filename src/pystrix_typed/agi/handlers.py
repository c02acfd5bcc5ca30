"""What may be a handler, and what becomes of a call when one returns or raises.

A handler of the wrong kind would be the quietest of failures: calling a generator function, or a
coroutine function that nobody awaits, runs nothing of it, and the call would end as a success.
"""

from __future__ import annotations

import inspect
from typing import Final

from pystrix_typed.agi.last_words import is_hangup

__all__ = ["check", "check_result", "outcome_of"]

_SERVER: Final = {False: "agi.FastAGIServer", True: "agi.aio.FastAGIServer"}


def check(regex: object, handler: object, *, awaited: bool) -> None:
    """Refuse what cannot handle calls, as far as one can see that before the first.

    Args:
        regex: What it is registered for.
        handler: What is registered.
        awaited: Whether the server awaits its handlers.

    Raises:
        TypeError: It cannot be called, or belongs to the other kind of server, or to none.
    """
    if not callable(handler):
        raise TypeError(f"the handler for {regex!r} must be callable, not {handler!r}")
    # An object may be called by a method of its class.
    for each in (handler, getattr(handler, "__call__", None)):  # noqa: B004 - the method is wanted
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise TypeError(
                f"the handler for {regex!r} is a generator function, which no server runs: it must "
                "not yield"
            )
        if not awaited and inspect.iscoroutinefunction(each):
            raise TypeError(
                f"the handler for {regex!r} is asynchronous; {_SERVER[True]} runs those"
            )
    if awaited and not inspect.iscoroutinefunction(handler) and _returns_none(handler):
        raise TypeError(
            f"the handler for {regex!r} is not asynchronous; {_SERVER[False]} runs those"
        )


def _returns_none(handler: object) -> bool:
    """Tell whether a plain function says that there is nothing to await."""
    if not inspect.isfunction(handler) or hasattr(handler, "__wrapped__"):
        return False  # what wraps a handler has its annotations, whatever it gives itself
    try:
        return handler.__annotations__.get("return", "") in (None, "None")
    except Exception:  # noqa: BLE001 - annotations may be evaluated only now, and name anything
        return False


def check_result(regex: object, found: object, *, awaited: bool) -> None:
    """Refuse what a handler gave when it was called, if that shows that nothing of it has run.

    Args:
        regex: What it is registered for; None for the default handler.
        found: What it gave.
        awaited: Whether the server awaits it.

    Raises:
        TypeError: It is of the wrong kind.
    """
    awaitable = inspect.isawaitable(found)
    if awaitable == awaited and not inspect.isgenerator(found) and not inspect.isasyncgen(found):
        return
    if inspect.iscoroutine(found):
        found.close()  # or Python would warn, too, that nobody has awaited it
    which = "the default handler" if regex is None else f"the handler for {regex!r}"
    what = "and nothing to await" if awaited else "of which nothing has run"
    where = f"; {_SERVER[not awaited]} runs such handlers" if awaitable != awaited else ""
    raise TypeError(f"{which} gave a {type(found).__name__}, {what}{where}")


def outcome_of(error: BaseException) -> str:
    """Give how a call ended whose handler raised: a group of hangups is one."""
    return "hangup" if is_hangup(error) else "error"
