"""The file of a journal: what is begun anew, what stays and who has to wait."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from build.journal_file import open_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal that knows the look of one image."""
    path = tmp_path / ".photos.journal.sqlite"
    with closing(open_journal(path)) as journal:
        journal.execute("INSERT INTO looks VALUES (?, ?)", (b"sha256", b"look"))
        journal.commit()
    return path


def looks(path: Path) -> list[tuple[bytes, bytes]]:
    with closing(open_journal(path)) as journal:
        return journal.execute("SELECT * FROM looks").fetchall()


def test_a_whole_one_is_as_it_was_left(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert looks(path) == [(b"sha256", b"look")]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("cut", [0, 100, 9000])
def test_a_damaged_journal_is_begun_anew(
    path: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(path.read_bytes()[:cut] + b"no longer a database" * 200)
    assert looks(path) == []
    assert f"{path} is damaged" in capsys.readouterr().err


def test_a_journal_of_another_format_is_begun_anew(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    assert looks(path) == []
    assert capsys.readouterr().err == ""


def test_tables_that_came_later_are_added(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE archives")
    assert looks(path) == [(b"sha256", b"look")]
    with closing(open_journal(path)) as journal:
        assert journal.execute("SELECT * FROM archives").fetchall() == []


def test_it_is_locked_until_it_is_closed(path: Path) -> None:
    with (
        closing(open_journal(path)),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        open_journal(path)
    open_journal(path).close()
