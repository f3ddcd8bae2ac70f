"""How fast an index is at the recall that is asked for; runs in any environment with NumPy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

K = 10
RECALL = 0.98
BATCH = 32
_QUERIES = 500
_SINGLE = 100
_ROUNDS = 5

Search = Callable[[Any], Any]


def first_that_finds(
    efforts: Iterable[tuple[dict[str, int], Search]], queries: Any, true: Any
) -> dict[str, Any]:
    """The speed with the least effort that finds 98 % of the ten nearest.

    Args:
        efforts: parameters and the search with them, the quickest first; a search takes float32
            ``[n, dim]`` and gives the numbers of the ten nearest, ``[n, 10]``.
        queries: float32 ``[n, dim]``.
        true: their ten nearest, ``[n, 10]``.

    Returns:
        Parameters, recall, and processor time in milliseconds a query, one by one and in batches;
        those of the last effort where none finds enough.
    """
    queries, true = queries[:_QUERIES], true[:_QUERIES]
    for parameters, search in efforts:
        starts = range(0, len(queries), BATCH)
        found = np.vstack([search(queries[at : at + BATCH]) for at in starts])
        shared = [len(np.intersect1d(a, b)) for a, b in zip(true, found, strict=True)]
        recall = float(np.mean(shared)) / K
        print(parameters, f"recall {recall:.4f}", flush=True)
        if recall >= RECALL:
            break
    return {"parameters": parameters, "recall_at_10": recall} | speed(search, queries)


def speed(search: Search, queries: Any) -> dict[str, float]:
    """Milliseconds of processor time a query: medians of some rounds."""
    rounds = [
        (_took(search, queries[:_SINGLE], 1), _took(search, queries[: 8 * BATCH], BATCH))
        for _ in range(_ROUNDS)
    ]
    single, batch = (statistics.median(times) for times in zip(*rounds, strict=True))
    return {"single_ms": single, "batch_ms": batch}


def _took(search: Search, queries: Any, together: int) -> float:
    began = time.process_time()
    for at in range(0, len(queries), together):
        search(queries[at : at + together])
    return 1e3 * (time.process_time() - began) / len(queries)
