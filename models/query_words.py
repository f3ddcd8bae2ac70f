"""What the words of a query ask for.

``"quoted words"`` have to stand together, and ``gui*`` is how a word begins; articles and the like
ask for nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.names import find_names

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
class QueryWords:
    """What a query says, each once: quoted phrases, the other words, and the names among these."""

    phrases: list[str]
    words: list[str]
    names: list[str]


def read_query(query: str) -> QueryWords:
    """The quoted phrases, the words and the names of a query."""
    # Half a surrogate pair is no text for SQLite.
    query = query.translate(_QUOTES).encode("utf-8", "replace").decode()
    phrases = [phrase for phrase in _PHRASE.findall(query) if _says(phrase)]
    words = [word for word in _PHRASE.sub(" ", query).replace('"', " ").split() if _says(word)]
    telling = [word for word in words if _EDGES.sub("", word).lower() not in _SAY_NOTHING]
    if not telling and not phrases:
        telling = words
    return QueryWords(
        list(dict.fromkeys(phrases)),
        list(dict.fromkeys(telling))[:_MOST_WORDS],
        list(dict.fromkeys(find_names(words)))[:_MOST_WORDS],
    )


def is_beginning(text: str) -> bool:
    """Whether a word of a query is how others begin: ``gui*``."""
    return text.endswith("*") and not any(map(str.isspace, text))


def _says(text: str) -> bool:
    """Whether there is anything in a text that the tokenizer takes for a part of a word."""
    return any(character.isalnum() for character in text)
