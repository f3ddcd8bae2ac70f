"""The facts about each picture, in one SQLite file.

    items(position, id, image_path, width, height, caption, alt_text,
          alt_text_source, metadata, thumbnail)

``position`` is the row of the index, ``id`` is made of the path (:func:`item_id`), so
that a link to a picture outlives the coming and going of others.
"""

from __future__ import annotations

import hashlib
import json
import queue
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import DamagedError

_SCHEMA = """
CREATE TABLE items (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    image_path TEXT NOT NULL UNIQUE,
    width INTEGER,
    height INTEGER,
    caption TEXT,
    alt_text TEXT NOT NULL,
    alt_text_source TEXT NOT NULL,
    metadata TEXT NOT NULL,
    thumbnail BLOB
)
"""
_FACTS = "position, id, image_path, width, height, caption, alt_text, alt_text_source, metadata"
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# SQLite takes a limited number of parameters in one statement.
_AT_ONCE = 500
_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a bundle.

    ``image_path`` is relative to the picture root, with ``/``; ``alt_text_source`` is
    ``caption``, ``tags``, ``captioner`` or ``none``; ``width`` and ``height`` are pixels
    after rotation, None where only the vector is known.
    """

    position: int
    id: str
    image_path: str
    width: int | None
    height: int | None
    caption: str | None
    alt_text: str
    alt_text_source: str
    metadata: dict[str, Any] = field(default_factory=dict)


def item_id(image_path: str) -> str:
    """The id of the picture at a path: 16 hex digits of the path's SHA-256."""
    return hashlib.sha256(image_path.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def write_items(path: Path, rows: Iterable[tuple[Item, bytes | None]]) -> None:
    """Write a new items file of items and their WebP thumbnails.

    The same rows give the same bytes.  Metadata has to be JSON: no NaN, no lone
    surrogates.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(_SCHEMA)
        connection.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    item.position,
                    item.id,
                    item.image_path,
                    item.width,
                    item.height,
                    item.caption,
                    item.alt_text,
                    item.alt_text_source,
                    json.dumps(item.metadata, ensure_ascii=False, allow_nan=False),
                    thumbnail,
                )
                for item, thumbnail in rows
            ),
        )


class ItemStore:
    """Reads an items file; safe from several threads.

    Args:
        path: the file, which must not be written to while it is open.  Another may take
            its place (a new build of the bundle): this store goes on with the old one.
    """

    def __init__(self, path: Path) -> None:
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        # Several, since SQLite lets one thread at a time use one; all opened here and
        # now, since the path may belong to another bundle's items later.
        self._free: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        try:
            for _ in range(_CONNECTIONS):
                self._free.put(sqlite3.connect(uri, uri=True, check_same_thread=False))
            self._count = int(self._fetch("SELECT count(*) FROM items")[0][0])
        except sqlite3.Error as error:
            raise DamagedError(f"{path} is no items file: {error}. Build it again.") from None

    @classmethod
    def open(cls, path: Path) -> ItemStore:
        """Open an items file.

        Raises:
            DamagedError: it is missing, or no items file.
        """
        return cls(path)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        """All items in order of position."""
        return map(_item, self._fetch(f"SELECT {_FACTS} FROM items ORDER BY position"))

    def get(self, positions: Sequence[int]) -> list[Item]:
        """The items at some positions, in the order asked for.

        Raises:
            KeyError: no item has one of the positions.
        """
        found: dict[int, Item] = {}
        for start in range(0, len(positions), _AT_ONCE):
            some = positions[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT {_FACTS} FROM items WHERE position IN ({marks})"
            found |= {row[0]: _item(row) for row in self._fetch(query, some)}
        return [found[position] for position in positions]

    def position_of(self, picture_id: str) -> int | None:
        """Where a picture lies in the index, None where there is no such id."""
        rows = self._fetch("SELECT position FROM items WHERE id = ?", [picture_id])
        return int(rows[0][0]) if rows else None

    def id_of_path(self, image_path: str) -> str | None:
        """The id of the picture with exactly this path, None where there is none."""
        rows = self._fetch("SELECT id FROM items WHERE image_path = ?", [image_path])
        return str(rows[0][0]) if rows else None

    def thumbnail(self, picture_id: str) -> bytes | None:
        """A picture's thumbnail as WebP, None where the bundle has none."""
        rows = self._fetch("SELECT thumbnail FROM items WHERE id = ?", [picture_id])
        return rows[0][0] if rows else None

    def matching(self, conditions: Mapping[str, Any]) -> NDArray[np.int64]:
        """The positions, ascending, of the items whose metadata meet all conditions.

        A condition is a value to equal, ``{"year": 1999}``, or a range,
        ``{"year": {"gte": 1990, "lt": 2000}}``; a list or an object in the metadata meets
        it where any of its members does.

        Raises:
            ValueError: a condition is neither; names its field.
        """
        clauses, parameters = ["1"], []
        for name, condition in conditions.items():
            clause, values = _clause(name, condition)
            clauses.append(clause)
            parameters += values
        query = f"SELECT position FROM items WHERE {' AND '.join(clauses)} ORDER BY position"
        try:
            rows = self._fetch(query, parameters)
        except OverflowError:
            raise ValueError("a number is too large to compare") from None
        except UnicodeEncodeError:
            raise ValueError("a text holds half a surrogate pair") from None
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def _fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        connection = self._free.get()
        try:
            return list(connection.execute(query, parameters).fetchall())
        finally:
            self._free.put(connection)


def _item(row: tuple[Any, ...]) -> Item:
    return Item(*(*row[:-1], json.loads(row[-1])))


def _clause(name: str, condition: Any) -> tuple[str, list[Any]]:
    """A condition on one metadata field as SQL and its parameters."""
    # json_each of a scalar gives the scalar itself, of anything else its members.
    members = "EXISTS (SELECT 1 FROM json_each(metadata, ?) AS member WHERE {})"
    path = f'$."{name}"'
    if json.dumps(name, ensure_ascii=False) != path[2:]:
        # SQLite's JSON paths have no way to spell it.
        raise ValueError(f"{name!r}: no field with quotes or control characters can be asked for")
    if isinstance(condition, bool):
        return members.format("member.type = ?"), [path, "true" if condition else "false"]
    if condition is None:
        return "json_type(metadata, ?) = 'null'", [path]
    if isinstance(condition, str | int | float):
        return members.format("member.value = ? AND member.type NOT IN ('true', 'false')"), [
            path,
            condition,
        ]
    if isinstance(condition, Mapping) and condition and set(condition) <= set(_COMPARISONS):
        tests, limits = [], []
        for comparison, limit in condition.items():
            if isinstance(limit, bool) or not isinstance(limit, str | int | float):
                raise ValueError(f"{name}.{comparison}: a number or a text, not {limit!r}")
            kind = "'text'" if isinstance(limit, str) else "'integer', 'real'"
            tests.append(f"member.type IN ({kind}) AND member.value {_COMPARISONS[comparison]} ?")
            limits.append(limit)
        return members.format(" AND ".join(tests)), [path, *limits]
    raise ValueError(
        f"{name}: a value to equal or a range of {', '.join(_COMPARISONS)}, not {condition!r}"
    )
