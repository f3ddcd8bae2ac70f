"""The images of a bundle, in one SQLite file.

    items(position, id, image_path, width, height, caption, alt_text,
          text, metadata, sources, thumbhash, checksum)

``position`` is the row of the index, ``id`` is made of the path (:func:`item_id`), so
that a link to an image outlives the coming and going of others.  Beside the rows lie the
facts that a filter asks for (:mod:`models.facts`), how many images have each
(:mod:`models.facets`), the words by which images are found (:mod:`models.words`), and those that
a slip of the keys may mean (:mod:`models.spelling`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.database import Database, Row, new_database, with_checksum
from models.facets import Facets, FacetStore
from models.facts import FactStore, FactWriter, Matches
from models.order import Ordered, OrderStore
from models.spelling import Speller, write_terms
from models.words import Named, Positions, WordStore, WordWriter

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
# Where the columns lie that are JSON, and those that older files do not have.
_METADATA, _LATER = 8, 10
_INSERT = "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = """
UPDATE items SET width = ?, height = ?, caption = ?, alt_text = ?, text = ?, metadata = ?,
    sources = ?, thumbhash = ?, checksum = ? WHERE position = ?
"""
_DELETE = "DELETE FROM items WHERE position = ?"
# Pages that are changed are all over the file: 128 MB of them, instead of two.
_CACHE = "PRAGMA cache_size = -131072"
# SQLite takes a limited number of parameters in one statement.
_AT_ONCE = 500
# How long a filter may take, or the facets of what it finds.
FILTER_SECONDS = 2.0
# How long a look-up of words may take.
WORD_SECONDS = 2.0
# How long it may take to put images into order.
ORDER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a bundle.

    ``image_path`` is relative to the image root, with ``/``; ``width`` and ``height`` are
    pixels after rotation, None where only the vector is known; ``text`` is what can be read in
    it.  ``sources`` says of caption, alt text, text and each field of the metadata where it
    comes from, but for fields that a sidecar gives: ``sidecar``, ``xmp-sidecar``,
    ``xmp-alt-text``, ``xmp``, ``iptc``, ``exif``, ``captioner``, ``tags``, ``ocr``.  ``thumbhash``
    is the image in some 25 bytes, as base64 (https://evanw.github.io/thumbhash/); None where
    there is no thumbnail, or the bundle is from before there were any.
    """

    position: int
    id: str
    image_path: str
    width: int | None
    height: int | None
    caption: str | None
    alt_text: str
    text: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    thumbhash: str | None = None


def item_id(image_path: str) -> str:
    """The id of the image at a path: 16 hex digits of the path's SHA-256."""
    return hashlib.sha256(image_path.encode("utf-8", "surrogateescape")).hexdigest()[:16]


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
        touched = np.flatnonzero(now_at != np.arange(len(now_at))).tolist()
        query = "SELECT * FROM items WHERE position = ?"
        before = {}
        for position in touched:
            (row,) = connection.execute(query, [position]).fetchall()
            before[position] = _item(row[:-1])
        coming = []
        for item in new:
            facts.add(item.position, item.metadata)
            coming.append(item)
        # The facts of those that have moved have moved with them.
        for position, item in before.items():
            if now_at[position] >= 0:
                coming.append(replace(item, position=int(now_at[position])))
        anew: list[Item] = []
        inserted: list[Item] = []
        for item in coming:
            old = before.pop(item.position, None)
            words.change(old, item)
            # Where the path stays its two indexes need not be touched.
            (anew if old and old.image_path == item.image_path else inserted).append(item)
            if old is not None and old.image_path != item.image_path:
                connection.execute(_DELETE, [item.position])
        for old in before.values():
            words.change(old, None)
            connection.execute(_DELETE, [old.position])
        if words.people_say_otherwise:
            # Reads all words that there are.
            write_terms(connection, vocabulary)
        connection.executemany(_UPDATE, ((*row[3:], row[0]) for row in map(_row, anew)))
        connection.executemany(_INSERT, map(_row, inserted))
        facts.write(connection)


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


class ItemStore:
    """Reads an items file; safe from several threads.

    Args:
        database: the file.

    Raises:
        DamagedError: it is no items file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # The last one's position, and no count of all: a start takes no longer for more.
        # A file from before there was a column ``sources`` says so here.
        last = database.rows("SELECT max(position), sources FROM items")[0][0]
        self._count = 0 if last is None else int(last) + 1
        self._facts = FactStore(database, self._count)
        self._facets = FacetStore(database, self._count)
        self._words = WordStore(database, self._count)
        self._order = OrderStore(database, self._count)
        self._speller = Speller(database)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        """All items in order of position."""
        for start in range(0, self._count, _AT_ONCE):
            yield from self.get(range(start, min(start + _AT_ONCE, self._count)))

    def get(self, positions: Sequence[int]) -> list[Item]:
        """The items at some positions, in the order asked for.

        Raises:
            KeyError: no item has one of the positions.
            DamagedError: an item is not as it was written.
        """
        found: dict[int, Item] = {}
        for start in range(0, len(positions), _AT_ONCE):
            some = positions[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT * FROM items WHERE position IN ({marks})"
            found |= {row[0]: _item(row) for row in self._database.whole_rows(query, some)}
        return [found[position] for position in positions]

    def find(self, image_id: str) -> Item | None:
        """The item with an id, None where there is no such id."""
        return self._one("SELECT * FROM items WHERE id = ?", image_id)

    def position_of(self, image_id: str) -> int | None:
        """Where an image lies in the index, None where there is no such id."""
        item = self.find(image_id)
        return None if item is None else item.position

    def id_of_path(self, image_path: str) -> str | None:
        """The id of the image with exactly this path, None where there is none."""
        item = self._one("SELECT * FROM items WHERE image_path = ?", image_path)
        return None if item is None else item.id

    def matching(
        self, conditions: Mapping[str, Any], *, seconds: float = FILTER_SECONDS
    ) -> Matches:
        """The images whose metadata meet all conditions: :meth:`FactStore.matching`."""
        return self._facts.matching(conditions, seconds=seconds)

    def facets(
        self,
        fields: Sequence[str] | None,
        positions: Positions | None = None,
        *,
        seconds: float = FILTER_SECONDS,
    ) -> Facets:
        """How many of some images have each value of some fields: :meth:`FacetStore.count`."""
        return self._facets.count(fields, positions, seconds=seconds)

    def named(
        self,
        query: str,
        kept: Positions | None = None,
        *,
        many: bool = False,
        seconds: float = WORD_SECONDS,
    ) -> Named:
        """The images of which the words of a query are said: :meth:`WordStore.find`."""
        return self._words.find(query, kept, many=many, seconds=seconds)

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """What a query may have meant whose words nobody knows: :meth:`Speller.meant`."""
        return self._speller.meant(query, is_known)

    def ordered(
        self,
        by: str,
        kept: Positions | None = None,
        *,
        start: int = 0,
        stop: int,
        seconds: float = ORDER_SECONDS,
    ) -> Ordered:
        """The images in some places of an order: :meth:`OrderStore.page`."""
        return self._order.page(by, kept, start, stop, seconds=seconds)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, query: str, name: str) -> Item | None:
        for row in self._database.whole_rows(query, [name]):
            return _item(row)
        return None


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _item(row: Row) -> Item:
    facts, (metadata, sources), later = row[:_METADATA], row[_METADATA:_LATER], row[_LATER:]
    # What came later is not in every file.
    return Item(*(*facts, json.loads(metadata), json.loads(sources), *later))
