"""Candidates of an evaluation, by their embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from build.candidates import Images


def images(
    vectors: list[list[float]],
    captions: list[str | None],
    paths: list[str] | None = None,
    root: Path = Path("images"),
) -> Images:
    rows = np.array(vectors, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    paths = paths or [f"{row}.png" for row in range(len(rows))]
    return Images(root, paths, rows, captions, [])
