"""What of a tree is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.choice import Choice
from build.errors import BuildError
from build.scan import scan
from tests.unit.test_scan import plant


def found(root: Path, **options: list[str]) -> list[str]:
    return [file.path for file in scan(root, **options).images]


@pytest.mark.parametrize(
    "folder",
    [
        *("@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information"),
        *("lost+found", "__MACOSX", "Catalog Previews.lrdata", ".thumbnails", "deep/@EADIR"),
    ],
)
def test_what_systems_and_programs_leave_is_no_image(tmp_path: Path, folder: str) -> None:
    plant(tmp_path, "a.jpg", f"{folder}/b.jpg", f"{folder}/c/d.jpg", f"{folder}/film.mp4")
    assert found(tmp_path) == ["a.jpg"]
    assert not scan(tmp_path).unread


def test_what_is_excluded_is_left_out(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "b.tif", "raw/c.jpg", "x/raw/d.jpg", "x/e.tif", "x/film.mp4")
    assert found(tmp_path, exclude=["*.tif"]) == ["a.jpg", "raw/c.jpg", "x/raw/d.jpg"]
    assert found(tmp_path, exclude=["/raw/"]) == ["a.jpg", "b.tif", "x/e.tif", "x/raw/d.jpg"]
    assert found(tmp_path, exclude=["raw", "x/*.tif"]) == ["a.jpg", "b.tif"]
    assert found(tmp_path, exclude=["*", "!a.jpg"]) == ["a.jpg"]
    assert not scan(tmp_path, exclude=["*.mp4"]).unread


def test_what_is_included_is_all(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "b.tif", "x/c.jpg", "y/d.jpg")
    assert found(tmp_path, include=["*.jpg"]) == ["a.jpg", "x/c.jpg", "y/d.jpg"]
    assert found(tmp_path, include=["/x/"]) == ["x/c.jpg"]
    assert found(tmp_path, include=["*.jpg"], exclude=["y"]) == ["a.jpg", "x/c.jpg"]


def test_a_tree_says_itself_what_is_left_out(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "b.jpg", "x/c.jpg")
    (tmp_path / ".sightlineignore").write_bytes(b"\xef\xbb\xbf# not these\r\nb.*\r\n\r\nx/\r\n")
    assert found(tmp_path) == ["a.jpg"]
    # What comes later counts.
    assert found(tmp_path, exclude=["!b.jpg"]) == ["a.jpg", "b.jpg"]


def test_what_makes_no_sense_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="--exclude: a pattern makes no sense"):
        Choice(tmp_path, exclude=["a", "!"])
    (tmp_path / ".sightlineignore").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BuildError, match=r"\.sightlineignore cannot be read"):
        Choice(tmp_path)
