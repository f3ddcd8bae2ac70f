"""Files that are written once: what is read of them is what was written, or nothing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.checksums import record_files
from models.damage import DamagedError
from models.database import Database, SlowQueryError, checksum, new_database, with_checksum
from models.folder import Folder
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


def test_what_is_wrong_is_told_with_the_file(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite"
    with pytest.raises(DamagedError) as damaged:
        database.rows("SELECT * FROM nowhere")
    assert str(damaged.value) == (f"{path} cannot be read: no such table: nowhere. Build it again.")
    with pytest.raises(DamagedError) as damaged:
        list(database.whole_rows("SELECT n, n + 1 FROM numbers"))
    assert str(damaged.value) == f"{path} is damaged: a row of it. Build it again."
    for seconds in (-1.0, 0.05):
        with pytest.raises(SlowQueryError, match=r"^it takes too long$"):
            database.rows(ENDLESS, deadline=time.monotonic() + seconds)
    files = Folder(tmp_path)
    files.open(record_files(tmp_path, ["some.sqlite"]))
    for content, said in [(b"", "it is empty"), (b"x" * 4096, "file is not a database")]:
        with pytest.raises(DamagedError) as damaged:
            Database(files, "some.sqlite", content)
        assert str(damaged.value) == f"{path} cannot be read: {said}. Build it again."
    path.write_bytes(b"x" * 4096)
    with pytest.raises(DamagedError, match="file is not a database"):
        opened(tmp_path, "some.sqlite", in_memory=False)


def test_rows_are_given_without_their_checksum(database: Database) -> None:
    rows = list(database.whole_rows("SELECT * FROM numbers WHERE n < ?", [3]))
    assert rows == [(0,), (1,), (2,)]
    assert with_checksum((1, "a")) == (1, "a", checksum((1, "a")))


def test_eight_threads_read_a_file_at_once(tmp_path: Path) -> None:
    write_thumbnails(tmp_path / "some.sqlite", [(0, b"x")])
    for in_memory, connections in [(False, 8), (True, 1)]:
        database = opened(tmp_path, "some.sqlite", in_memory=in_memory)
        assert database._free.qsize() == connections
        database.close()
        assert database._free.empty()


def test_writing_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    with new_database(tmp_path / "new.sqlite") as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER, checksum INTEGER)")
        connection.execute("INSERT INTO numbers VALUES (1, 2)")
        assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]
        assert connection.execute("PRAGMA synchronous").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("off",)
    assert opened(tmp_path, "new.sqlite").rows("SELECT * FROM numbers") == [(1, 2)]
