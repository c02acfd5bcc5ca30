"""The runtime's protocol, but for what is drawn by lot: a call is to be the same every time."""

from __future__ import annotations

from pystrix_typed.agi.protocol import Protocol

__all__ = ["RepeatableProtocol"]


class RepeatableProtocol(Protocol):
    """A protocol whose fences have the same names in every call; nobody here forges them."""

    __slots__ = ()

    def __init__(self, *, verify_values: bool = False) -> None:
        super().__init__(verify_values=verify_values)
        self._mark = b"200 result=1 (fence-%b-" % (b"0" * 16)
