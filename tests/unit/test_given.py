"""Vectors and paths that a user brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from build.errors import BuildError
from build.given import check_fit, read_paths, read_vectors


def saved(folder: Path, rows: Any) -> Path:
    file = folder / "x.npy"
    np.save(file, rows, allow_pickle=True)
    return file


def listed(folder: Path, content: bytes | str) -> Path:
    file = folder / "paths.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
def test_vectors_are_scaled_to_length_one(tmp_path: Path, kind: Any) -> None:
    rows = read_vectors(saved(tmp_path, np.array([[3, 4], [0.5, 0], [-600, 800]], dtype=kind)), 2)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [1, 0], [-0.6, 0.8]], atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (np.ones(4), r"shape \[4\]"),
        (np.ones((2, 2, 2)), r"shape \[2, 2, 2\]"),
        (np.ones((2, 2), dtype=int), "int64"),
        (np.ones((2, 3)), "3 wide, but the model's are 2 wide"),
        ([[1, 2], [np.nan, 1], [np.inf, 1]], r"row 1 \(and 1 others\) is not finite"),
        ([[1, 2], [1, 2], [1e300, 1]], "row 2 is not finite"),
        ([[1.0, 2], [0, 0]], "row 1 is zero"),
        (np.array([[object()]]), r"no \.npy file of numbers"),
    ],
)
def test_what_cannot_be_searched_for_is_told(tmp_path: Path, rows: Any, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        read_vectors(saved(tmp_path, rows), 2)


def test_what_is_no_npy_file_is_told(tmp_path: Path) -> None:
    for content in (b"", b"1,2\n3,4\n", b"\x93NUMPY"):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(BuildError, match=r"x\.npy is no \.npy file"):
            read_vectors(tmp_path / "x.npy", 2)
    with pytest.raises(BuildError, match="No such file"):
        read_vectors(tmp_path / "gone.npy", 2)
    np.savez(tmp_path / "several.npz", a=np.ones((2, 2)))
    with pytest.raises(BuildError, match="several arrays"):
        read_vectors(tmp_path / "several.npz", 2)


def test_paths_of_any_system_become_relative(tmp_path: Path) -> None:
    text = "\ufeffa\\b\\1.jpg\r\n./c//2.jpg\r\n/data/3.jpg\r\nwith space .png\n日本語\u2028.jpg\n\n"
    assert read_paths(listed(tmp_path, text), None) == [
        "a/b/1.jpg",
        "c/2.jpg",
        "data/3.jpg",
        "with space .png",
        "日本語\u2028.jpg",
    ]


def test_paths_under_the_folder_of_the_pictures_become_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real/photos/photos").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real/photos/photos/deep.jpg").touch()
    text = f"{tmp_path}/real/photos/a.jpg\n{tmp_path}/real/photos/b.jpg\nphotos/c.jpg\n"
    file = listed(tmp_path, text + "photos\\deep.jpg\nd.jpg")
    monkeypatch.chdir(tmp_path / "link")
    expected = ["a.jpg", "b.jpg", "c.jpg", "photos/deep.jpg", "d.jpg"]
    assert read_paths(file, Path("photos")) == expected
    file.write_text(f"{tmp_path}/link/photos/a.jpg\n{tmp_path}/real/photos/b.jpg\n")
    assert read_paths(file, tmp_path / "link/photos") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.jpg\n\nb.jpg\n", "line 2 is empty"),
        ("a.jpg\nb.jpg\n.\\a.jpg\n", r"line 3 repeats line 1: a\.jpg"),
        ("a.jpg\n../b.jpg\n", r"line 2 names no picture in the folder: \.\./b\.jpg"),
        ("a/..\n", "line 1 names no picture"),
        (b"a.jpg\ncaf\xe9.jpg\n", "not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_path_is_told(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(BuildError, match=told):
        read_paths(listed(tmp_path, text), None)


def test_vectors_and_paths_must_be_as_many() -> None:
    vectors = np.ones((3, 2), dtype=np.float32)
    check_fit(vectors, ["a", "b", "c"], Path("x.npy"))
    with pytest.raises(BuildError, match="3 vectors, but there are 2 paths"):
        check_fit(vectors, ["a", "b"], Path("x.npy"))
