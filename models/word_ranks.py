"""Images that have some words, ranked for each column by what is said there.

    frequent(term, count, checksum)

An image is in the ranking of a column where one of the words stands.  The order is BM25 of all
columns together, plus BM25 of this one: what says it there says it once more.  FTS5 gives all of it
in one pass.

For a BM25 FTS5 counts the images that have each word, one by one: 2 ms for 100,000 of them.  So
words that are said of very many do not rank where others do, and tell little besides; of a phrase
of nothing else its rarest word ranks.  How many have a word is in ``frequent`` where these are
many; a bundle from before there was the table lets all words rank.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.database import Database, with_checksum
from models.spelling import folded

Positions = NDArray[np.int64]

COLUMNS = ("caption", "keywords", "people", "place", "text", "path")
_SCHEMA = """
CREATE TABLE frequent (
    term TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    checksum INTEGER NOT NULL
)
"""
# SQLite's own view of a full-text index; it lasts as long as the connection.
_VOCABULARY = "CREATE VIRTUAL TABLE temp.counted USING fts5vocab(main, words, 'row')"
_FREQUENT = 1000
# So many images are counted for the words of a query, where there is a choice.
_MOST_COUNTED = 20_000
_ONE_COLUMN = ", ".join(
    f"bm25(words, {', '.join('1' if column == one else '0' for column in COLUMNS)})"
    for one in COLUMNS
)
# The plus keeps SQLite from asking FTS5 anew for each image.
_RANKS = f"""
SELECT rowid, bm25(words), {_ONE_COLUMN} FROM words
WHERE words MATCH ? AND +rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid
"""
_STRING = re.compile(r'"([^"]*)"')
_TERM = re.compile(r"[^\W_]+")


def write_frequent(connection: sqlite3.Connection) -> None:
    """Write which words of a database's full-text index are said of many images."""
    connection.execute(_SCHEMA)
    connection.execute(_VOCABULARY)
    query = "SELECT term, doc FROM temp.counted WHERE doc >= ?"
    found = connection.execute(query, [_FREQUENT]).fetchall()
    connection.execute("DROP TABLE temp.counted")
    connection.executemany("INSERT INTO frequent VALUES (?, ?, ?)", map(with_checksum, found))


class WordRanks:
    """Ranks images by words; safe from several threads.

    Args:
        database: the file that holds the full-text index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def rank(
        self, wanted: Sequence[str], found: Positions, best: int, deadline: float
    ) -> dict[str, list[int]]:
        """Of each column that has one of the words, the best images; of equals the lower first.

        Args:
            wanted: words and phrases as FTS5 reads them.
            found: the images to rank, which have all of them.
            best: how many of each column, at the most.
            deadline: the time (``time.monotonic``) at which to give up.

        Raises:
            SlowQueryError: it takes longer.
            DamagedError: the file is damaged.
        """
        if not len(found):
            return {}
        rows = self._database.rows(
            _RANKS,
            [" AND ".join(self._telling(wanted)), json.dumps(found.tolist())],
            deadline=deadline,
        )
        values = np.array(rows, dtype=np.float64).reshape(-1, 2 + len(COLUMNS))
        positions = values[:, 0].astype(np.int64)
        rankings = {}
        # FTS5 has the better below zero, and zero where a column has none of the words.
        for column, there in zip(COLUMNS, values[:, 2:].T, strict=True):
            some = np.flatnonzero(there < 0)
            if len(some):
                order = np.argsort(values[some, 1] + there[some], kind="stable")
                rankings[column] = positions[some[order[:best]]].tolist()
        return rankings

    def _telling(self, wanted: Sequence[str]) -> list[str]:
        """The words that rank: the rarest, as many as are counted soon, and one in any case."""
        counts = {literal: self._count(literal) for literal in wanted}
        rarest = min(wanted, key=counts.__getitem__)
        phrase = _STRING.fullmatch(rarest)
        if phrase and counts[rarest] > _MOST_COUNTED:
            # Where a phrase stands, so do its words.
            words = [word for word in phrase[1].split() if len(_terms(word)) == 1]
            return [f'"{min(words, key=self._count)}"'] if words else [rarest]
        telling: list[str] = []
        counted = 0
        for literal in sorted(wanted, key=counts.__getitem__):
            counted += counts[literal]
            if telling and counted > _MOST_COUNTED:
                break
            telling.append(literal)
        return telling

    def _count(self, literal: str) -> int:
        """About how many images FTS5 looks at to count those that have a word or phrase."""
        return sum(self._counts.get(term, 0) for term in _terms(literal))

    @cached_property
    def _counts(self) -> dict[str, int]:
        """The frequent words, read when a query first ranks."""
        if not self._database.rows("SELECT 1 FROM sqlite_master WHERE name = 'frequent'"):
            return {}
        return dict(self._database.whole_rows("SELECT * FROM frequent"))


def _terms(literal: str) -> list[str]:
    """The words in a word or phrase as the full-text index has them."""
    # What stands between two strings is an operator.
    return _TERM.findall(folded(" ".join(literal.split('"')[1::2]) or literal))
