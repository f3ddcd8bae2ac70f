"""Files of embeddings, read in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from build.embedding_files import VectorFile, read_vectors
from build.errors import BuildError
from tests.npy_files import saved


def all_rows(file: Path, dim: int) -> NDArray[np.float32]:
    source = VectorFile(file, dim)
    return read_vectors([source], np.arange(len(source)), dim)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4"])
def test_vectors_are_scaled_to_length_one(tmp_path: Path, kind: Any) -> None:
    rows = all_rows(saved(tmp_path, np.array([[3, 4], [0.5, 0], [-600, 800]], dtype=kind)), 2)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [1, 0], [-0.6, 0.8]], atol=1e-6)


def rows_of_any_length(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(count).standard_normal((count, 24)) * 5


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_what_is_read_in_parts_is_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, order: Any
) -> None:
    rows = np.asarray(rows_of_any_length(100), dtype=kind, order=order)
    whole = rows.astype(np.float32)
    whole = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    monkeypatch.setattr("build.embedding_files._AT_ONCE", 7)
    assert (all_rows(saved(tmp_path, rows), 24) == whole).all()


def test_rows_of_several_files_come_in_the_order_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("build.embedding_files._AT_ONCE", 7)
    files, parts = [], []
    for count in (30, 1, 20):
        np.save(tmp_path / f"{count}.npy", rows_of_any_length(count))
        files.append(VectorFile(tmp_path / f"{count}.npy", 24))
        parts.append(all_rows(tmp_path / f"{count}.npy", 24))
    some = np.random.default_rng(0).permutation(51)[:40]
    assert (read_vectors(files, some, 24) == np.concatenate(parts)[some]).all()


def test_bad_rows_of_all_parts_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("build.embedding_files._AT_ONCE", 7)
    rows = rows_of_any_length(50)
    rows[3] = 0
    rows[[20, 40, 49]] = np.nan
    with pytest.raises(BuildError, match=r"row 20 \(and 2 others\) is not finite"):
        all_rows(saved(tmp_path, rows), 24)


def test_vectors_of_length_one_stay_as_they_are(tmp_path: Path) -> None:
    first = all_rows(saved(tmp_path, np.random.default_rng(0).standard_normal((500, 24))), 24)
    assert (all_rows(saved(tmp_path, first), 24) == first).all()


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
        all_rows(saved(tmp_path, rows), 2)


def test_what_is_no_npy_file_is_told(tmp_path: Path) -> None:
    for content in (b"", b"1,2\n3,4\n", b"\x93NUMPY"):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(BuildError, match=r"x\.npy is no \.npy file"):
            all_rows(tmp_path / "x.npy", 2)
    with pytest.raises(BuildError, match="No such file"):
        all_rows(tmp_path / "gone.npy", 2)
    np.savez(tmp_path / "several.npz", a=np.ones((2, 2)))
    with pytest.raises(BuildError, match="several arrays"):
        all_rows(tmp_path / "several.npz", 2)
