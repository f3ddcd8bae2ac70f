from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.collection import LocalCollection, positions_of
from models.database import Database
from models.folder import Folder
from models.items import Item, ItemStore, item_id, write_items
from models.manifest import ITEMS, record_files
from models.vector_index import VectorIndex

COUNT, DIM = 6, 8


def item(position: int) -> Item:
    path = f"{position}.jpg"
    return Item(
        position,
        item_id(path),
        path,
        None,
        None,
        "the red fox" if position % 2 else "a red hen",
        "",
        metadata={"year": 2000 + position},
        sources={"caption": "sidecar"},
    )


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[LocalCollection]:
    write_items(tmp_path / ITEMS, map(item, range(COUNT)))
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, [ITEMS]))
    store = ItemStore(Database(folder, ITEMS))
    collection = LocalCollection(VectorIndex.build(vectors(), "ip"), store)
    yield collection
    collection.close()


def vectors() -> np.ndarray:
    # The lower its position, the nearer to the first axis.
    rows = np.zeros((COUNT, DIM), dtype=np.float32)
    rows[:, 0] = np.linspace(0.9, 0.1, COUNT)
    rows[:, 1] = np.sqrt(1 - rows[:, 0] ** 2)
    return rows


QUERY = np.eye(1, DIM, dtype=np.float32)


def test_a_search_gives_no_more_than_there_is(collection: LocalCollection) -> None:
    similarities, positions = collection.search(QUERY, 100)
    assert positions.tolist() == [list(range(COUNT))]
    np.testing.assert_allclose(similarities, [vectors()[:, 0]], atol=1e-6)
    assert (collection.count(), collection.dim) == (COUNT, DIM)
    np.testing.assert_allclose(collection.mean(), vectors().mean(axis=0), atol=1e-6)


def test_what_a_filter_keeps_is_searched(collection: LocalCollection) -> None:
    matching = collection.matching({"year": {"gte": 2003}, "place": {"exists": False}})
    assert collection.search(QUERY, 2, matching.kept)[1].tolist() == [[3, 4]]
    assert collection.count(matching.kept) == 3
    assert matching.warnings == ["no image has a field 'place'"]
    assert collection.search(QUERY, 2, collection.these([1, 5]))[1].tolist() == [[1, 5]]


def test_what_must_be_said_narrows_what_is_kept(collection: LocalCollection) -> None:
    kept = collection.matching({"year": {"gte": 2002}}).kept
    named, left = collection.named('"red fox"', kept)
    assert named.rankings["caption"] == [3, 5]
    assert left is not None
    assert positions_of(left).tolist() == [3, 5]
    _, left = collection.named('"red fox"')
    assert left is not None
    assert positions_of(left).tolist() == [1, 3, 5]
    assert collection.named("fox")[1] is None
    assert collection.named("fox", kept)[1] is not None


def test_images_are_looked_up(collection: LocalCollection) -> None:
    assert [one.image_path for one in collection.get([4, 1])] == ["4.jpg", "1.jpg"]
    np.testing.assert_array_equal(collection.vectors([4, 1]), vectors()[[4, 1]])
    found = collection.find(item_id("2.jpg"))
    assert found is not None
    assert found.position == 2
    assert collection.find("2.jpg") is None
    assert collection.id_of_path("2.jpg") == item_id("2.jpg")


def test_values_are_counted_among_what_is_kept(collection: LocalCollection) -> None:
    fields = list(collection.facets(None).by_field)
    for positions in ([], [1], [0, 1]):
        kept = collection.these(positions)
        counted = collection.facets([*fields, "nothing"], kept).by_field
        assert counted["nothing"] == {"values": [], "total": 0, "missing": len(positions)}
