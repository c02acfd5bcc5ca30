"""What a call may be told, whichever way its script is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from pystrix_typed.testing.caller import Caller

if TYPE_CHECKING:
    from pystrix_typed.testing.channel import Identity
    from pystrix_typed.testing.faults import Fault

__all__ = ["CallOptions", "check_options"]


class CallOptions(TypedDict, total=False):
    """The settings of a call; each may be left out.

    Attributes:
        caller: Who calls, and what they do; by default somebody who stays on the line.
        arguments: The arguments of ``AGI()`` behind the address.
        variables: Channel variables that are set before; ``AGISIGHUP`` goes here. Names may be
            dialplan functions.
        extension: What was dialled; ``"100"``.
        context: The context that AGI is called in; ``"default"``.
        priority: The priority that it is called at; 1.
        channel: The channel's name; by default one of PJSIP.
        language: The language of the sounds; ``"en"``.
        identity: Who calls whom, in full; by default the caller's number and name.
        answered: Whether the call is answered already; no.
        dead: Whether it is over already, as in the ``h`` extension; no.
        eagi: Whether the caller's sound goes to the script; no.
        text_support: Whether the channel carries text messages; yes.
        faults: What is to go wrong in this call.
        limit: Seconds of virtual time after which the call is taken never to end; 3600.
    """

    caller: Caller | None
    arguments: Sequence[str]
    variables: Mapping[str, str]
    extension: str
    context: str
    priority: int
    channel: str
    language: str
    identity: Identity
    answered: bool
    dead: bool
    eagi: bool
    text_support: bool
    faults: Sequence[Fault]
    limit: float


def check_options(script: object, options: CallOptions) -> None:
    """See that a call is told nothing that it would not heed.

    Raises:
        TypeError: There is no such option, or it is of another type.
    """
    unknown = sorted(options.keys() - CallOptions.__annotations__.keys())
    if unknown:
        raise TypeError(
            f"a call has no option {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(CallOptions.__annotations__)}"
        )
    if script is not None and not isinstance(script, str):
        raise TypeError(
            f"script={script!r}: it is the path and query of agi://host/path?query, as text"
        )
    given: Mapping[str, object] = {**options}
    caller = given.get("caller")
    if caller is not None and not isinstance(caller, Caller):
        raise TypeError(f"caller={caller!r}: it must be a Caller, as in Caller().presses('1')")
    for name in ("arguments", "faults"):
        value = given.get(name, ())
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError(f"{name}={value!r}: it must be a list")
