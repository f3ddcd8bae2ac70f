"""Finding images in a tree."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from build.errors import BuildError
from build.scan import look_up, sample, scan


def plant(root: Path, *paths: str) -> None:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"image")


def found(root: Path) -> list[str]:
    return [file.path for file in scan(root).images]


def test_images_are_found_by_suffix_in_order_of_their_paths(tmp_path: Path) -> None:
    images = [
        "B.JPG",
        "a/1.jpeg",
        "a/b/2.Png",
        "a-b.webp",
        "c.gif",
        "d.bmp",
        "e.tif",
        "f.tiff",
        "two.dots.jpg",
        "with space & 'quotes'.png",
        "日本語/猫.jpg",
        "e\u0301te\u0301.png",
    ]
    plant(tmp_path, *images, "notes.txt", "film.mp4", "jpg", "x.jpg.part", "captions.csv")
    assert found(tmp_path) == sorted(images)


def test_what_looks_like_an_image_and_is_not_read_is_counted(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "b.XCF", "c/d.xcf", "film.mp4", "notes.txt", ".hidden.mp4")
    assert scan(tmp_path).unread == {".xcf": 2, ".mp4": 1}


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", ".b.jpg", "._a.jpg", ".trash/c.jpg", "d/.e/f.jpg")
    assert found(tmp_path) == ["a.jpg"]
    plant(tmp_path, ".hidden/a.jpg")
    assert found(tmp_path / ".hidden") == ["a.jpg"]


def test_the_state_of_a_file_is_recorded(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(0, 1234567890))
    (file,) = scan(tmp_path).images
    assert (file.size, file.mtime_ns) == (7, 1234567890)
    assert file.ctime_ns > file.mtime_ns


def test_loops_of_links_are_cut(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/b").symlink_to(tmp_path / "b")
    (tmp_path / "b/a").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to("self")
    assert found(tmp_path) == ["a/1.jpg", "b/2.jpg"]


def test_linked_folders_outside_are_followed_once(tmp_path: Path) -> None:
    plant(tmp_path / "outside", "1.jpg", "deep/2.jpg")
    root = tmp_path / "root"
    plant(root, "z/3.jpg")
    (root / "b").symlink_to(tmp_path / "outside")
    (root / "a").symlink_to(tmp_path / "outside/deep")
    (root / "c").symlink_to(root / "z")
    assert found(root) == ["a/2.jpg", "b/1.jpg", "z/3.jpg"]


def test_linked_images_count_and_broken_links_are_told(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "gone.txt")
    result = scan(tmp_path)
    assert [file.path for file in result.images] == ["a.jpg", "b.jpg"]
    assert [(each.path, each.reason) for each in result.skipped] == [("c.jpg", "unreadable")]
    assert result.whole


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "folder.jpg/a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    result = scan(tmp_path)
    assert [file.path for file in result.images] == ["folder.jpg/a.jpg"]
    assert [(each.path, each.detail) for each in result.skipped] == [
        ("pipe.jpg", "no regular file")
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="platform: macOS has no such names")
def test_a_name_that_is_not_utf8_is_told_in_words_that_are(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"image")
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    plant(folder, "b.jpg")
    result = scan(tmp_path)
    assert [file.path for file in result.images] == ["a.jpg"]
    assert {each.path for each in result.skipped} == {"caf\\xe9.jpg", "\\xff/b.jpg"}
    assert {each.reason for each in result.skipped} == {"name is not UTF-8"}


def test_a_folder_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a.jpg", "closed/b.jpg")
    really = os.scandir

    def scandir(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr(os, "scandir", scandir)
    result = scan(tmp_path)
    assert [file.path for file in result.images] == ["a.jpg"]
    assert [(each.path, each.reason) for each in result.skipped] == [("closed/", "unreadable")]
    assert "Permission denied" in result.skipped[0].detail
    assert not result.whole


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    for root in (tmp_path / "nowhere", tmp_path / "a.jpg"):
        with pytest.raises(BuildError, match="is no folder"):
            scan(root)
        with pytest.raises(BuildError, match="is no folder"):
            look_up(root, [])


def test_known_paths_are_looked_up(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b.strange")
    result = look_up(tmp_path, ["a/1.jpg", "gone.jpg", "b.strange", "a", "nul\0"])
    assert [(file.path, file.size) for file in result.images] == [
        ("a/1.jpg", 7),
        ("b.strange", 7),
    ]


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    paths = [f"{number:04}.jpg" for number in range(1000)]
    chosen = sample(paths, 100, seed=1)
    assert chosen == sample(list(reversed(paths)), 100, seed=1)[::-1]
    assert chosen == sorted(chosen)
    assert len(set(chosen)) == 100
    assert len(set(chosen) & set(sample(paths, 100, seed=2))) < 40
    assert sample(paths, 5000, seed=1) == paths


def test_a_sample_of_a_grown_tree_is_mostly_the_old_one() -> None:
    paths = [f"{number:04}.jpg" for number in range(1000)]
    grown = sorted([*paths, *(f"new{number}.jpg" for number in range(50))])
    assert len(set(sample(paths, 100, seed=1)) & set(sample(grown, 100, seed=1))) >= 85
