"""What is told of files that look like images and are not read, and which images become rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from build.archives import Archives
from build.found_images import Found, told_unread, with_vectors
from build.journal import Journal
from build.journal_record import Record
from build.scan import ImageFile


def test_the_most_are_told_first_and_how_they_could_be_read() -> None:
    told = told_unread(Counter({".mp4": 2, ".avi": 2, ".jxl": 3}))
    assert told.startswith("3 .jxl")
    assert told.endswith("2 .avi, 2 .mp4")
    assert told_unread(Counter()) == ""


def test_rows_are_in_the_order_of_the_paths(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite", "one", None) as journal:
        for number, path in enumerate(("b.jpg", "a.jpg"), start=1):
            vector = np.array([number, 0], dtype=np.float32)
            record = Record(bytes([number]) * 32, width=number, height=9, vector=vector)
            journal.put(ImageFile(path, size=1, mtime_ns=1, ctime_ns=1), record, 0)
        sizes: list[tuple[int, int] | None] = [(2, 9), (1, 9)]
        unread = Counter({".mp4": 1})
        found = Found(["a.jpg", "b.jpg"], [], sizes, [], 1, unread, 4, Archives(tmp_path))
        images = with_vectors(found.images(2), journal)
    assert images.vectors.tolist() == [[2, 0], [1, 0]]
    assert images.vectors.dtype == np.float32
    assert images.sizes == [(2, 9), (1, 9)]
    assert (images.reused, images.unread, images.gone) == (1, {".mp4": 1}, 4)
    assert images.archives is found.archives
