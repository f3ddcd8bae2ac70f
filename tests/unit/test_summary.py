"""What is known of all images, beside a service whose collection lies elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from models.checksums import record_files
from models.database import Database
from models.file_names import ITEMS, SUMMARY
from models.folder import Folder
from models.item_writer import write_items
from models.items import Item, item_id
from models.summary import Summary, write_summary
from tests.unit.test_items import opened


def items(folder: Path) -> Path:
    names = ["a penguin", "a walrus", "a penguin"]
    write_items(
        folder / ITEMS,
        [
            Item(at, item_id(f"{at}"), f"{at}", 4, 3, said, "", metadata={"kind": said})
            for at, said in enumerate(names)
        ],
        ["zebra"],
    )
    return folder / ITEMS


def summary(folder: Path) -> Summary:
    write_summary(folder / SUMMARY, folder / ITEMS)
    files = Folder(folder)
    files.open(record_files(folder, [SUMMARY]))
    return Summary(Database(files, SUMMARY))


def test_it_says_what_the_items_say(tmp_path: Path) -> None:
    items(tmp_path)
    found = summary(tmp_path)
    store = opened(tmp_path)
    assert found.facets() == store.facets(None).by_field
    assert found.facets()["kind"]["values"][0] == {"value": "a penguin", "count": 2}
    assert found.meant("zerba", lambda word: False) == "zebra"
    found.close()
    with closing(sqlite3.connect(tmp_path / SUMMARY)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {name for (name,) in tables} == {"facets", "terms"}


def test_a_bundle_from_before_there_were_terms_has_none(tmp_path: Path) -> None:
    with closing(sqlite3.connect(items(tmp_path))) as connection, connection:
        connection.execute("DROP TABLE terms")
    found = summary(tmp_path)
    assert found.facets()
    assert found.meant("zerba", lambda word: False) is None
