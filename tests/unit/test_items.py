"""The facts about pictures: written once, read by many."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.items import Item, ItemStore, item_id, write_items
from models.manifest import DamagedError

METADATA: list[dict[str, Any]] = [
    {"year": 1999, "tags": ["fox", "snow"], "licence": "CC0-1.0"},
    {"year": 2003.5, "tags": "fox", "public": True, "licence": None},
    {"year": "1999", "public": False, "a.b[0]": 1},
    {},
]


def item(position: int, metadata: dict[str, Any] | None = None, path: str | None = None) -> Item:
    image_path = path or f"folder/{position}.jpg"
    return Item(
        position=position,
        id=item_id(image_path),
        image_path=image_path,
        width=640,
        height=None,
        caption=None,
        alt_text="Probably: fox",
        alt_text_source="tags",
        metadata=metadata or {},
    )


def store(folder: Path, items: Sequence[Item]) -> ItemStore:
    path = folder / "items.sqlite"
    write_items(path, [(each, f"thumbnail {each.position}".encode()) for each in items])
    return ItemStore.open(path)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> ItemStore:
    items = [item(position, metadata) for position, metadata in enumerate(METADATA)]
    return store(tmp_path_factory.mktemp("items"), items)


def test_items_come_back_as_they_went_in(some: ItemStore) -> None:
    expected = [item(position, metadata) for position, metadata in enumerate(METADATA)]
    assert list(some) == expected
    assert len(some) == 4
    assert some.get([2, 0, 2]) == [expected[2], expected[0], expected[2]]
    assert some.get([]) == []
    with pytest.raises(KeyError):
        some.get([4])


def test_an_item_is_found_by_its_id_and_its_path(some: ItemStore) -> None:
    picture = item_id("folder/2.jpg")
    assert len(picture) == 16
    assert some.position_of(picture) == 2
    assert some.id_of_path("folder/2.jpg") == picture
    assert some.thumbnail(picture) == b"thumbnail 2"
    assert some.position_of("folder/2.jpg") is None
    assert some.id_of_path("../folder/2.jpg") is None
    assert some.thumbnail("no such id") is None


def test_an_id_belongs_to_the_path_alone(tmp_path: Path) -> None:
    paths = ["b.jpg", "ä/日本語.png", "a'\"b.gif"]
    items = [item(position, path=path) for position, path in enumerate(paths)]
    together = store(tmp_path, items)
    (tmp_path / "less").mkdir()
    alone = store(tmp_path / "less", [item(0, path=paths[1])])
    assert alone.id_of_path(paths[1]) == together.id_of_path(paths[1])
    assert [each.image_path for each in together] == paths


@pytest.mark.parametrize(
    ("conditions", "positions"),
    [
        ({}, [0, 1, 2, 3]),
        ({"year": 1999}, [0]),
        ({"year": "1999"}, [2]),
        ({"year": 1999.0}, [0]),
        ({"year": {"gte": 1999}}, [0, 1]),
        ({"year": {"gt": 1999, "lt": 2004}}, [1]),
        ({"year": {"lte": "2"}}, [2]),
        ({"tags": "fox"}, [0, 1]),
        ({"tags": "snow", "year": {"lt": 2000}}, [0]),
        ({"public": True}, [1]),
        ({"public": False}, [2]),
        ({"public": 1}, []),
        ({"licence": None}, [1]),
        ({"a.b[0]": 1}, [2]),
        ({"a": 1}, []),
        ({"year": 10**18}, []),
        ({"unknown": "x"}, []),
    ],
)
def test_a_filter_is_met_by_values_ranges_and_members(
    some: ItemStore, conditions: dict[str, Any], positions: list[int]
) -> None:
    assert some.matching(conditions).tolist() == positions


@pytest.mark.parametrize(
    "condition", [[1, 2], {"above": 3}, {}, {"gte": None}, {"gte": True}, {"gte": [1]}, 10**30]
)
def test_a_filter_that_makes_no_sense_is_refused(some: ItemStore, condition: object) -> None:
    with pytest.raises(ValueError, match=r"year|number"):
        some.matching({"year": condition})


printable = st.characters(exclude_categories=["C"])
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8)
)
conditions = st.dictionaries(
    st.text(st.characters(), max_size=8),
    scalars | st.dictionaries(st.sampled_from(["gte", "gt", "lte", "lt"]), scalars),
    max_size=3,
)


@given(conditions=conditions)
def test_a_filter_never_fails_in_another_way(some: ItemStore, conditions: dict[str, Any]) -> None:
    try:
        positions = some.matching(conditions).tolist()
    except ValueError:
        positions = []
    assert set(positions) <= {0, 1, 2, 3}


@given(name=st.text(min_size=1, max_size=6), value=st.text(printable, max_size=6))
def test_whatever_a_field_is_called_only_it_is_asked(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    items = [item(0, {name: value}), item(1, {name + "x": value}), item(2, {name: value + "x"})]
    found = store(tmp_path_factory.mktemp("items"), items)
    try:
        assert found.matching({name: value}).tolist() == [0]
    except ValueError:
        assert json.dumps(name, ensure_ascii=False) != f'"{name}"'


def test_many_threads_read_at_once(some: ItemStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda turn: some.get([turn % 4])[0].position, range(400)))
    assert answers == [turn % 4 for turn in range(400)]


def test_a_file_put_in_its_place_is_not_read(some: ItemStore, tmp_path: Path) -> None:
    old = store(tmp_path, [item(0, path="old.jpg")])
    (tmp_path / "new").mkdir()
    store(tmp_path / "new", [item(0, path="new.jpg"), item(1)])
    shutil.move(tmp_path / "new/items.sqlite", tmp_path / "items.sqlite")
    with ThreadPoolExecutor(16) as pool:
        seen = set(pool.map(lambda _: old.get([0])[0].image_path, range(100)))
    assert seen == {"old.jpg"}


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store(tmp_path / name, [item(0, METADATA[0]), item(1)])
        contents.append((tmp_path / name / "items.sqlite").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough" * 20])
def test_what_is_no_items_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "items.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"items\.sqlite.*Build it again"):
        ItemStore.open(path)
