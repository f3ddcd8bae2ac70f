"""Images by the words that people, their files and the images themselves say.

    words(caption, keywords, people, place, text, path)

One table of SQLite's full-text index FTS5, a row per image, without a copy of what it indexes.
Case and accents make no difference.  What machines say of an image is not in it: their guesses
are found better by the vectors that they were made of.

An image is found in which all words of a query occur, in whatever column; articles and the like
aside.  ``"quoted words"`` have to stand together, and ``gui*`` is how a word begins.  Of each
column there is a ranking of its own (BM25), of the images that have one of the words there.

Where no image has all of the words, those are found that have the names among them
(:mod:`models.names`): what else is asked for may be seen in the image and said by nobody.

What more than a thousand images have in common tells none of them from the others: it ranks
none, which would take long besides (57,000 of 100,000 captions: 0.2 s).
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.database import FULL_TEXT, Database
from models.names import find_names

if TYPE_CHECKING:
    from models.items import Item

Positions = NDArray[np.int64]

_SIDECAR = "sidecar"
_BY_PEOPLE = frozenset({_SIDECAR, "xmp-sidecar", "xmp-alt-text", "xmp", "iptc", "exif"})
# Which fields of the metadata are in a column.
_FIELDS = {
    "caption": ("title", "headline"),
    "keywords": ("keywords", "tags"),
    "people": ("creator", "people", "author"),
    "place": ("location", "city", "state", "country"),
}
COLUMNS = (*_FIELDS, "text", "path")
# Of each column as many as of the images that are found by their looks for one page.
_BEST = 128
_MOST_RANKED = 1000
_MOST_WORDS = 64
_QUOTES = str.maketrans(
    dict.fromkeys(
        "\N{LEFT DOUBLE QUOTATION MARK}\
\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}«»",
        '"',
    )
    | {"\0": " "}
)
_PHRASE = re.compile(r'"([^"]*)"')
# What stands around a word and is no part of it.
_EDGES = re.compile(r"^\W+|\W+$")
# Articles and the like, English and German, which captions have or lack by chance.
_SAY_NOTHING = frozenset(
    {
        *("a", "an", "and", "are", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or"),
        *("that", "the", "this", "to", "with"),
        *("am", "an", "auf", "aus", "bei", "das", "dem", "den", "der", "des", "die", "ein", "eine"),
        *("einem", "einen", "einer", "im", "in", "ist", "mit", "oder", "und", "von", "zu"),
    }
)


@dataclass(frozen=True)
class Named:
    """The images that a query names.

    ``rankings`` has the positions of the best of each column that names any, best first; ``must``
    are all positions that have every quoted phrase, None where nothing is quoted.  ``many`` are
    those that have all the words where these are too many to rank, ascending, and were asked for;
    else None.  ``partly`` says that they have the names in the query, and not all of its words: a
    ranking is then in no order, and the rest of the query is to rank them.
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
        self._connection.execute(_INSERT, [item.position, *_columns(item)])

    def change(self, old: Item | None, new: Item | None) -> None:
        """Forget what was said of one, and take in what is said of another; None is no image.

        ``old`` is needed since there is no copy of what is indexed.
        """
        before, now = (
            None if item is None else [item.position, *_columns(item)] for item in (old, new)
        )
        if before == now:
            return
        said = [[] if one is None else one[1 : 1 + len(_FIELDS)] for one in (before, now)]
        self.people_say_otherwise |= any(map(any, said)) and said[0] != said[1]
        if before is not None:
            self._connection.execute(_DELETE, before)
        if now is not None:
            self._connection.execute(_INSERT, now)

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
        phrases, words, names = _parts(query)
        must = None
        if phrases:
            must = np.sort(self._positions(_all(phrases), "", -1, deadline))
            kept = must if kept is None else np.intersect1d(kept, must, assume_unique=True)
        if not phrases and not words:
            return Named({}, must)
        everywhere = _all([*phrases, *words])
        if self._are_many(everywhere, deadline):
            found = self._positions(everywhere, "", -1, deadline) if many else None
            return Named({}, must, None if found is None else np.sort(found))
        rankings = self._rankings([*phrases, *words], "ORDER BY rank", _BEST, kept, deadline)
        if rankings or not names:
            return Named(rankings, must)
        known = [name for name in names if len(self._positions(name, "", 1, deadline))]
        if not known or self._are_many(_all(known), deadline):
            return Named({}, must)
        rankings = self._rankings(known, "", _MOST_RANKED, kept, deadline)
        return Named(rankings, must, partly=bool(rankings))

    def _rankings(
        self, wanted: Sequence[str], order: str, best: int, kept: Positions | None, deadline: float
    ) -> dict[str, list[int]]:
        """Of each column the best images that have all that is wanted, and some of it there."""
        rankings: dict[str, list[int]] = {}
        for column in COLUMNS:
            match = f"({_all(wanted)}) AND {column} : ({' OR '.join(wanted)})"
            found = self._positions(match, order, best if kept is None else -1, deadline)
            if kept is not None:
                found = found[np.isin(found, kept)][:best]
            if len(found):
                rankings[column] = found.tolist()
        return rankings

    def _are_many(self, match: str, deadline: float) -> bool:
        """Whether more images match than can be ranked."""
        return len(self._positions(match, "", _MOST_RANKED + 1, deadline)) > _MOST_RANKED

    def _positions(self, match: str, order: str, most: int, deadline: float) -> Positions:
        statement = f"SELECT rowid FROM words WHERE words MATCH ? {order} LIMIT ?"
        rows = self._database.rows(statement, [match, most], deadline=deadline)
        found = np.array(rows, dtype=np.int64).reshape(-1)
        # Rows of this table have no checksum that would tell.
        return found[(found >= 0) & (found < self._images)]


_INSERT = f"INSERT INTO words(rowid, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})"
# FTS5's way to say it.
_DELETE = (
    f"INSERT INTO words(words, rowid, {', '.join(COLUMNS)}) "
    f"VALUES ('delete', ?{', ?' * len(COLUMNS)})"
)


def _columns(item: Item) -> list[str]:
    """The text of each column."""
    return [" \n".join(texts) for texts in _said(item)]


def _said(item: Item) -> Iterator[Sequence[str]]:
    """The texts of each column."""
    for column, fields in _FIELDS.items():
        texts = [
            text
            # Most have none of them.
            for name in fields
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


def _parts(query: str) -> tuple[list[str], list[str], list[str]]:
    """The quoted phrases, the words and the names of a query, each as FTS5 reads a text."""
    # Half a surrogate pair is no text for SQLite.
    query = query.translate(_QUOTES).encode("utf-8", "replace").decode()
    phrases = [_literal(phrase) for phrase in _PHRASE.findall(query) if _says(phrase)]
    words = [word for word in _PHRASE.sub(" ", query).replace('"', " ").split() if _says(word)]
    telling = [word for word in words if _EDGES.sub("", word).lower() not in _SAY_NOTHING]
    if not telling and not phrases:
        telling = words
    literals = [_literal(word) for word in telling]
    names = [_literal(name) for name in find_names(words)]
    return (
        list(dict.fromkeys(phrases)),
        list(dict.fromkeys(literals))[:_MOST_WORDS],
        list(dict.fromkeys(names))[:_MOST_WORDS],
    )


def _says(text: str) -> bool:
    """Whether there is anything in a text that the tokenizer takes for a part of a word."""
    return any(character.isalnum() for character in text)


def _literal(text: str) -> str:
    """A text that has no quote in it as FTS5's syntax has it: nothing in it is an operator."""
    beginning = text.endswith("*") and not any(map(str.isspace, text))
    return f'"{text}"*' if beginning else f'"{text}"'


def _all(literals: Sequence[str]) -> str:
    return " AND ".join(literals)
