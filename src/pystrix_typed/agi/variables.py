"""The base of the generated `Environment`: reads one variable of the block, when it is asked for.

The block comes from the other end of a socket, so nothing in it is trusted to be well-formed: a
number that is none is None, never an exception in the middle of a call's set-up.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

__all__ = ["Variables"]


class Variables:
    """The variables that Asterisk sends before the first command.

    Attributes:
        raw: Every variable by the name that it came with, those that this package does not know
            included.
    """

    __slots__ = ("raw",)
    raw: "Mapping[str, str]"

    _known: "ClassVar[tuple[str, ...]]" = ()

    def __init__(self, raw: "Mapping[str, str]") -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.raw == other.raw

    def __hash__(self) -> int:
        return hash(frozenset(self.raw.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"

    @property
    def others(self) -> "dict[str, str]":
        """The variables that this package does not know."""
        numbered = tuple([name for name in self._known if name.endswith("_")])
        return {
            name: value
            for name, value in self.raw.items()
            if name not in self._known and not (numbered and name.startswith(numbered))
        }

    def _string(self, name: str) -> str:
        return self.raw.get(name, "")

    def _optional(self, name: str, unknown: "str | None" = None) -> "str | None":
        value = self.raw.get(name)
        return None if value is None or value == unknown else value

    def _integer(self, name: str) -> "int | None":
        text = self.raw.get(name, "")
        digits = text.removeprefix("-")
        # Not more than 64 bits have: int() takes its time with a million digits.
        if not digits.isascii() or not digits.isdecimal() or len(digits) > 20:
            return None
        return int(text)

    def _number(self, name: str) -> "float | None":
        text = self.raw.get(name, "")
        whole, _, fraction = text.removeprefix("-").partition(".")
        if not (whole + fraction).isdecimal() or not text.isascii() or len(text) > 40:
            return None
        return float(text)

    def _boolean(self, name: str) -> bool:
        return self.raw.get(name, "").lower() in {"1", "1.0", "yes", "true", "on"}

    def _arguments(self, prefix: str) -> "tuple[str, ...]":
        found: list[str] = []
        while (value := self.raw.get(f"{prefix}{len(found) + 1}")) is not None:
            found.append(value)
        return tuple(found)

    def _script(self, name: str) -> str:
        return self.raw.get(name, "").partition("?")[0]

    def _query(self, name: str) -> "dict[str, tuple[str, ...]]":
        query = self.raw.get(name, "").partition("?")[2]
        if not query:
            return {}
        # Heavy, and most calls come without a query.
        from urllib.parse import parse_qs

        try:
            found = parse_qs(query, keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            return {}
        return {key: tuple(values) for key, values in found.items()}
