"""Rankings by words are those that a plain reading of every image gives."""

from __future__ import annotations

import math
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.word_ranks
from models.items import ItemStore
from tests.unit.test_words import item, opened

WORDS = ("red", "fox", "snow", "roof")
SAID = st.lists(st.sampled_from(WORDS), max_size=5)
IMAGES = st.lists(st.tuples(SAID, SAID, SAID), min_size=1, max_size=12)
QUERY = st.lists(st.sampled_from([*WORDS, '"red fox"']), min_size=1, max_size=3, unique=True)

# Of an image the words of each column.
Columns = dict[str, list[str]]


def columns_of(position: int, said: tuple[list[str], list[str], list[str]]) -> Columns:
    caption, keywords, people = said
    return {"caption": caption, "keywords": keywords, "people": people, "path": [str(position)]}


def hits(wanted: str, words: list[str]) -> int:
    parts = wanted.strip('"').split()
    starts = range(len(words) - len(parts) + 1)
    return sum(words[start : start + len(parts)] == parts for start in starts)


def expected(images: list[Columns], query: list[str]) -> dict[str, dict[int, float]]:
    """Of each column the score of every image in its ranking, by the formula of BM25."""
    lengths = [sum(map(len, columns.values())) for columns in images]
    mean = sum(lengths) / len(lengths)

    def score(position: int, columns: list[str]) -> float:
        total = 0.0
        for wanted in query:
            having = sum(any(hits(wanted, words) for words in one.values()) for one in images)
            idf = math.log((len(images) - having + 0.5) / (having + 0.5))
            often = sum(hits(wanted, images[position][column]) for column in columns)
            norm = 1.2 * (0.25 + 0.75 * lengths[position] / mean)
            total += max(idf, 1e-6) * often * 2.2 / (often + norm)
        return total

    found: dict[str, dict[int, float]] = {}
    for position, columns in enumerate(images):
        if not all(any(hits(one, words) for words in columns.values()) for one in query):
            continue
        for column, words in columns.items():
            if any(hits(one, words) for one in query):
                whole = score(position, list(columns)) + score(position, [column])
                found.setdefault(column, {})[position] = whole
    return found


def store_of(folder: str, said: list[tuple[list[str], list[str], list[str]]]) -> ItemStore:
    return opened(
        Path(folder),
        [
            item(position, " ".join(caption), keywords=keywords, people=people, alt_text="")
            for position, (caption, keywords, people) in enumerate(said)
        ],
    )


@given(IMAGES, QUERY)
def test_each_column_ranks_by_what_all_say_and_itself_once_more(
    said: list[tuple[list[str], list[str], list[str]]], query: list[str]
) -> None:
    images = [columns_of(position, one) for position, one in enumerate(said)]
    with tempfile.TemporaryDirectory() as folder:
        rankings = store_of(folder, said).named(" ".join(query)).rankings
    scores = expected(images, query)
    assert {column: set(ranking) for column, ranking in rankings.items()} == {
        column: set(of_column) for column, of_column in scores.items()
    }
    for column, ranking in rankings.items():
        of_column = scores[column]
        for one, next_one in pairwise(ranking):
            assert of_column[one] > of_column[next_one] - 1e-9
            if said[one] == said[next_one]:
                assert one < next_one, "of equals the lower first"


SOME = [
    (["red", "fox"], ["snow"], []),
    (["red", "roof"], ["snow"], ["fox"]),
    (["red", "snow"], [], []),
    (["red"], [], []),
]


def test_a_word_of_very_many_does_not_rank_where_a_rarer_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.word_ranks, "_FREQUENT", 2)
    store = store_of(str(tmp_path), SOME)
    every = {"caption": [0, 1], "keywords": [0, 1], "people": [1]}
    assert sorted_of(store, "red snow fox") == every
    monkeypatch.setattr(models.word_ranks, "_MOST_COUNTED", 4)
    assert sorted_of(store, "red snow fox") == {"caption": [0], "people": [1]}
    assert sorted_of(store, "RED snow") == {"caption": [2], "keywords": [0, 1]}
    assert sorted_of(store, "réd") == {"caption": [0, 1, 2, 3]}
    assert sorted_of(store, '"red fox" snow') == {"keywords": [0]}
    monkeypatch.setattr(models.word_ranks, "_MOST_COUNTED", 1)
    assert sorted_of(store, '"the red fox"') == {}
    assert sorted_of(store, '"red, Fox!"') == {"caption": [0]}
    assert sorted_of(store, '"red-roof"') == {"caption": [1]}


def test_a_bundle_that_does_not_know_what_is_frequent_ranks_by_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.item_writer.write_frequent", lambda connection: None)
    monkeypatch.setattr(models.word_ranks, "_MOST_COUNTED", 0)
    store = store_of(str(tmp_path), SOME)
    assert sorted_of(store, "red fox") == {"caption": [0, 1], "people": [1]}


def sorted_of(store: ItemStore, query: str) -> dict[str, list[int]]:
    return {column: sorted(best) for column, best in store.named(query).rankings.items()}


def test_of_a_phrase_of_frequent_words_the_rarest_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count a phrase FTS5 walks through all that have its words."""
    monkeypatch.setattr(models.word_ranks, "_FREQUENT", 1)
    said = [(["red", "fox"], ["fox"], ["red"]), (["red"], [], [])]
    store = store_of(str(tmp_path), said)
    assert store.named('"red fox"').rankings == {"caption": [0]}
    monkeypatch.setattr(models.word_ranks, "_MOST_COUNTED", 2)
    assert store.named('"red fox"').rankings == {"caption": [0], "keywords": [0]}
