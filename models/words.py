"""Images by the words that people, their files and the images themselves say.

    words(caption, keywords, people, place, text, path)

One table of SQLite's full-text index FTS5, a row per image, without a copy of what it indexes.
Case and accents make no difference; scripts without spaces are found by any part
(:mod:`models.unspaced`).  What machines say of an image is not in it: their guesses are found
better by the vectors that they were made of.

An image is found in which all words of a query occur, in whatever column; articles and the like
aside.  ``"quoted words"`` have to stand together, and ``gui*`` is how a word begins.  Of each
column there is a ranking of its own (:mod:`models.word_ranks`), of the images that have one of
the words there.

Where no image has all of the words, those are found that have the names among them
(:mod:`models.names`): what else is asked for may be seen in the image and said by nobody.

What more than a thousand images have in common tells none of them from the others: it ranks
none, which would take long besides (57,000 of 100,000 captions: 0.2 s).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.database import FULL_TEXT, Database
from models.query_words import is_beginning, read_query
from models.unspaced import apart, sought
from models.word_ranks import COLUMNS, Positions, WordRanks

if TYPE_CHECKING:
    from models.items import Item

Columns = tuple[str, ...]

_SIDECAR = "sidecar"
_BY_PEOPLE = frozenset({_SIDECAR, "xmp-sidecar", "xmp-alt-text", "xmp", "iptc", "exif"})
# Which fields of the metadata are in a column.
_FIELDS = {
    "caption": ("title", "headline"),
    "keywords": ("keywords", "tags"),
    "people": ("creator", "people", "author"),
    "place": ("location", "city", "state", "country"),
}
_NOBODY = np.empty(0, dtype=np.int64)
# Of each column as many as of the images that are found by their looks for one page.
_BEST = 128
_MOST_RANKED = 1000
# With more images a beginning has two letters: what begins with one is gathered one by one.
_MOST_BY_A_LETTER = 20_000


@dataclass(frozen=True)
class Named:
    """The images that a query names.

    ``rankings`` has the positions of the best of each column that names any, best first; ``must``
    are all positions that have every quoted phrase, None where nothing is quoted.  ``many`` are
    those that have all the words where these are too many to rank, ascending, and were asked for;
    else None.  ``partly`` says that they have the names in the query, and not all of its words: a
    ranking is then in no order, and the rest of the query is to rank them.

    A collection that finds elsewhere keeps ``must`` and ``many`` to itself: they are empty where
    nobody has the phrases, or too many have all the words.
    """

    rankings: Mapping[str, list[int]]
    must: Positions | None = None
    many: Positions | None = None
    partly: bool = False


class WordWriter:
    """Writes what is said of images to a database.

    Args:
        connection: to the database.
        new: whether the table is to be made.
    """

    def __init__(self, connection: sqlite3.Connection, *, new: bool = True) -> None:
        self._connection = connection
        # Whether a change was one of what people say, and not of paths and what is read only.
        self.people_say_otherwise = False
        if new:
            connection.execute(FULL_TEXT)

    def add(self, item: Item) -> None:
        """Take in what is said of an image."""
        self._connection.execute(_INSERT, (item.position, *columns_of(item)))

    def change(self, position: int, before: Columns | None, now: Columns | None) -> None:
        """Forget what was said of the image at a position, and take in what is said of it now.

        Args:
            position: of an image.
            before: :func:`columns_of` the one that was there, since there is no copy of what is
                indexed; None where there was none.
            now: the same of the one that is there now.
        """
        if before == now:
            return
        said = [() if one is None else one[: len(_FIELDS)] for one in (before, now)]
        self.people_say_otherwise |= any(map(any, said)) and said[0] != said[1]
        if before is not None:
            self._connection.execute(_DELETE, (position, *before))
        if now is not None:
            self._connection.execute(_INSERT, (position, *now))

    def finish(self) -> None:
        """Put the index in the order in which it is read fastest."""
        self._connection.execute("INSERT INTO words(words) VALUES ('optimize')")


class WordStore:
    """Finds images by words; safe from several threads.

    Args:
        database: the file that holds the table.
        images: how many images there are.

    Raises:
        DamagedError: there is no such table.
    """

    def __init__(self, database: Database, images: int) -> None:
        self._database = database
        self._images = images
        self._ranks = WordRanks(database)
        database.rows("SELECT rowid FROM words LIMIT 0")

    def find(self, query: str, kept: Positions | None, *, many: bool, seconds: float) -> Named:
        """The images that a query names.

        Args:
            query: as somebody has typed it.
            kept: find only among these positions, ascending.
            many: whether to find those as well that are too many to rank.
            seconds: after which to give up.

        Raises:
            SlowQueryError: it takes longer.
            DamagedError: the file is damaged.
        """
        deadline = time.monotonic() + seconds
        asked = read_query(query)
        shortest = 1 if self._images <= _MOST_BY_A_LETTER else 2
        phrases = [_literal(phrase) for phrase in asked.phrases]
        words = [_literal(word, shortest) for word in asked.words]
        names = [_literal(name) for name in asked.names]
        must = None
        if phrases:
            must = self._positions(_all(phrases), deadline)
            kept = must if kept is None else np.intersect1d(kept, must, assume_unique=True)
        if not phrases and not words:
            return Named({}, must)
        wanted = [*phrases, *words]
        found = self._some(wanted, deadline) if words or must is None else must
        if len(found) > _MOST_RANKED:
            return Named({}, must, self._positions(_all(wanted), deadline) if many else None)
        rankings = self._ranks.rank(wanted, _among(found, kept), _BEST, deadline)
        if rankings or not names:
            return Named(rankings, must)
        known = [name for name in names if len(self._positions(name, deadline, 1))]
        found = self._some(known, deadline) if known else _NOBODY
        if len(found) > _MOST_RANKED:
            return Named({}, must)
        rankings = self._ranks.rank(known, _among(found, kept), _MOST_RANKED, deadline)
        return Named(rankings, must, partly=bool(rankings))

    def _some(self, wanted: Sequence[str], deadline: float) -> Positions:
        """The images that have all that is wanted; where they are too many to rank, some."""
        return self._positions(_all(wanted), deadline, _MOST_RANKED + 1)

    def _positions(self, match: str, deadline: float, most: int = -1) -> Positions:
        """The images that match, the first ones or all, ascending."""
        statement = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid LIMIT ?"
        rows = self._database.rows(statement, [match, most], deadline=deadline)
        found = np.array(rows, dtype=np.int64).reshape(-1)
        # Rows of this table have no checksum that would tell.
        return found[(found >= 0) & (found < self._images)]


def _among(found: Positions, kept: Positions | None) -> Positions:
    return found if kept is None else np.intersect1d(found, kept, assume_unique=True)


_INSERT = f"INSERT INTO words(rowid, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})"
# FTS5's way to say it.
_DELETE = (
    f"INSERT INTO words(words, rowid, {', '.join(COLUMNS)}) "
    f"VALUES ('delete', ?{', ?' * len(COLUMNS)})"
)


def columns_of(item: Item) -> Columns:
    """What is said of an image, the text of each of ``COLUMNS``, as it is indexed."""
    return tuple(apart(" \n".join(texts)) for texts in _said(item))


def _said(item: Item) -> Iterator[Sequence[str]]:
    """The texts of each column."""
    for column, fields in _FIELDS.items():
        texts = [
            text
            # Most have none of them, and many none at all.
            for name in (fields if item.metadata else ())
            if name in item.metadata
            # A field without a source is a sidecar's.
            and item.sources.get(name, _SIDECAR) in _BY_PEOPLE
            for text in _texts(item.metadata[name])
        ]
        if column == "caption":
            by_people = [
                text
                for name, text in (("caption", item.caption), ("alt_text", item.alt_text))
                if text and item.sources.get(name) in _BY_PEOPLE
            ]
            texts = [*dict.fromkeys(by_people), *texts]
        yield texts
    yield [item.text] if item.text else []
    # Its words: the tokenizer makes two of camelCase no more than of an image's number.
    yield [item.image_path.rpartition(".")[0].replace("_", " ")]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def _literal(text: str, shortest: int = 1) -> str:
    """A text that has no quote in it as FTS5's syntax has it: nothing in it is an operator.

    A beginning has ``shortest`` letters at least.
    """
    beginning = is_beginning(text) and len(text) > shortest
    literal = _string(text, beginning=beginning)
    instead = sought(text)
    if instead is None:
        return literal
    words, beginning = instead
    # An older bundle has what is written without spaces as one word.
    return f"({literal} OR {_string(words, beginning=beginning)})"


def _string(text: str, *, beginning: bool) -> str:
    return f'"{text}"*' if beginning else f'"{text}"'


def _all(literals: Sequence[str]) -> str:
    return " AND ".join(literals)
