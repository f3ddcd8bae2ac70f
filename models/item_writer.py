"""Writes the items file of a bundle, and changes one: :mod:`models.items`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.database import Row, new_database, with_checksum
from models.facts import FactWriter
from models.items import Item, item_of
from models.spelling import write_terms
from models.word_ranks import write_frequent
from models.words import Columns, WordWriter, columns_of

_SCHEMA = """
CREATE TABLE items (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    image_path TEXT NOT NULL UNIQUE,
    width INTEGER,
    height INTEGER,
    caption TEXT,
    alt_text TEXT NOT NULL,
    text TEXT,
    metadata TEXT NOT NULL,
    sources TEXT NOT NULL,
    thumbhash TEXT,
    checksum INTEGER NOT NULL
)
"""
_INSERT = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = """
UPDATE items SET width = ?, height = ?, caption = ?, alt_text = ?, text = ?, metadata = ?,
    sources = ?, thumbhash = ?, checksum = ? WHERE position = ?
"""
_DELETE = "DELETE FROM items WHERE position = ?"
# Where the path lies.
_PATH = 2
# SQLite takes a limited number of parameters in one statement.
_AT_ONCE = 500
# Pages that are changed are all over the file: 128 MB of them, instead of two.
_CACHE = "PRAGMA cache_size = -131072"


def write_items(path: Path, items: Iterable[Item], vocabulary: Iterable[str] = ()) -> None:
    """Write a new items file of items in order of position, and what they are found by.

    The same items give the same bytes.  Metadata has to be JSON: no NaN, no lone
    surrogates.

    Args:
        path: the file.
        items: what is written.
        vocabulary: names of things that a query with a slip in it may mean.
    """
    facts = FactWriter()

    def rows(words: WordWriter) -> Iterator[Row]:
        for item in items:
            words.add(item)
            facts.add(item.position, item.metadata)
            yield _row(item)

    with new_database(path) as connection:
        connection.execute(_SCHEMA)
        words = WordWriter(connection)
        connection.executemany(_INSERT, rows(words))
        words.finish()
        write_terms(connection, vocabulary)
        write_frequent(connection)
        facts.write(connection)


def change_items(
    path: Path,
    now_at: NDArray[np.int64],
    new: Iterable[Item],
    vocabulary: Iterable[str] = (),
) -> None:
    """Change an items file that nobody reads yet, and what they are found by.

    Args:
        path: the file.
        now_at: where the item of each position is to be, int64 ``[n]``; -1: gone.
        new: items that have come, at positions that are free then.
        vocabulary: names of things that a query with a slip in it may mean.
    """
    with new_database(path) as connection:
        connection.execute(_CACHE)
        words = WordWriter(connection, new=False)
        facts = FactWriter.of(connection, now_at)
        before = _read_at(connection, np.flatnonzero(now_at != np.arange(len(now_at))))
        coming = []
        for item in new:
            facts.add(item.position, item.metadata)
            coming.append((_row(item), columns_of(item)))
        # The facts of those that have moved have moved with them.
        for position, (row, columns) in before.items():
            if now_at[position] >= 0:
                coming.append((with_checksum((int(now_at[position]), *row[1:-1])), columns))
        anew: list[Row] = []
        inserted: list[Row] = []
        deleted: list[int] = []
        for row, columns in coming:
            position = row[0]
            old, said = before.pop(position, (None, None))
            words.change(position, said, columns)
            # Where the path stays its two indexes need not be touched.
            if old is not None and old[_PATH] == row[_PATH]:
                anew.append((*row[_PATH + 1 :], position))
                continue
            inserted.append(row)
            if old is not None:
                deleted.append(position)
        for position, (_, said) in before.items():
            words.change(position, said, None)
            deleted.append(position)
        if words.people_say_otherwise:
            # Reads all words that there are.
            write_terms(connection, vocabulary)
        connection.executemany(_DELETE, zip(deleted))
        connection.executemany(_UPDATE, anew)
        connection.executemany(_INSERT, inserted)
        facts.write(connection)


def _read_at(
    connection: sqlite3.Connection, positions: NDArray[np.int64]
) -> dict[int, tuple[Row, Columns]]:
    """The rows at some positions, and what is said of each, by position."""
    found = {}
    for start in range(0, len(positions), _AT_ONCE):
        some = positions[start : start + _AT_ONCE].tolist()
        marks = ", ".join("?" * len(some))
        for row in connection.execute(f"SELECT * FROM items WHERE position IN ({marks})", some):
            found[row[0]] = row, columns_of(item_of(row[:-1]))
    return found


def _row(item: Item) -> Row:
    return with_checksum(
        (
            item.position,
            item.id,
            item.image_path,
            item.width,
            item.height,
            item.caption,
            item.alt_text,
            item.text,
            _json(item.metadata),
            _json(item.sources),
            item.thumbhash,
        )
    )


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
