"""Candidates of an evaluation, by their embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from build.candidates import Pictures


def pictures(
    vectors: list[list[float]],
    captions: list[str | None],
    paths: list[str] | None = None,
    root: Path = Path("pictures"),
) -> Pictures:
    rows = np.array(vectors, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    paths = paths or [f"{row}.png" for row in range(len(rows))]
    return Pictures(root, paths, rows, captions, [])
