"""Embeddings, paths and tables that a user brings."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

import build.existing_embeddings
from build.embedding_files import read_vectors
from build.errors import BuildError
from build.existing_embeddings import Given, read_given
from tests.npy_files import saved


def vectors_of(given: Given, dim: int) -> NDArray[np.float32]:
    return read_vectors(given.files, np.arange(len(given.paths)), dim)


def table(file: Path, **columns: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), file)
    return file


def clip_retrieval(folder: Path, sizes: list[int], texts: bool = True) -> Path:
    """Embeddings as clip-retrieval writes them: half precision, a metadata table for each part."""
    for name in ("img_emb", "metadata", *(["text_emb"] if texts else [])):
        (folder / name).mkdir(parents=True)
    for part, size in enumerate(sizes):
        rows = np.array([[part + 1, row + 1] for row in range(size)], dtype=np.float16)
        np.save(folder / f"img_emb/img_emb_{part}.npy", rows)
        if texts:
            np.save(folder / f"text_emb/text_emb_{part}.npy", rows[:, ::-1])
        keys = [f"{part:05}{row:04}" for row in range(size)]
        table(
            folder / f"metadata/metadata_{part}.parquet",
            image_path=keys,
            caption=[f"Image {key}" for key in keys],
            url=[f"https://example.org/{key}.jpg" for key in keys],
            key=keys,
            status=["success"] * size,
            error_message=[None] * size,
            sha256=["0" * 64] * size,
        )
    return folder


def test_vectors_and_paths_must_be_as_many(tmp_path: Path) -> None:
    (tmp_path / "paths.txt").write_text("a\nb\n")
    with pytest.raises(BuildError, match="3 vectors, but there are 2 paths"):
        read_given(saved(tmp_path, np.ones((3, 2))), tmp_path / "paths.txt", None, 2)
    (tmp_path / "paths.txt").write_text("")
    with pytest.raises(BuildError, match="holds no vectors"):
        read_given(saved(tmp_path, np.ones((0, 2))), tmp_path / "paths.txt", None, 2)


def test_a_table_has_paths_captions_and_what_else_is_known(tmp_path: Path) -> None:
    day = int(datetime(2019, 7, 4, 12, 30, tzinfo=UTC).timestamp())
    paths = table(
        tmp_path / "year=1999" / "p.parquet",
        __index_level_0__=[7, 8, 9],
        file_name=["b\\1.jpg", "/data/2.jpg", "https://example.org/3.jpg"],
        text=["A  fox", None, ""],
        year=[1999.5, float("nan"), None],
        tags=[["fox", "Zu\u0308rich"], [], None],
        # With a nanosecond, of which Python's own times know nothing.
        taken=pyarrow.array([day * 10**9 + 1] * 3, pyarrow.timestamp("ns", "UTC")),
        price=[Decimal("1.25"), None, None],
        jpg=[b"\xff\xd8"] * 3,
        image=[{"bytes": b"\xff", "path": "x"}] * 3,
        alt_text=["A red fox", None, None],
    )
    given = read_given(saved(tmp_path, np.ones((3, 2))), paths, None, 2)
    taken = {"taken": "2019-07-04T12:30:00+00:00"}
    assert given.paths == ["b/1.jpg", "data/2.jpg", "https://example.org/3.jpg"]
    assert given.said == {
        "b/1.jpg": {
            "caption": "A fox",
            "alt_text": "A red fox",
            "year": 1999.5,
            "tags": ["fox", "Z\u00fcrich"],
            "price": 1.25,
            **taken,
        },
        "data/2.jpg": {"tags": [], **taken},
        "https://example.org/3.jpg": taken,
    }
    assert given.queries is None


def test_a_table_of_addresses_names_images_by_them(tmp_path: Path) -> None:
    paths = table(tmp_path / "p.parquet", url=["https://x/1.jpg"], caption=["A fox"])
    given = read_given(saved(tmp_path, np.ones((1, 2))), paths, None, 2)
    assert given.said == {"https://x/1.jpg": {"caption": "A fox"}}


def test_what_clip_retrieval_has_written_needs_nothing_beside_it(tmp_path: Path) -> None:
    # Eleven parts: by name the tenth would come second.
    given = read_given(clip_retrieval(tmp_path / "e", [2] * 11), None, None, 2)
    assert given.paths[2:4] == ["000010000", "000010001"]
    assert given.said["000100001"] == {
        "caption": "Image 000100001",
        "url": "https://example.org/000100001.jpg",
    }
    rows = np.array([[part + 1, row + 1] for part in range(11) for row in range(2)])
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors_of(given, 2), unit, atol=1e-6)
    assert given.queries is not None
    np.testing.assert_allclose(given.queries, unit[:, ::-1], atol=1e-6)


def test_of_very_many_texts_some_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.existing_embeddings, "MOST_TEXTS", 5)
    given = read_given(clip_retrieval(tmp_path / "e", [2] * 11), None, None, 2)
    assert given.queries is not None
    assert given.queries.shape == (5, 2)
    assert len(np.unique(given.queries, axis=0)) == 5


def test_its_parts_may_lie_in_one_folder_and_paths_come_from_elsewhere(tmp_path: Path) -> None:
    np.save(tmp_path / "img_emb_07.npy", np.ones((2, 2), dtype=np.float16))
    with pytest.raises(BuildError, match="--embeddings needs --paths"):
        read_given(tmp_path, None, None, 2)
    (tmp_path / "paths.txt").write_text("a.jpg\nb.jpg\n")
    assert read_given(tmp_path, tmp_path / "paths.txt", None, 2).paths == ["a.jpg", "b.jpg"]
    table(tmp_path / "metadata_07.parquet", image_path=["/p/c.jpg", "/p/d.jpg"])
    assert read_given(tmp_path, None, Path("/p"), 2).paths == ["c.jpg", "d.jpg"]


def test_parts_that_do_not_fit_are_told(tmp_path: Path) -> None:
    folder = clip_retrieval(tmp_path / "e", [2, 3], texts=False)
    repeating = {"image_path": ["x", "000000001", "y"], "caption": ["", "", ""]}
    table(folder / "metadata/metadata_1.parquet", **repeating)
    with pytest.raises(
        BuildError, match=r"_1\.parquet: row 1 repeats row 1 of .*_0\.parquet: 000000001"
    ):
        read_given(folder, None, None, 2)
    table(folder / "metadata/metadata_1.parquet", image_path=["x"])
    with pytest.raises(BuildError, match=r"img_emb_1\.npy holds 3 vectors, but there are 1 paths"):
        read_given(folder, None, None, 2)
    (folder / "metadata/metadata_1.parquet").unlink()
    with pytest.raises(BuildError, match="there is img_emb_1, but no metadata_1"):
        read_given(folder, None, None, 2)
    with pytest.raises(BuildError, match=r"holds no img_emb/img_emb_0\.npy"):
        read_given(folder / "metadata", None, None, 2)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"caption": ["A fox"]}, "has no column image_path, file_name, path or url"),
        ({"path": [None]}, "row 0 has no path"),
        ({"path": [1]}, "row 0 has no path"),
        ({"path": ["../a.jpg"]}, r"row 0 names no image in the folder: \.\./a\.jpg"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(
    tmp_path: Path, columns: dict[str, Any], told: str
) -> None:
    with pytest.raises(BuildError, match=told):
        read_given(
            saved(tmp_path, np.ones((1, 2))), table(tmp_path / "p.parquet", **columns), None, 2
        )


def test_a_table_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = saved(tmp_path, np.ones((1, 2)))
    with pytest.raises(BuildError, match=r"gone\.parquet cannot be read"):
        read_given(vectors, tmp_path / "gone.parquet", None, 2)
    whole = table(tmp_path / "p.parquet", path=["a.jpg"])
    whole.write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(BuildError, match=r"p\.parquet is no whole parquet file"):
        read_given(vectors, whole, None, 2)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BuildError, match=r"pip install -r requirements/parquet\.txt"):
        read_given(vectors, whole, None, 2)
