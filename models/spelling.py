"""What a query may have meant whose words nobody knows: "pengiun" is a penguin.

    terms(term, count, checksum)

The words that people have said of the images, without case and accents as the full-text index has
them, and of how many images each is said; and those of a vocabulary, of none.  A word is taken for
a slip of the keys where neither these nor the model know it (a model's tokenizer has tokens of
their own for the words that it has met often), and one of these is written almost like it.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property

from models.database import Database, with_checksum

_SCHEMA = """
CREATE TABLE terms (
    term TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    checksum INTEGER NOT NULL
)
"""
# SQLite's own view of a full-text index; it lasts as long as the connection.
_VOCABULARY = "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, 'col')"
_TERMS = """
SELECT term, sum(doc) AS count FROM temp.vocabulary
WHERE col IN ('caption', 'keywords', 'people', 'place') AND length(term) BETWEEN ? AND ?
GROUP BY term ORDER BY count DESC, term LIMIT ?
"""
_SHORTEST = 4
_LONGEST = 32
_MOST_TERMS = 50_000
# Slips, each a letter too much, too few, another one or two that have changed places.
_SLIPS = 2
_SLIPS_IN_A_SHORT_WORD = 1
_SHORT = 6
_WORD = re.compile(r"[^\W\d_]+")


def write_terms(connection: sqlite3.Connection, vocabulary: Iterable[str] = ()) -> None:
    """Write the words that the full-text index of a database has, which must be there.

    Args:
        connection: to the database.
        vocabulary: names of things that may be meant, whether they are said of an image or not.
    """
    connection.execute("DROP TABLE IF EXISTS terms")
    connection.execute(_SCHEMA)
    connection.execute(_VOCABULARY)
    found = connection.execute(_TERMS, [_SHORTEST, _LONGEST, _MOST_TERMS]).fetchall()
    connection.execute("DROP TABLE temp.vocabulary")
    counts = {term: count for term, count in found if term.isalpha()}
    for word in _WORD.findall(" ".join(vocabulary)):
        if len(word) >= _SHORTEST:
            counts.setdefault(folded(word), 0)
    rows = (with_checksum(row) for row in counts.items())
    connection.executemany("INSERT INTO terms VALUES (?, ?, ?)", rows)


class Speller:
    """Knows the words that are said of the images; safe from several threads.

    Args:
        database: the file that holds them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """A query with other words in place of those that nobody knows, None where all are known.

        Args:
            query: as somebody has typed it.
            is_known: whether a word is one, whatever the images show.

        Raises:
            DamagedError: the file is damaged.
        """

        def better(word: re.Match[str]) -> str:
            return self._nearest(word[0], is_known) or word[0]

        found = _WORD.sub(better, query)
        return None if found == query else found

    def _nearest(self, word: str, is_known: Callable[[str], bool]) -> str | None:
        bare = folded(word)
        if not _SHORTEST <= len(bare) <= _LONGEST or bare in self._counts or is_known(word):
            return None
        # Here and not above: a start needs none of it, nor does the build.
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        slips = _SLIPS_IN_A_SHORT_WORD if len(bare) < _SHORT else _SLIPS
        near = process.extract(
            bare, self._terms, scorer=OSA.distance, processor=None, score_cutoff=slips, limit=None
        )
        # "Walruses" is another form of what is there, and no slip.
        others = [(how_far, term) for term, how_far, _ in near if not bare.startswith(term)]
        if not others:
            return None
        _, _, term = min((how_far, -self._counts[term], term) for how_far, term in others)
        return term.capitalize() if word[0].isupper() else term

    @cached_property
    def _counts(self) -> dict[str, int]:
        """The terms and their counts, read when a query is first looked at."""
        # A bundle that is older has none.
        if not self._database.rows("SELECT 1 FROM sqlite_master WHERE name = 'terms'"):
            return {}
        rows = self._database.whole_rows("SELECT term, count, checksum FROM terms")
        return {str(term): int(count) for term, count in rows}

    @cached_property
    def _terms(self) -> list[str]:
        return list(self._counts)


def folded(word: str) -> str:
    """A word without case and accents."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one))
