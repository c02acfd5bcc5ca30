"""Everything that a session can raise.

::

    AGIException                      anything that AGI has to report
    ├── AGIError                      the command did not do what it should
    │   ├── AGIUnknownError           a reply that the catalogue does not know
    │   ├── AGIAppError               the command was understood and failed
    │   │   └── AGIDBError            the Asterisk database has no such key, or failed
    │   ├── AGIUsageError             520: Asterisk refused the arguments
    │   ├── AGIInvalidCommandError    510: unknown command, or its module is not loaded
    │   ├── AGIVersionError           not sent: this Asterisk does not have it yet, or no more
    │   ├── AGINoResultError          a reply without "result="
    │   ├── AGIProtocolError          the peer broke the protocol: too long, not AGI at all
    │   ├── AGITimeoutError           the command's deadline passed (a TimeoutError too)
    │   ├── AGIClosedError            the session was closed, or lost step for good
    │   └── AGIDeadChannelError       511: the channel is dead (an AGIHangup too)
    └── AGIHangup                     the call is over
        ├── AGISIGPIPEHangup          Asterisk closed the connection
        ├── AGISIGHUPHangup           Asterisk gave notice: SIGHUP, or the line HANGUP
        ├── AGIResultHangup           a command's reply said so, or was settled to mean so
        └── AGIDeadChannelError       (the same class as above)

The names are pystrix's. Two places differ: there `AGINoResultError` stands beside `AGIError`, and
`AGIDeadChannelError` is not an `AGIHangup`.

Python's own errors mean what they always mean: a wrong argument is a `TypeError` or `ValueError`
when the action is built, before anything is sent.
"""

from __future__ import annotations

from pystrix_typed.agi.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.agi.wire import Reply

__all__ = [
    "AGIAppError",
    "AGIClosedError",
    "AGIDBError",
    "AGIDeadChannelError",
    "AGIError",
    "AGIException",
    "AGIHangup",
    "AGIInvalidCommandError",
    "AGINoResultError",
    "AGIProtocolError",
    "AGIResultHangup",
    "AGISIGHUPHangup",
    "AGISIGPIPEHangup",
    "AGITimeoutError",
    "AGIUnknownError",
    "AGIUsageError",
    "AGIVersionError",
    "Item",
]


class Item(Record):
    """One key of a reply: ``result=-1 (hangup)`` is the value ``-1`` with the data ``hangup``."""

    __slots__ = ("value", "data")  # noqa: RUF023 - the order of the constructor's arguments
    value: str
    data: str | None

    def __init__(self, value: str, data: str | None = None) -> None:
        assign = object.__setattr__
        assign(self, "value", value)
        assign(self, "data", data)


class AGIException(Exception):
    """Anything that AGI has to report.

    Attributes:
        items: What the reply said, by key: ``items["result"].value`` and ``.data``. Empty when
            there was no reply.
        action: The action that was being executed, if one was.
        reply: The reply that led here, if there was one.
    """

    items: Mapping[str, Item]
    action: AnyAction | None
    reply: Reply | None

    def __init__(
        self,
        message: str = "",
        items: Mapping[str, Item] | None = None,
        *,
        action: AnyAction | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message)
        self.action = action
        self.reply = reply
        if items is None:
            items = {} if reply is None else reply.items
        self.items = items


class AGIError(AGIException):
    """The command did not do what it should; the call goes on."""


class AGIUnknownError(AGIError):
    """Asterisk answered something that the catalogue does not know."""


class AGIAppError(AGIError):
    """The command was understood, was tried, and failed."""


class AGIDBError(AGIAppError):
    """The Asterisk database has no such key, or could not do what was asked."""


class AGIUsageError(AGIError):
    """Asterisk refused the arguments (520).

    `reply.data` holds the usage text when Asterisk sent one.
    """


class AGIInvalidCommandError(AGIError):
    """Asterisk does not know the command (510), or the module that brings it is not loaded."""


class AGIVersionError(AGIError):
    """This Asterisk does not have the command or an argument that was given: not yet, or no more.

    Nothing was sent. The session knows the version from `agi_version`; where that names none,
    nothing is refused.
    """


class AGINoResultError(AGIError):
    """Asterisk answered 200 without the ``result=`` that every reply carries."""


class AGIProtocolError(AGIError):
    """The peer does not speak AGI, or said more than the session's limits allow.

    The session cannot know where the next reply begins, so it is closed.
    """


class AGITimeoutError(AGIError, TimeoutError):
    """The command's deadline passed.

    The session stays usable: it finds its place again before the next command.
    """


class AGIClosedError(AGIError):
    """The session was closed, or lost step with Asterisk and could not find it again."""


class AGIHangup(AGIException):
    """The call is over.

    The commands that Asterisk still allows on a dead channel (variables, the database, `Verbose`,
    `Noop`, `Exec`) go on working; the others raise this at once.
    """


class AGISIGPIPEHangup(AGIHangup):
    """Asterisk closed the connection or the pipe: nothing more can be said."""


class AGISIGHUPHangup(AGIHangup):
    """Asterisk gave notice of the hangup: SIGHUP to a script, the line ``HANGUP`` over FastAGI."""


class AGIResultHangup(AGIHangup):
    """A command's reply said that the caller hung up, or was settled to mean it."""


class AGIDeadChannelError(AGIError, AGIHangup):
    """Asterisk does not permit the command on a dead channel or in an interception (511)."""
