"""Whatever a filter asks, Milvus keeps the images that are kept here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.checksums import record_files
from models.database import Database, SlowQueryError
from models.file_names import ITEMS
from models.filters import KEPT_OF_A_TEXT
from models.folder import Folder
from models.item_writer import write_items
from models.items import Item, ItemStore, item_id
from models.milvus.collection import MilvusCollection
from models.milvus.writer import Writer
from tests.milvus.collections import Place, wait_for

ROWS = 250
TEXTS = [
    "fox",
    "Fox",
    "fo",
    "",
    "ü",
    "u\u0308",
    'a"b',
    "a'b\\",
    '" or position >= 0 or "',
    "\u4e2d\U0001f98a",
    "2001-05-03",
    "2001-05",
    "\U0010ffff",
    "x" * (KEPT_OF_A_TEXT - 1),
    "x" * (KEPT_OF_A_TEXT + 3),
    "\0",
    "%",
]
NUMBERS = [0, -0.0, 1, 1.0, 1.5, -3, 1999, 2000.25, 1e300, -1e-7, 2**53 + 1, 2**63 - 1, -(2**63)]
VALUES = [*TEXTS, *NUMBERS, True, False, None, [], {}, 10**400]
NAMES = ["year", "tags", "ü", 'na"me', "facts", "a.b", "]"]
# What can be asked for has at most 1000 characters.
ASKED: list[Any] = [each for each in [*TEXTS, *NUMBERS] if len(str(each)) < KEPT_OF_A_TEXT]


def metadata(chance: random.Random) -> dict[str, Any]:
    def value() -> Any:
        kind = chance.random()
        if kind < 0.7:
            return chance.choice(VALUES)
        several = [chance.choice(VALUES) for _ in range(chance.choice([1, 2, 3, 6]))]
        return several if kind < 0.9 else {str(n): one for n, one in enumerate(several)}

    return {name: value() for name in NAMES if chance.random() < 0.6}


def item(position: int, known: dict[str, Any]) -> Item:
    path = f"{position}.jpg"
    return Item(position, item_id(path), path, None, None, None, "", metadata=known)


Both = Callable[[dict[str, Any]], tuple[list[int], list[int], list[str], list[str]]]


@pytest.fixture(scope="module")
def stores(
    demo: Bundle, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ItemStore, MilvusCollection]]:
    """The same images here and in Milvus."""
    chance = random.Random(7)
    items = [item(position, metadata(chance)) for position in range(ROWS)]
    folder = tmp_path_factory.mktemp("filters")
    write_items(folder / ITEMS, items)
    files = Folder(folder)
    files.open(record_files(folder, [ITEMS]))
    store = ItemStore(Database(files, ITEMS))
    vectors = np.random.default_rng(0).normal(size=(ROWS, demo.index.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    address = place("filters")
    writer = Writer(address, None, demo.manifest.model, "flat")
    assert writer.add(items, vectors) == ROWS
    writer.close()
    wait_for(address, demo, ROWS)
    collection = MilvusCollection(address, demo.manifest)
    yield store, collection
    assert collection.get([3, 1]) == [items[3], items[1]]
    collection.close()
    store.close()


@pytest.fixture(scope="module")
def both(demo: Bundle, stores: tuple[ItemStore, MilvusCollection]) -> Both:
    """Gives what a filter keeps here and in Milvus, and the warnings of each."""
    store, collection = stores

    def ask(conditions: dict[str, Any]) -> tuple[list[int], list[int], list[str], list[str]]:
        here = store.matching(conditions, seconds=60)
        there = collection.matching(conditions)
        any_vector = np.eye(1, demo.index.dim, dtype=np.float32)
        _, found = collection.search(any_vector, ROWS, there.kept)
        kept = sorted(found[found >= 0].tolist())
        assert collection.count(there.kept) == len(kept)
        return here.positions.tolist(), kept, here.warnings, there.warnings

    return ask


def conditions() -> st.SearchStrategy[Any]:
    asked = st.sampled_from(ASKED)
    exact = st.sampled_from([*ASKED, True, False, None])
    some = st.lists(exact, min_size=1, max_size=4)
    operators = st.fixed_dictionaries(
        {},
        optional={
            "gt": asked,
            "gte": asked,
            "lt": asked,
            "lte": asked,
            "prefix": st.sampled_from([one for one in ASKED if isinstance(one, str)]),
            "in": some,
            "any": some,
            "all": some,
            "not_in": some,
            "exists": st.booleans(),
        },
    ).filter(bool)
    one = st.one_of(exact, operators)
    return st.dictionaries(st.sampled_from([*NAMES, "nowhere"]), one, max_size=2)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(asked=conditions())
def test_a_filter_keeps_the_same(both: Both, asked: dict[str, Any]) -> None:
    here, there, ours, theirs = both(asked)
    assert there == here
    assert theirs == ours


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_of_condition_keeps_the_same(both: Both, name: str) -> None:
    kept = 0
    for condition in (
        {"gte": -3, "lt": 1.5},
        {"gt": 1999},
        {"lte": "fox"},
        {"gt": "fo", "lt": "fox"},
        {"prefix": "2001"},
        {"prefix": "\U0010ffff"},
        {"prefix": ""},
        {"all": ["fox", 1]},
        {"not_in": [None, True]},
        {"exists": False},
        {"gte": 2**53},
        None,
    ):
        here, there, ours, theirs = both({name: condition})
        assert (there, theirs) == (here, ours), condition
        kept += len(here)
    assert kept


@pytest.mark.parametrize("by", ["path", "-path", "-spread", "nowhere", *NAMES[:4], f"-{NAMES[0]}"])
def test_a_page_of_many_is_found_by_counting(
    stores: tuple[ItemStore, MilvusCollection], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """With images that are many to a sorting which fetches but a few."""
    monkeypatch.setattr("models.milvus.ordering._FEW", 20)
    monkeypatch.setattr("models.milvus.ordering._LOOKED_AT", 10)
    store, collection = stores
    conditions = {"tags": {"exists": True}}
    for here, there in (
        (None, None),
        (store.matching(conditions).positions, collection.matching(conditions).kept),
    ):
        for start in (0, 77, ROWS - 3, ROWS):
            ours = store.ordered(by, here, start=start, stop=start + 7)
            theirs = collection.ordered(by, there, start=start, stop=start + 7)
            assert theirs.positions.tolist() == ours.positions.tolist(), start
            assert theirs.warnings == ours.warnings


def test_values_of_any_kind_are_counted_the_same(
    stores: tuple[ItemStore, MilvusCollection],
) -> None:
    store, collection = stores
    for name in NAMES:
        conditions = {name: {"exists": True}}
        here, there = store.matching(conditions), collection.matching(conditions)
        ours = store.facets(NAMES, here.positions)
        assert collection.facets(NAMES, there.kept) == ours


def test_more_than_milvus_gives_at_once_are_not_counted(
    stores: tuple[ItemStore, MilvusCollection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.milvus.counting.MOST", ROWS - 1)
    with pytest.raises(SlowQueryError, match="249"):
        stores[1].facets(["year"])
