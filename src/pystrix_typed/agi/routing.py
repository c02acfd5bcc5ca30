"""Which handler a call gets: by the path of ``agi://host/path?query``."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from pystrix_typed.agi.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from pystrix_typed.agi.core.environment import Environment
    from pystrix_typed.agi.observing import Peer

__all__ = ["Query", "Request", "Route", "Router", "pattern_of", "request_of"]

_log = logging.getLogger(__name__)

#: Fields of a query beyond which it is not taken apart.
_MOST_FIELDS = 1000

S = TypeVar("S")
T = TypeVar("T")


class Query(Mapping[str, str]):
    """The query of the address: each key's first value, and all of them by `all`.

    Blank values are kept: of ``menu?lang=en&lang=de&debug`` it holds ``lang`` and ``debug``.

    >>> query = Query("lang=en&lang=de&debug")
    >>> query["lang"], query.all("lang"), query["debug"], query.get("x")
    ('en', ('en', 'de'), '', None)
    """

    __slots__ = ("_values",)

    def __init__(self, text: str = "") -> None:
        self._values: dict[str, list[str]] = {}  # never changed
        if not text:
            return
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            _log.warning("a query of more than %d fields was left out", _MOST_FIELDS)
            return
        for key, value in pairs:
            self._values.setdefault(key, []).append(value)

    def all(self, key: str) -> tuple[str, ...]:
        """Give every value of a key, in their order; () when there is none."""
        return tuple(self._values.get(key, ()))

    def lists(self) -> dict[str, list[str]]:
        """Give a copy of all values by key."""
        return {key: list(values) for key, values in self._values.items()}

    def __getitem__(self, key: str) -> str:
        return self._values[key][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Query):
            return self._values == other._values
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(frozenset((key, tuple(values)) for key, values in self._values.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"


class Request(Record):
    """What a call asks for.

    Attributes:
        path: The path of the address, without the slash in front, and not percent-decoded; "/"
            when the address had none.
        query: What follows the question mark.
        arguments: What the dialplan gave to ``AGI()`` behind the address.
        peer: Who connected: the Asterisk, as far as one can see.
        match: How the pattern matched the path; None for the default handler.
        environment: Everything that Asterisk told at the start.
    """

    __slots__ = ("path", "query", "arguments", "peer", "match", "environment")  # noqa: RUF023
    path: str
    query: Query
    arguments: tuple[str, ...]
    peer: Peer
    match: re.Match[str] | None
    environment: Environment

    def __init__(
        self,
        path: str,
        query: Query,
        arguments: tuple[str, ...],
        peer: Peer,
        match: re.Match[str] | None,
        environment: Environment,
    ) -> None:
        assign = object.__setattr__
        assign(self, "path", path)
        assign(self, "query", query)
        assign(self, "arguments", arguments)
        assign(self, "peer", peer)
        assign(self, "match", match)
        assign(self, "environment", environment)


def request_of(environment: Environment, peer: Peer) -> Request:
    """Build the request of a call that no handler was sought for yet."""
    script = environment.raw.get("agi_network_script") or "/"
    path, _, query = script.partition("?")
    return Request(path, Query(query), environment.arguments, peer, None, environment)


class Route(NamedTuple, Generic[S, T]):
    """A handler and what it is for.

    Attributes:
        pattern: What the path has to match; None for the default handler.
        whole: Whether the whole path has to match, or its beginning.
        handler: What was registered.
        run: Calls it.
    """

    pattern: re.Pattern[str] | None
    whole: bool
    handler: object
    run: Callable[[S, Request], T]

    @property
    def regex(self) -> str | None:
        """The pattern's text; None for the default handler."""
        return None if self.pattern is None else self.pattern.pattern


def pattern_of(regex: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
    """Compile a pattern for paths; None, for the default handler, stays None.

    Raises:
        re.error: It is no regular expression.
        TypeError: It is neither a text nor a pattern for texts.
    """
    if regex is None:
        return None
    _check_text(regex.pattern if isinstance(regex, re.Pattern) else regex, regex)
    return re.compile(regex)


def _check_text(text: object, regex: object) -> None:
    # One for bytes compiles, and then fails with every path: of all calls.
    if not isinstance(text, str):
        raise TypeError(f"a pattern must be a str, or compiled from one, not {regex!r}")


class Router(Generic[S, T]):
    """The handlers of a server, tried in the order of their registration."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._routes: list[Route[S, T]] = []
        self._default: Route[S, T] | None = None

    def add(self, route: Route[S, T]) -> bool:
        """Add a route; False when its pattern has one already, which it keeps."""
        with self._lock:
            if route.pattern is None:
                self._default = route
            elif any(known.pattern == route.pattern for known in self._routes):
                return False
            else:
                # Replaced, not changed: a look-up in another thread may be going through it.
                self._routes = [*self._routes, route]
            return True

    def remove(self, regex: str | re.Pattern[str] | None) -> None:
        """Forget the route of a pattern; None: the default one."""
        with self._lock:
            pattern = pattern_of(regex)
            if pattern is None:
                self._default = None
                return
            self._routes = [route for route in self._routes if route.pattern != pattern]

    def clear(self) -> None:
        """Forget every route but the default one."""
        with self._lock:
            self._routes = []

    def find(self, path: str) -> tuple[Route[S, T] | None, re.Match[str] | None]:
        """Give the first route whose pattern matches, or the default one without a match."""
        for route in self._routes:
            assert route.pattern is not None
            match = (route.pattern.fullmatch if route.whole else route.pattern.match)(path)
            if match:
                return route, match
        return self._default, None
