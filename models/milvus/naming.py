"""Images in Milvus by the words that are said of them: what models/words.py does by SQLite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.milvus import said
from models.milvus.questions import Deadline, Questions
from models.query_words import read_query
from models.word_ranks import COLUMNS
from models.words import Named

# As many as there.
_BEST = 128
_MOST_RANKED = 1000
_NOBODY = np.empty(0, dtype=np.int64)


def find(questions: Questions, query: str, kept: str, *, many: bool) -> tuple[Named, str]:
    """The images that a query names.

    Args:
        questions: asks the collection.
        query: as somebody has typed it.
        kept: the expression of those to find among.
        many: whether to find those as well that are too many to rank.

    Returns:
        What is named, and what of ``kept`` is left by what must be said.

    Raises:
        SlowQueryError: it takes too long.
    """
    asked = read_query(query)
    phrases, words = said.wanted(asked.phrases), said.wanted(asked.words)
    must = None
    with questions.deadline() as deadline:
        if asked.phrases:
            quoted = said.expression(phrases)
            must = None if questions.count(quoted) else _NOBODY
            kept = _both(kept, quoted)
        if not phrases and not words:
            return Named({}, must), kept
        everywhere = said.expression([*phrases, *words])
        deadline.check()
        if questions.count(everywhere) > _MOST_RANKED:
            return Named({}, must, _NOBODY if many else None), (
                _both(kept, everywhere) if many else kept
            )
        rankings = _rankings(questions, [*phrases, *words], kept, _BEST, deadline)
        names = [] if rankings else said.wanted(asked.names)
        known = [name for name in names if questions.count(said.expression([name]))]
        if not known or questions.count(said.expression(known)) > _MOST_RANKED:
            return Named(rankings, must), kept
        rankings = _rankings(questions, known, kept, _MOST_RANKED, deadline)
        return Named(rankings, must, partly=bool(rankings)), kept


def _rankings(
    questions: Questions,
    wanted: Sequence[said.Wanted],
    kept: str,
    most: int,
    deadline: Deadline,
) -> dict[str, list[int]]:
    """Of each column the best images that have all that is wanted, and some of it there."""
    deadline.check()
    among = _both(kept, said.expression(wanted))
    if all(one.is_one_word for one in wanted):
        asked = [said.in_column(column, wanted) for column in COLUMNS]
        found = dict(zip(COLUMNS, questions.saying(asked, most, among), strict=True))
        return {column: positions for column, positions in found.items() if positions}
    rankings = {}
    for column in COLUMNS:
        deadline.check()
        there = _both(among, said.expression_in(column, wanted))
        every = [row["position"] for row in questions.rows(there, ["position"], _MOST_RANKED)]
        words = said.in_column(column, wanted)
        best = questions.saying([words], most, there)[0] if every and words else []
        # BM25 knows no word by its beginning.
        behind = sorted(set(every) - set(best))
        if every:
            rankings[column] = [*best, *behind][:most]
    return rankings


def _both(one: str, other: str) -> str:
    return f"({one}) and ({other})" if one else other
