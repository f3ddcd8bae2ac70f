"""Searches that compare with every vector."""

from __future__ import annotations

import faiss
import numpy as np

from models.exact import own_vectors


def test_the_vectors_of_an_index_outlive_whoever_held_it() -> None:
    vectors = np.random.default_rng(0).standard_normal((2000, 64), dtype=np.float32)
    for _ in range(20):
        index = faiss.IndexFlatIP(64)
        index.add(vectors)
        embeddings = own_vectors(index)
        del index
        # Takes the memory of what was let go.
        others = [np.full_like(vectors, 7) for _ in range(4)]
        assert np.array_equal(embeddings.rows(np.arange(2000)), vectors)
        del others
