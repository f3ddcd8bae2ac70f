"""How fast a large bundle is opened and searched, and how right: beside comparing with all vectors.

    python -m benchmarks.scale BUNDLE QUERIES.npy

Both on one core, in turn, and in processor time, so that what else the machine does matters
little.  Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from models.bundle import Bundle
from models.embeddings import Positions, Vectors

_K = 10
_ROUNDS = 5
_SINGLE = 100
_BATCH = 32
_QUERIES = 500


def measure(bundle: Bundle, queries: Vectors) -> dict[str, Any]:
    """Milliseconds a search, one by one and in batches, exact and by the index; recall@10.

    Args:
        bundle: open.
        queries: embeddings of texts, float32 ``[n, dim]``, that the index was not tuned with.
    """
    faiss.omp_set_num_threads(1)
    queries = queries[:_QUERIES]
    vectors = bundle.index.embeddings.rows(np.arange(len(bundle.index)))
    true = compared_with_all(vectors, queries)
    _, found = bundle.index.search(queries, _K)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(true, found, strict=True)]

    def one_by_one(search: Callable[[Vectors], Any], count: int) -> float:
        began = time.process_time()
        for query in queries[:count]:
            search(query[np.newaxis])
        return 1e3 * (time.process_time() - began) / count

    def batches() -> float:
        began = time.process_time()
        for start in range(0, 4 * _BATCH, _BATCH):
            bundle.index.search(queries[start : start + _BATCH], _K)
        return 1e3 * (time.process_time() - began) / (4 * _BATCH)

    rounds = [
        (
            one_by_one(lambda query: compared_with_all(vectors, query), 10),
            one_by_one(lambda query: bundle.index.search(query, _K), _SINGLE),
            batches(),
        )
        for _ in range(_ROUNDS)
    ]
    exact, single, batch = (statistics.median(some) for some in zip(*rounds, strict=True))
    return {
        "images": len(bundle.index),
        "index": bundle.manifest.index.model_dump(),
        "recall_at_10": float(np.mean(shared)) / _K,
        "exact_ms": exact,
        "single_ms": single,
        "batch_ms": batch,
        "exact_over_single": statistics.median(a / b for a, b, _ in rounds),
        "exact_over_batch": statistics.median(a / c for a, _, c in rounds),
    }


def _opening(folder: Path, *, verify: bool) -> float:
    """Milliseconds that all threads together take to open a bundle: the least of some."""
    took = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        Bundle.open(folder, verify=verify).close()
        took.append(1e3 * (time.process_time() - began))
    return min(took)


def compared_with_all(vectors: Vectors, queries: Vectors) -> Positions:
    """The ten nearest of all vectors to each query, int64 ``[n, 10]``."""
    _, positions = faiss.knn(queries, vectors, _K, metric=faiss.METRIC_INNER_PRODUCT)
    found: Positions = positions
    return found


def main() -> None:
    """Open the bundle, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("queries", type=Path)
    arguments = parser.parse_args()
    result = {
        "open_checked_ms": _opening(arguments.bundle, verify=True),
        "open_trusted_ms": _opening(arguments.bundle, verify=False),
    }
    bundle = Bundle.open(arguments.bundle)
    print(json.dumps(result | measure(bundle, np.load(arguments.queries)), indent=1))


if __name__ == "__main__":
    main()
