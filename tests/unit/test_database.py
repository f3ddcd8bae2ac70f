"""Files that are written once: what is read of them is what was written, or nothing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.database import Database, SlowQueryError, checksum, new_database, with_checksum
from models.folder import Folder
from models.manifest import DamagedError, record_files
from models.thumbnails import ThumbnailStore, write_thumbnails

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def opened(folder: Path, name: str, *, in_memory: bool = True) -> Database:
    files = Folder(folder)
    files.open(record_files(folder, [name]))
    return Database(files, name, files.read(name) if in_memory else None)


@pytest.fixture(params=[True, False], ids=["in memory", "on disk"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Database:
    with new_database(tmp_path / "some.sqlite") as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER, checksum INTEGER)")
        connection.executemany(
            "INSERT INTO numbers VALUES (?, ?)", (with_checksum((n,)) for n in range(1000))
        )
    return opened(tmp_path, "some.sqlite", in_memory=request.param)


def test_what_takes_too_long_is_given_up_and_the_next_is_answered(database: Database) -> None:
    with ThreadPoolExecutor(20) as pool:
        for slow in [
            pool.submit(database.rows, ENDLESS, deadline=time.monotonic() + 0.05) for _ in range(20)
        ]:
            with pytest.raises(SlowQueryError):
                slow.result()
    assert database.rows("SELECT count(*) FROM numbers") == [(1000,)]
    assert database.rows("SELECT count(*) FROM numbers, numbers") == [(1000**2,)]


def test_nobody_can_write(database: Database) -> None:
    before = database.rows("SELECT * FROM numbers")
    for statement in ("DELETE FROM numbers", "DROP TABLE numbers"):
        with pytest.raises(DamagedError, match=r"some\.sqlite"):
            database.rows(statement)
    assert database.rows("SELECT * FROM numbers") == before


def test_a_file_that_was_replaced_meanwhile_is_not_opened(tmp_path: Path) -> None:
    write_thumbnails(tmp_path / "some.sqlite", [(0, b"old")])
    files = Folder(tmp_path)
    files.open(record_files(tmp_path, ["some.sqlite"]))
    write_thumbnails(tmp_path / "other.sqlite", [(0, b"new")])
    (tmp_path / "other.sqlite").rename(tmp_path / "some.sqlite")
    with pytest.raises(DamagedError, match="was replaced while it was being opened"):
        Database(files, "some.sqlite")
    assert (
        ThumbnailStore(Database(files, "some.sqlite", files.read("some.sqlite"))).get(0) == b"old"
    )


def test_thumbnails_come_back_as_they_went_in(tmp_path: Path) -> None:
    images = {0: b"", 7: bytes(range(256)) * 100, 8: b"\xff"}
    write_thumbnails(tmp_path / "thumbnails.sqlite", images.items())
    thumbnails = ThumbnailStore(opened(tmp_path, "thumbnails.sqlite"))
    assert {position: thumbnails.get(position) for position in images} == images
    assert thumbnails.get(1) is None


values = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary() | st.floats()


@given(st.lists(values, min_size=1), st.data())
def test_a_changed_value_changes_the_checksum(row: list[object], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(row) - 1))
    other = [*row]
    other[place] = data.draw(values.filter(lambda value: repr(value) != repr(row[place])))
    assert checksum(row) == checksum([*row])
    assert checksum(row) != checksum(other)
