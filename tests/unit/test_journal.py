"""What a build remembers of the one before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from build.errors import BuildError
from build.journal import Journal, Record
from build.scan import ImageFile

READING = 1
LATER = 2 * 10**18  # nanoseconds: long after any file of the tests
FILE = ImageFile("a/ä.jpg", size=1000, mtime_ns=10**18, ctime_ns=10**18)
SEEN = Record(
    b"\x01" * 32,
    width=640,
    height=480,
    vector=np.array([0.6, 0.8], dtype=np.float32),
    thumbnail=b"webp",
)
SKIPPED = Record(b"\x02" * 32, reason="truncated", detail="half of it")


def journal(folder: Path, encoder: str = "one", root: str = "/images") -> Journal:
    return Journal(folder / ".photos.journal.sqlite", encoder, Path(root))


def written(folder: Path, record: Record = SEEN, scanned_ns: int = LATER) -> None:
    with journal(folder) as first:
        first.put(FILE, record, scanned_ns)
        if record.sha256 is not None:
            first.put_said(record.sha256, READING, {"exif": {"camera": "X"}})


def test_a_record_comes_back_as_it_was_put(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        first.put(FILE, SEEN, LATER)
        first.put(replace(FILE, path="b.jpg"), SKIPPED, LATER)
    with journal(tmp_path) as second:
        found = second.get(FILE.path)
        assert found.vector is not None
        assert found.vector.tolist() == SEEN.vector.tolist()  # type: ignore[union-attr]
        assert replace(found, vector=None) == replace(SEEN, vector=None, thumbnail=None)
        assert second.thumbnail(FILE.path) == b"webp"
        assert second.thumbnail("b.jpg") is None
        assert second.get("b.jpg") == SKIPPED
        with pytest.raises(KeyError):
            second.get("c.jpg")


def test_a_file_is_known_in_the_same_state_only(tmp_path: Path) -> None:
    written(tmp_path)
    with journal(tmp_path) as second:
        assert second.knows(FILE, READING)
        for change in ({"size": 999}, {"mtime_ns": 5}, {"ctime_ns": 5}, {"path": "b.jpg"}):
            assert not second.knows(replace(FILE, **change), READING), change


@pytest.mark.parametrize("changed", ["mtime_ns", "ctime_ns"])
def test_a_file_changed_within_the_step_of_the_clock_is_not_trusted(
    tmp_path: Path, changed: str
) -> None:
    file = replace(FILE, **{changed: 10**18 + 500})
    with journal(tmp_path) as first:
        first.put(file, SEEN, scanned_ns=10**18 + 10**9)
        assert not first.knows(file, READING)
        assert first.with_content(b"\x01" * 32) is not None


def test_what_became_of_images_in_their_order(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        for path in ("ä.jpg", "Z.jpg", "\U0001f98a.jpg", "a/b.jpg", "\uffee.jpg"):
            first.put(replace(FILE, path=path), SKIPPED if path == "Z.jpg" else SEEN, LATER)
        wanted = sorted(["ä.jpg", "Z.jpg", "\U0001f98a.jpg", "\uffee.jpg"])
        assert list(first.outcomes(wanted)) == [
            ("Z.jpg", SKIPPED.sha256, "truncated", "half of it"),
            ("ä.jpg", SEEN.sha256, None, None),
            ("\uffee.jpg", SEEN.sha256, None, None),
            ("\U0001f98a.jpg", SEEN.sha256, None, None),
        ]


def test_an_unreadable_file_is_tried_again(tmp_path: Path) -> None:
    written(tmp_path, Record(None, reason="unreadable", detail="Permission denied"))
    with journal(tmp_path) as second:
        assert not second.knows(FILE, READING)
        assert second.get(FILE.path).reason == "unreadable"


def test_what_an_image_says_is_known_by_its_content(tmp_path: Path) -> None:
    written(tmp_path)
    with journal(tmp_path) as second:
        assert second.said(b"\x01" * 32, READING) == {"exif": {"camera": "X"}}
        assert second.said_by(FILE.path, READING) == {"exif": {"camera": "X"}}
        # Read in another way, or not at all, it has to be read again.
        assert second.said(b"\x01" * 32, READING + 1) is None
        assert second.said_by(FILE.path, READING + 1) == {}
        assert not second.knows(FILE, READING + 1)
        assert second.said(b"\x02" * 32, READING) is None


def test_content_is_known_under_any_path(tmp_path: Path) -> None:
    written(tmp_path)
    with journal(tmp_path) as second:
        known = second.with_content(b"\x01" * 32)
        assert known is not None
        assert known.thumbnail == b"webp"
        assert second.with_content(b"\x03" * 32) is None


def test_vectors_of_another_encoder_are_not_used(tmp_path: Path) -> None:
    written(tmp_path)
    with journal(tmp_path, encoder="two") as second:
        assert not second.knows(FILE, READING)
        assert second.with_content(b"\x01" * 32) is None


def test_times_of_another_tree_are_not_trusted(tmp_path: Path) -> None:
    written(tmp_path)
    with journal(tmp_path, root="/other") as second:
        assert not second.knows(FILE, READING)
        assert second.with_content(b"\x01" * 32) is not None


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        for path in ("a.jpg", "b.jpg", "c.jpg"):
            first.put(replace(FILE, path=path), SEEN, LATER)
        assert first.others([]) == 3
        assert first.others(["c.jpg", "a.jpg", "never.jpg"]) == 1
        assert first.get("b.jpg").width == 640
        first.keep_only(["c.jpg", "a.jpg", "never.jpg"])
        assert first.get("a.jpg").width == 640
        with pytest.raises(KeyError):
            first.get("b.jpg")


def test_what_was_committed_outlives_a_kill(tmp_path: Path) -> None:
    program = f"""
        import os, signal
        from pathlib import Path
        from tests.unit.test_journal import FILE, LATER, SEEN, journal, replace
        first = journal(Path({str(tmp_path)!r}))
        first.put(FILE, SEEN, LATER)
        first.put_said(SEEN.sha256, 1, {{}})
        first.commit()
        first.put(replace(FILE, path="b.jpg"), SEEN, LATER)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=root, check=False)
    with journal(tmp_path) as second:
        assert second.knows(FILE, READING)
        assert not second.knows(replace(FILE, path="b.jpg"), READING)


def test_a_second_build_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with journal(tmp_path), pytest.raises(BuildError, match="another build is writing"):
        journal(tmp_path)
    with journal(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"nowhere.*cannot be written"):
        journal(tmp_path / "nowhere")


@pytest.mark.parametrize("cut", [0, 100, 9000])
def test_a_damaged_journal_is_begun_anew(
    tmp_path: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path)
    path = tmp_path / ".photos.journal.sqlite"
    path.write_bytes(path.read_bytes()[:cut] + b"no longer a database" * 200)
    with journal(tmp_path) as second:
        second.put(FILE, SKIPPED, LATER)
        assert second.knows(FILE, READING)
    assert "is damaged" in capsys.readouterr().err


def test_a_journal_of_another_format_is_begun_anew(tmp_path: Path) -> None:
    written(tmp_path)
    connection = sqlite3.connect(tmp_path / ".photos.journal.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with journal(tmp_path) as second:
        assert not second.knows(FILE, READING)
