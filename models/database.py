"""SQLite files that are written once and read by many threads.

Every row of every table has a checksum of its other columns as its last one
(:func:`checksum`), so that what was damaged on the disk shows where it is read; the full-text
index has none (:mod:`models.words`).
"""

from __future__ import annotations

import queue
import sqlite3
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from models.damage import DamagedError
from models.folder import Folder

Row = tuple[Any, ...]

# SQLite lets one thread at a time use a connection.  Those to a file cost little; one that
# has it in memory has it there for itself.
_CONNECTIONS = 8
# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS = 50_000
# The one virtual table that a file may have, to the letter: see models/words.py.
FULL_TEXT = """
CREATE VIRTUAL TABLE words USING fts5(
    caption, keywords, people, place, text, path,
    content='', prefix='2 3', tokenize='unicode61 remove_diacritics 2'
)
""".strip()
# Views, triggers and other virtual tables, which have no page of their own, and columns that are
# expressions: whoever makes a file could have the reader compute anything, for ever.
_COMPUTED = """
SELECT name FROM sqlite_master WHERE coalesce(rootpage, 0) = 0 AND sql IS NOT ?1
UNION ALL
SELECT m.name FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
WHERE c.hidden != 0 AND m.sql IS NOT ?1
"""


class SlowQueryError(Exception):
    """A question was given up since it took longer than it may."""


def checksum(values: Iterable[Any]) -> int:
    """CRC-32 of the values of a row: numbers, texts, bytes, None."""
    crc = 0
    for value in values:
        crc = zlib.crc32(value if isinstance(value, bytes) else ascii(value).encode(), crc)
    return crc


def with_checksum(row: Row) -> Row:
    """A row as it is written: its checksum behind its values."""
    return (*row, checksum(row))


@contextmanager
def new_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to write a new file with; what is written is the same for the same rows.

    Nothing is kept for the case that it goes wrong: half a file is thrown away, and a whole one
    brought to the disk by whoever gives it its name.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


class Database:
    """A SQLite file of a bundle, read-only; safe from several threads.

    Args:
        folder: the bundle's.
        name: of the file.
        content: what is in it, where it is to be used from memory.

    Raises:
        DamagedError: it is no SQLite file, or there is another of this name by now.
    """

    def __init__(self, folder: Folder, name: str, content: bytes | None = None) -> None:
        self.path = folder.path / name
        self._free: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self.close = weakref.finalize(self, _close, self._free)
        try:
            if content is not None:
                self._free.put(_in_memory(content))
            else:
                # All of them here and now, since the path may belong to another file later.
                for _ in range(_CONNECTIONS):
                    self._free.put(_on_disk(self.path))
        except sqlite3.Error as error:
            raise self._damaged(error) from None
        if content is None and not folder.is_at(name, self.path):
            raise DamagedError(f"{self.path} was replaced while it was being opened.")

    def rows(
        self, query: str, parameters: Sequence[Any] = (), *, deadline: float | None = None
    ) -> list[Row]:
        """The rows that a query gives.

        Args:
            query: SQL.
            parameters: what its question marks stand for.
            deadline: the time (``time.monotonic``) at which to give up.

        Raises:
            DamagedError: the file cannot be read.
            SlowQueryError: the deadline has passed.
        """
        with self._connection() as connection:
            # Many short queries never come to look at the clock.
            if _has_passed(deadline):
                raise SlowQueryError("it takes too long")
            connection.set_progress_handler(lambda: _has_passed(deadline), _STEPS)
            try:
                return connection.execute(query, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                if _has_passed(deadline):
                    raise SlowQueryError("it takes too long") from None
                raise self._damaged(error) from None
            finally:
                connection.set_progress_handler(None, 0)

    def whole_rows(
        self, query: str, parameters: Sequence[Any] = (), *, deadline: float | None = None
    ) -> Iterator[Row]:
        """The rows of a query for all columns of a table, checked, without their checksum.

        Raises:
            DamagedError: a row is not as it was written, or the file cannot be read.
            SlowQueryError: the deadline has passed.
        """
        for *values, expected in self.rows(query, parameters, deadline=deadline):
            if checksum(values) != expected:
                raise DamagedError(f"{self.path} is damaged: a row of it. Build it again.")
            yield tuple(values)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = self._free.get()
        try:
            yield connection
        finally:
            self._free.put(connection)

    def _damaged(self, error: sqlite3.Error) -> DamagedError:
        return DamagedError(f"{self.path} cannot be read: {error}. Build it again.")


def _close(connections: queue.SimpleQueue[sqlite3.Connection]) -> None:
    while not connections.empty():
        connections.get().close()


def _has_passed(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _in_memory(content: bytes) -> sqlite3.Connection:
    if not content:
        raise sqlite3.DatabaseError("it is empty")
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(content)
    _look_in(connection)
    return connection


def _on_disk(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    _look_in(connection)
    return connection


def _look_in(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    # SQLite opens a file when it is first asked something.
    for (name,) in connection.execute(_COMPUTED, [FULL_TEXT]):
        raise sqlite3.DatabaseError(f"{name} is no table of rows that were written")
