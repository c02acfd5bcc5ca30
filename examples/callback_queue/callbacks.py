#!/usr/bin/env python3
"""Offer to call back: callers leave their number in a queue that is a table of a database.

In the dialplan, where a caller would have to wait::

    exten => 640,1,AGI(agi://127.0.0.1/callback)
     same => n,Hangup()

The number is the caller's own, or one that they key in and hear again. Whoever is in the queue
already keeps their place. The database is SQLite, in the file ``CALLBACKS``; give a PostgreSQL
address there instead (``postgresql://host/name``) and install psycopg for it. ``python callbacks.py
next`` is for those who call back: it takes the one who has waited longest, and only one of them
gets each. ``pystrix-typed serve callbacks:make_server --workers 2`` serves with processes.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast

from pystrix_typed import agi
from pystrix_typed.agi import core

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

DATABASE = os.environ.get("CALLBACKS", "callbacks.sqlite")
TRIES = 3
LONGEST = 15
"""Digits of a number, as the world's numbering plan has it."""

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS callbacks (
    number TEXT PRIMARY KEY,
    since DOUBLE PRECISION NOT NULL
)
"""
# One statement each, so that two calls, or two people who call back, cannot come in between.
JOIN = "INSERT INTO callbacks VALUES (?, ?) ON CONFLICT (number) DO NOTHING"
PLACE = """
SELECT count(*) FROM callbacks AS other JOIN callbacks AS own ON own.number = ?
WHERE other.since < own.since OR (other.since = own.since AND other.number <= own.number)
"""
TAKE = """
DELETE FROM callbacks WHERE number = (
    SELECT number FROM callbacks ORDER BY since, number LIMIT 1 {locked}
) RETURNING number
"""


class Cursor(Protocol):
    """What a statement gives."""

    def fetchone(self) -> tuple[object, ...] | None:
        """Give a row."""
        ...


class Connection(Protocol):
    """What SQLite's and PostgreSQL's connections have in common."""

    def execute(self, statement: str, values: tuple[object, ...] = ..., /) -> Cursor:
        """Run a statement."""
        ...

    def commit(self) -> None:
        """Keep what was done."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class QueueError(Exception):
    """The database cannot be reached, or does not do what it is asked."""


class Queue:
    """Who is to be called back.

    Each use has a connection of its own: handlers run on many threads.

    Args:
        database: The file of an SQLite database, or the address of a PostgreSQL one.

    Raises:
        QueueError: There is no such database; the methods raise it, too.
        SystemExit: It is a PostgreSQL one, and psycopg is not installed.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._postgres = database.startswith(("postgresql://", "postgres://"))
        with self._connected() as connection:
            connection.execute(SCHEMA)

    def join(self, number: str) -> int:
        """Put a number into the queue, unless it is there; give its place, from 1."""
        with self._connected() as connection:
            connection.execute(self._written(JOIN), (number, time.time()))
            row = connection.execute(self._written(PLACE), (number,)).fetchone()
        # 0: somebody has taken it a moment ago.
        return max(int(str(row[0])), 1) if row else 1

    def take(self) -> str | None:
        """Take the number that has waited longest; None when nobody waits."""
        locked = "FOR UPDATE SKIP LOCKED" if self._postgres else ""
        with self._connected() as connection:
            row = connection.execute(TAKE.format(locked=locked)).fetchone()
        return str(row[0]) if row else None

    @contextmanager
    def _connected(self) -> Generator[Connection, None, None]:
        """Give a connection, and keep what was done with it unless something went wrong."""
        connect, wrong = self._driver()
        try:
            connection = connect()
            try:
                yield connection
                connection.commit()
            finally:
                connection.close()
        except wrong as error:
            raise QueueError(str(error)) from error

    def _driver(self) -> tuple[Callable[[], Connection], type[Exception]]:
        if not self._postgres:
            # Others may be writing; they are done in a moment.
            return lambda: sqlite3.connect(self._database, timeout=5.0), sqlite3.Error
        try:
            import psycopg
        except ImportError:
            sys.exit("a PostgreSQL database needs psycopg: pip install 'psycopg[binary]'")
        # To its types a statement must be a literal, which these are but for their marks.
        return lambda: cast("Connection", psycopg.connect(self._database)), psycopg.Error

    def _written(self, statement: str) -> str:
        """Give a statement as the database wants its places marked."""
        return statement.replace("?", "%s") if self._postgres else statement


def make_server(queue: Queue | None = None, port: int = 4573) -> agi.FastAGIServer:
    """Make the server, by default for the queue in `DATABASE`."""
    callers = queue or Queue(DATABASE)
    server = agi.FastAGIServer(port=port)

    @server.script("callback")
    def callback(session: agi.FastAGI, _request: agi.Request) -> None:
        session.execute(core.Answer())
        number = number_of(session)
        if number is None:
            session.execute(core.StreamFile("vm-goodbye"))
            return
        try:
            place = callers.join(number)
        except QueueError:
            log.exception("nobody will call %s back", number)
            session.execute(core.StreamFile("sorry-youre-having-problems"))
            return
        session.execute(core.SetVariable("CALLBACK_PLACE", str(place)))
        session.execute(core.StreamFile("queue-thereare"))
        session.execute(core.SayNumber(place))
        session.execute(core.StreamFile("vm-goodbye"))

    return server


def number_of(session: agi.FastAGI) -> str | None:
    """Find out which number to call: the caller's own, or one that they key in and confirm."""
    own = session.environment.caller_id or ""
    if is_number(own) and confirmed(session, own):
        return own
    for _ in range(TRIES):
        entry = session.execute(core.GetData("vm-enter-num-to-call", 8000, LONGEST))
        if is_number(entry.digits) and confirmed(session, entry.digits):
            return entry.digits
    return None


def is_number(text: str) -> bool:
    """Tell whether it can be called; what stands there as a caller's number may be anything."""
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdigit() and 3 <= len(digits) <= LONGEST


def confirmed(session: agi.FastAGI, number: str) -> bool:
    """Say a number, and ask for the key 1 if it is right."""
    key = session.execute(core.SayDigits(number.removeprefix("+"), "12")).digit
    if key is None:
        key = session.execute(core.StreamFile("vm-press", "12")).digit
    if key is None:
        key = session.execute(core.GetOption("digits/1", "12", timeout=5000)).digit
    return key == "1"


def waiting(queue: Queue) -> Iterator[str]:
    """Take everybody, the one who has waited longest first."""
    while (number := queue.take()) is not None:
        yield number


if __name__ == "__main__":
    if sys.argv[1:] == ["next"]:
        print(Queue(DATABASE).take() or "nobody waits")
    else:
        make_server().serve_forever(signals=True)
