"""The runtime's protocol, but for what is drawn by lot: a call is to be the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pystrix_typed.agi.protocol import Protocol

if TYPE_CHECKING:
    from pystrix_typed.agi.record import AnyAction
    from pystrix_typed.testing.endless import Watch

__all__ = ["RepeatableProtocol"]


class RepeatableProtocol(Protocol):
    """A protocol whose fences have the same names in every call; nobody here forges them.

    Args:
        watch: Is told of each command, also of those that send nothing.
        verify_values: See `Protocol`.
    """

    __slots__ = ("_watch",)

    def __init__(self, watch: Watch, *, verify_values: bool = False) -> None:
        super().__init__(verify_values=verify_values)
        self._watch = watch
        self._mark = b"200 result=1 (fence-%b-" % (b"0" * 16)

    def begin(self, action: AnyAction) -> bytes:
        """Begin a command."""
        self._watch.command()
        return super().begin(action)
