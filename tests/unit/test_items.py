"""The images of a bundle: written once, read by many."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.database import Database, with_checksum
from models.folder import Folder
from models.items import Item, ItemStore, item_id, write_items
from models.manifest import DamagedError, record_files

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
        text="NO ENTRY" if position else None,
        metadata=metadata or {},
        sources={"alt_text": "tags"},
        thumbhash="3OcRJYB4d3h/iIeHeEh3eIhw+j3A",
    )


def opened(folder: Path, *, in_memory: bool = False) -> ItemStore:
    files = Folder(folder)
    files.open(record_files(folder, ["items.sqlite"]))
    content = files.read("items.sqlite") if in_memory else None
    return ItemStore(Database(files, "items.sqlite", content))


def store(folder: Path, items: Sequence[Item], *, in_memory: bool = False) -> ItemStore:
    write_items(folder / "items.sqlite", items)
    return opened(folder, in_memory=in_memory)


@pytest.fixture(scope="module", params=[True, False], ids=["in memory", "on disk"])
def some(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> ItemStore:
    items = [item(position, metadata) for position, metadata in enumerate(METADATA)]
    return store(tmp_path_factory.mktemp("items"), items, in_memory=request.param)


def test_items_come_back_as_they_went_in(some: ItemStore) -> None:
    expected = [item(position, metadata) for position, metadata in enumerate(METADATA)]
    assert list(some) == expected
    assert len(some) == 4
    assert some.get([2, 0, 2]) == [expected[2], expected[0], expected[2]]
    assert some.get([]) == []
    with pytest.raises(KeyError):
        some.get([4])


def test_an_item_is_found_by_its_id_and_its_path(some: ItemStore) -> None:
    image = item_id("folder/2.jpg")
    assert len(image) == 16
    assert some.find(image) == some.get([2])[0]
    assert some.find("folder/2.jpg") is None
    assert some.position_of(image) == 2
    assert some.id_of_path("folder/2.jpg") == image
    assert some.position_of("folder/2.jpg") is None
    assert some.id_of_path("../folder/2.jpg") is None


def test_an_id_belongs_to_the_path_alone(tmp_path: Path) -> None:
    paths = ["b.jpg", "ä/日本語.png", "a'\"b.gif"]
    items = [item(position, path=path) for position, path in enumerate(paths)]
    together = store(tmp_path, items)
    (tmp_path / "less").mkdir()
    alone = store(tmp_path / "less", [item(0, path=paths[1])])
    assert alone.id_of_path(paths[1]) == together.id_of_path(paths[1])
    assert [each.image_path for each in together] == paths


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


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough" * 200])
def test_what_is_no_items_file_is_named(tmp_path: Path, content: bytes, in_memory: bool) -> None:
    (tmp_path / "items.sqlite").write_bytes(content)
    with pytest.raises(DamagedError, match=r"items\.sqlite cannot be read.*Build it again"):
        opened(tmp_path, in_memory=in_memory)


def test_a_file_from_before_there_were_thumbhashes_is_read(tmp_path: Path) -> None:
    store(tmp_path, [item(0)]).close()
    older = replace(item(0), thumbhash=None)
    row = (older.position, older.id, older.image_path, older.width, older.height, older.caption,
           older.alt_text, older.text, "{}", '{"alt_text": "tags"}')  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "items.sqlite")) as connection, connection:
        connection.execute("ALTER TABLE items DROP COLUMN thumbhash")
        connection.execute("UPDATE items SET checksum = ?", with_checksum(row)[-1:])
    assert list(opened(tmp_path)) == [older]


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_row_that_was_altered_is_not_given_out(tmp_path: Path, in_memory: bool) -> None:
    store(tmp_path, [item(0), item(1)]).close()
    with closing(sqlite3.connect(tmp_path / "items.sqlite")) as connection, connection:
        connection.execute("UPDATE items SET alt_text = 'A fox' WHERE position = 1")
    altered = opened(tmp_path, in_memory=in_memory)
    assert altered.get([0]) == [item(0)]
    for read in (
        lambda: altered.get([0, 1]),
        lambda: altered.position_of(item(1).id),
        lambda: altered.id_of_path(item(1).image_path),
    ):
        with pytest.raises(DamagedError, match=r"items\.sqlite is damaged: a row of it"):
            read()


def test_a_file_that_is_overwritten_where_it_lies_is_noticed(tmp_path: Path) -> None:
    store(tmp_path, [item(position) for position in range(3000)]).close()
    path = tmp_path / "items.sqlite"
    on_disk, in_memory = opened(tmp_path), opened(tmp_path, in_memory=True)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DamagedError, match=r"items\.sqlite"):
        on_disk.get(range(3000))
    assert [each.position for each in in_memory.get(range(3000))] == list(range(3000))


def test_the_last_of_many_counts(tmp_path: Path) -> None:
    assert len(store(tmp_path, [])) == 0
    (tmp_path / "items.sqlite").unlink()
    many = store(tmp_path, [item(position) for position in range(1203)])
    assert len(many) == 1203
    assert [each.position for each in many] == list(range(1203))


def test_metadata_is_json_and_kept_as_it_was_written(tmp_path: Path) -> None:
    metadata = {"stadt": "Zürich"}
    store(tmp_path, [item(0, metadata)])
    with closing(sqlite3.connect(tmp_path / "items.sqlite")) as connection:
        [(kept,)] = connection.execute("SELECT metadata FROM items").fetchall()
    assert kept == '{"stadt": "Zürich"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_items(tmp_path / "other.sqlite", [item(0, {"n": float("nan")})])


def test_more_than_sqlite_takes_at_once_are_had_in_the_order_asked_for(tmp_path: Path) -> None:
    items = store(tmp_path, [item(position) for position in range(1203)])
    asked = list(range(1202, -1, -1))
    assert [each.position for each in items.get(asked)] == asked
    assert items.get([]) == []
    assert len(items) == 1203
    assert [each.position for each in items] == list(range(1203))


def test_an_id_is_made_of_the_path() -> None:
    assert item_id("a/b.jpg") == hashlib.sha256(b"a/b.jpg").hexdigest()[:16]
    assert item_id("\udcff") == hashlib.sha256(b"\xff").hexdigest()[:16]


def test_what_is_written_of_an_item_can_be_asked_for(tmp_path: Path) -> None:
    items = store(tmp_path, [item(0, {"year": 1999}), item(1), item(2, {"year": 2003})])
    assert items.matching({"year": {"gt": 1999}}).positions.tolist() == [2]
    assert items.matching({"year": {"exists": True}}).positions.tolist() == [0, 2]
