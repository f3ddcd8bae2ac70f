"""What is said of images, as Milvus searches it.

    words   a token of each word, whichever column it is in (models/milvus/expressions.py)
    said    all words in their order, each as the letter of its column and the word in hex

``"gulls"`` in a caption is ``g67756c6c73`` in ``said``: nothing that anybody writes or asks for is
ever read by an analyzer, nor part of an expression, and a word is the same here and in SQLite,
whose own tokenizer takes the texts apart.  Milvus' BM25 function counts the words of ``said``; a
word in one column is another than in the next, so each column has a ranking of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from models.database import FULL_TEXT
from models.items import Item
from models.milvus import expressions
from models.query_words import is_beginning
from models.unspaced import sought
from models.word_ranks import COLUMNS
from models.words import columns_of

# What Milvus takes: members of an array, and bytes of a text.
MOST_WORDS = 4096
MOST_BYTES = 65_535
# No digit of a hexadecimal number.
_LETTERS = dict(zip(COLUMNS, "ghijkl", strict=True))
# Two words that begin with so many bytes alike are one.
_LONGEST = 64
# What is read in an image comes last: it may be long, and is what is left out then.
_ORDER = sorted(COLUMNS, key=lambda column: column == "text")
_TOKENS = "CREATE VIRTUAL TABLE tokens USING fts5vocab(words, 'instance')"
_INSERT = f"INSERT INTO words(rowid, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})"


@dataclass(frozen=True)
class Wanted:
    """A word that is asked for, or several that stand together: in hex.

    ``begins`` says that the last is but the beginning of a word.
    """

    words: tuple[str, ...]
    begins: bool = False

    @property
    def is_one_word(self) -> bool:
        """Whether to have it is to have a token."""
        return len(self.words) == 1 and not self.begins

    @property
    def whole(self) -> tuple[str, ...]:
        """Those that are no mere beginning."""
        return self.words[:-1] if self.begins else self.words


def columns(items: Sequence[Item]) -> list[tuple[list[int], str]]:
    """What is said of some images, as ``words`` and ``said``.

    Of an image of which more is said than Milvus takes, what is said first; of that what is read
    in it comes last.
    """
    return [_limited(said) for said in _taken_apart([columns_of(item) for item in items])]


def wanted(texts: Iterable[str]) -> list[Wanted]:
    """What words or phrases of a query ask for; those in which there is no word for nothing."""
    asked = [sought(text) or (text, is_beginning(text)) for text in texts]
    nothing = [""] * (len(COLUMNS) - 1)
    apart = _taken_apart([[text, *nothing] for text, _ in asked])
    return [
        Wanted(tuple(said[COLUMNS[0]]), begins)
        for (_, begins), said in zip(asked, apart, strict=True)
        if said[COLUMNS[0]]
    ]


def in_column(column: str, each: Iterable[Wanted]) -> str:
    """What the BM25 of one column is asked for."""
    return " ".join(f"{_LETTERS[column]}{word}" for one in each for word in one.whole)


def expression(each: Iterable[Wanted]) -> str:
    """The images of which all of some words are said, in whatever columns."""
    asked = list(each)
    whole = [word for one in asked for word in one.whole]
    parts = [expressions.has_words(map(_token, whole))] if whole else []
    parts += [_together(one, COLUMNS) for one in asked if not one.is_one_word]
    return " and ".join(parts) or expressions.NOTHING


def expression_in(column: str, each: Iterable[Wanted]) -> str:
    """The images of which any of some words are said in a column."""
    return f"({' or '.join(_together(one, [column]) for one in each)})"


def _together(one: Wanted, among: Iterable[str]) -> str:
    """Those that have words side by side in one of some columns; every word has a space behind."""
    end = "" if one.begins else " "
    parts = []
    for column in among:
        words = " ".join(f"{_LETTERS[column]}{word}" for word in one.words)
        parts.append(f'said like "%{words}{end}%"')
    return f"({' or '.join(parts)})"


def _limited(said: dict[str, list[str]]) -> tuple[list[int], str]:
    tokens: dict[str, int] = {}
    parts: list[str] = []
    room = MOST_BYTES
    for column in _ORDER:
        for word in said[column]:
            room -= len(word) + 2
            if room < 0 or (word not in tokens and len(tokens) == MOST_WORDS):
                return sorted(tokens.values()), "".join(parts)
            tokens[word] = _token(word)
            parts.append(f"{_LETTERS[column]}{word} ")
    return sorted(tokens.values()), "".join(parts)


def _token(word: str) -> int:
    return expressions.token("word", word)


def _taken_apart(rows: Sequence[Sequence[str]]) -> list[dict[str, list[str]]]:
    """The words of some texts by column, in order and in hex, as SQLite's full-text index reads."""
    found: list[dict[str, list[str]]] = [{column: [] for column in COLUMNS} for _ in rows]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(FULL_TEXT)
        connection.execute(_TOKENS)
        connection.executemany(_INSERT, ([number, *row] for number, row in enumerate(rows)))
        query = "SELECT doc, col, term FROM tokens ORDER BY doc, col, offset"
        for number, column, term in connection.execute(query):
            found[number][column].append(term.encode()[:_LONGEST].hex())
    return found
