"""What a call may be told, whichever way its script is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pystrix_typed.testing.caller import Caller
    from pystrix_typed.testing.channel import Identity
    from pystrix_typed.testing.faults import Fault

__all__ = ["CallOptions"]


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
