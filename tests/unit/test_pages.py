"""Of a mapped file no more is read than what is needed."""

from __future__ import annotations

import mmap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.checksums import record_files
from models.embeddings import Embeddings
from models.file_names import EMBEDDINGS, ROW_CHECKSUMS
from models.folder import Folder
from models.pages import Pages, runs

PAGE = mmap.PAGESIZE
WIDTH = 512


@given(st.lists(st.integers(0, 40 * PAGE), min_size=1, max_size=30), st.integers(1, 3 * PAGE))
def test_the_runs_are_the_pages_of_the_stretches_and_no_others(
    starts: list[int], width: int
) -> None:
    needed = {
        page for start in starts for page in range(start // PAGE, (start + width - 1) // PAGE + 1)
    }
    found = runs(np.array(starts), width)
    assert all(first % PAGE == last % PAGE == 0 for first, last in found)
    assert [page for first, last in found for page in range(first // PAGE, last // PAGE)] == sorted(
        needed
    )
    # Those that follow one another are asked for in one go.
    assert all(before[1] < after[0] for before, after in pairwise(found))


class Asked(mmap.mmap):
    """Writes down what is asked for."""

    stretches: list[tuple[int, int]]
    whole: list[int]

    def madvise(self, option: int, start: int = 0, length: int | None = None) -> None:
        if length is None:
            self.whole.append(option)
        if option == mmap.MADV_WILLNEED and length is not None:
            self.stretches.append((start, length))
        super().madvise(option, *(() if length is None else (start, length)))


@pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="this system takes no such advice")
def test_each_row_is_asked_for_once_the_last_one_too(tmp_path: Path) -> None:
    rows = np.zeros((100, WIDTH), dtype="<f4")
    (tmp_path / "x").write_bytes(b"head" + rows.tobytes())
    with (tmp_path / "x").open("rb") as stream:
        mapped = Asked(stream.fileno(), 0, access=mmap.ACCESS_READ)
    mapped.stretches, mapped.whole = [], []
    pages = Pages(mapped, rows)
    assert mapped.whole == [mmap.MADV_RANDOM]
    pages.fetch(np.array([99, 0]))
    row = 4 * WIDTH
    end = (4 + 100 * row - 1) // PAGE + 1
    assert mapped.stretches == [(0, PAGE), ((4 + 99 * row) // PAGE * PAGE, mapped.stretches[1][1])]
    assert sum(mapped.stretches[1]) == end * PAGE
    pages.fetch(np.array([0, 99, 0]))
    assert len(mapped.stretches) == 2
    pages.fetch(np.array([], dtype=np.int64))
    pages.fetch(np.arange(40, 60))
    assert len(mapped.stretches) == 3
    mapped.close()


@pytest.mark.parametrize("advised", [True, False])
def test_the_rows_of_a_mapped_file_are_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, advised: bool
) -> None:
    monkeypatch.setattr("models.folder.IN_MEMORY_UP_TO", 0)
    if not advised:
        monkeypatch.setattr("models.pages._CAN_ADVISE", False)
    vectors = np.eye(WIDTH, dtype=np.float32).repeat(20, axis=0)
    Embeddings(vectors).save(tmp_path)
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, (EMBEDDINGS, ROW_CHECKSUMS)))
    loaded = Embeddings.load(folder)
    at = np.array([5, 5000, len(vectors) - 1])
    assert (loaded.rows(at) == vectors[at]).all()
    assert loaded.products(vectors[5000], at).tolist() == [0, 1, 0]
    folder.close()
