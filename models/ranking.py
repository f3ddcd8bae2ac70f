"""The best of what was compared, in an order that does not depend on what else is asked."""

from __future__ import annotations

import numpy as np

from models.embeddings import Positions, Vectors

# Of a similarity; what differs behind these counts as equal.
DECIMALS = 6


def best_of(cosines: Vectors, found: Positions, k: int) -> tuple[Vectors, Positions]:
    """The ``k`` best of some images in an order that does not depend on the batch.

    FAISS takes another kernel for a single query than for many, so the last bits of a score
    vary: what differs only there counts as equal, and the lower position comes first.
    """
    rounded = np.round(cosines, DECIMALS)
    if k < len(rounded):
        # The least that belongs to the best, and all that equal it.
        among = np.flatnonzero(rounded >= np.partition(rounded, -k)[-k])
        rounded, cosines, found = rounded[among], cosines[among], found[among]
    order = np.lexsort((found, -rounded))[:k]
    return cosines[order], found[order]


def stacked(rows: list[tuple[Vectors, Positions]], k: int) -> tuple[Vectors, Positions]:
    """The answers to several queries, each filled up to ``k``."""
    cosines = np.full((len(rows), k), -np.inf, dtype=np.float32)
    positions = np.full((len(rows), k), -1, dtype=np.int64)
    for row, (best, found) in enumerate(rows):
        cosines[row, : len(best)] = best
        positions[row, : len(found)] = found
    return cosines, positions
