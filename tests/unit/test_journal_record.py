"""Records of images as rows hold them."""

from __future__ import annotations

import numpy as np

from build.journal_record import COLUMNS, Record, record_of


def test_a_row_of_its_columns_and_a_thumbnail_is_a_record() -> None:
    row = {
        "sha256": b"1",
        "width": 640,
        "height": 480,
        "vector": np.array([0.5, -2], dtype="<f4").tobytes(),
        "reason": None,
        "detail": None,
    }
    assert ", ".join(row) == COLUMNS
    record = record_of((*row.values(), b"webp"))
    assert record.vector is not None
    assert record.vector.dtype == np.float32
    assert record.vector.tolist() == [0.5, -2]
    assert (record.sha256, record.width, record.height) == (b"1", 640, 480)
    assert (record.thumbnail, record.reason, record.detail) == (b"webp", None, None)


def test_one_of_an_image_that_was_skipped_has_no_vector() -> None:
    row = (b"2", None, None, None, "truncated", "half of it", None)
    assert record_of(row) == Record(b"2", reason="truncated", detail="half of it")
