"""Search by the vectors themselves: in a flat index of FAISS, or among some images."""

from __future__ import annotations

import faiss
import numpy as np

from models.embeddings import Embeddings, Positions, Vectors
from models.ranking import DECIMALS, best_of, stacked

# How many more than the k best are looked at, to see where those end that equal the last.
_MARGIN = 12


def all_compared(flat: faiss.IndexFlat, queries: Vectors, k: int) -> tuple[Vectors, Positions]:
    """The best of all images for each query: cosines float32 and positions int64, ``[n, k]``.

    Compared again, vector by vector: the last bits of FAISS's own scores depend on how many
    queries there are.  All queries in one go: to settle each by itself would take longer than to
    search for it.
    """
    count = flat.ntotal
    depth = min(k + _MARGIN, count)
    while True:
        _, named = flat.search(queries, depth)
        scores = np.empty(named.shape, dtype=np.float32)
        flat.compute_distance_subset(
            len(queries),
            faiss.swig_ptr(np.ascontiguousarray(queries)),
            depth,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(named),
        )
        by_product = flat.metric_type == faiss.METRIC_INNER_PRODUCT
        cosines = scores if by_product else 1 - scores / 2
        rounded = np.round(cosines, DECIMALS)
        # Which of equals FAISS names is chance: there must be one less near than the k-th.
        if depth == count or (np.partition(rounded, -k)[:, -k] > rounded.min(axis=1)).all():
            break
        depth = min(4 * depth, count)
    order = np.lexsort((named, -rounded), axis=-1)[:, :k]
    best = np.take_along_axis(cosines, order, -1)
    return stacked(list(zip(best, np.take_along_axis(named, order, -1), strict=True)), k)


def some_compared(
    embeddings: Embeddings, query: Vectors, k: int, positions: Positions
) -> tuple[Vectors, Positions]:
    """The best ``k`` of the images at some positions: cosines float32 and positions, best first."""
    return best_of(embeddings.products(query, positions), positions, k)


def own_vectors(flat: faiss.IndexFlat) -> Embeddings:
    """The vectors of a flat index, where they lie in it."""
    rows = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    return Embeddings(rows.reshape(flat.ntotal, flat.d), owner=flat)
