"""An order in which images that follow each other differ.

Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next one is always that with
the greatest ::

    (1 - diversity) · relevance - diversity · the greatest likeness to one before it

A text's similarities to images all lie within a narrow range (0.2 to 0.3, say), and images'
similarities to each other within another (0.5 to 1), so both are stretched to 0..1 first: relevance
from the least relevant to the best of those in question, likeness from the two that are least alike
to equality.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def diversified(
    relevance: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    diversity: float,
    count: int,
) -> NDArray[np.int64]:
    """The first ``count`` places of the new order; the best one stays the first.

    It takes ``n² · dim`` multiplications and ``n · count`` comparisons.

    Args:
        relevance: best first, float32 ``[n]``.
        embeddings: float32 ``[n, dim]``, rows of length one.
        diversity: from 0, which keeps the order, to 1, which heeds only how they differ.
        count: how many are needed; the first of many are those of few.

    Returns:
        int64 ``[min(n, count)]``: each place at most once.
    """
    n = len(relevance)
    if n == 0:
        return np.empty(0, dtype=np.int64)
    alike = embeddings @ embeddings.T
    worth = (1 - diversity) * _stretched(relevance, float(relevance.min()), float(relevance.max()))
    against = diversity * _stretched(alike, float(alike.min()), 1.0)
    order = np.empty(min(n, count), dtype=np.int64)
    before = np.zeros(n, dtype=np.float32)
    free = np.zeros(n, dtype=np.float32)
    for place in range(len(order)):
        # Of equals the first, which was the better one. The first of all is the best.
        chosen = int((worth - before + free).argmax()) if place else 0
        order[place] = chosen
        free[chosen] = -np.inf
        np.maximum(before, against[chosen], out=before)
    return order


def _stretched(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """From ``low..high`` to 0..1; where these are the same, all zero."""
    if high <= low:
        return np.zeros_like(values)
    stretched: NDArray[np.float32] = (values - low) / (high - low)
    return stretched
