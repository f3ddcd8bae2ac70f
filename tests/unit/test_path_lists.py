"""The paths that a file lists, as a bundle has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import BuildError
from build.path_lists import read_paths


def listed(folder: Path, text: bytes | str, root: Path | None = None) -> list[str]:
    """The paths of a file with so many lines."""
    (folder / "paths.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_paths(folder / "paths.txt", root)


def test_paths_of_any_system_become_relative(tmp_path: Path) -> None:
    text = "\ufeffa\\b\\1.jpg\r\n./c//2.jpg\r\n/data/3.jpg\r\nwith space .png\n日本語\u2028.jpg\n\n"
    assert listed(tmp_path, text) == [
        "a/b/1.jpg",
        "c/2.jpg",
        "data/3.jpg",
        "with space .png",
        "日本語\u2028.jpg",
    ]


def test_paths_under_the_folder_of_the_images_become_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real/photos/photos").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real/photos/photos/deep.jpg").touch()
    text = f"{tmp_path}/real/photos/a.jpg\n{tmp_path}/real/photos/b.jpg\nphotos/c.jpg\n"
    text += "photos\\deep.jpg\nd.jpg"
    monkeypatch.chdir(tmp_path / "link")
    expected = ["a.jpg", "b.jpg", "c.jpg", "photos/deep.jpg", "d.jpg"]
    assert listed(tmp_path, text, Path("photos")) == expected
    text = f"{tmp_path}/link/photos/a.jpg\n{tmp_path}/real/photos/b.jpg\n"
    assert listed(tmp_path, text, tmp_path / "link/photos") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.jpg\n\nb.jpg\n", "line 2 is empty"),
        ("a.jpg\nb.jpg\n.\\a.jpg\n", r"line 3 repeats line 1: a\.jpg"),
        ("a.jpg\n../b.jpg\n", r"line 2 names no image in the folder: \.\./b\.jpg"),
        ("a/..\n", "line 1 names no image"),
        (b"a.jpg\ncaf\xe9.jpg\n", "not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_path_is_told(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        listed(tmp_path, text)


def test_addresses_stay_as_they_are(tmp_path: Path) -> None:
    text = "https://example.org/a//b/../c.jpg?x=1\\2\r\ns3://bucket/a.jpg\nC:\\d\\e.jpg\n"
    expected = ["https://example.org/a//b/../c.jpg?x=1\\2", "s3://bucket/a.jpg", "C:/d/e.jpg"]
    assert listed(tmp_path, text) == expected
