"""ScaNN's index of vectors, and how fast it is; runs in ScaNN's environment.

python index_with_scann.py FOLDER TRUE.npy RESULT.json

With a tree of the leaves that its documentation advises for so many vectors, SOAR, and the
reordering that its examples have; searched with more and more leaves.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scann
from search_speed import K, Search, first_that_finds


def main() -> None:
    """Build, search, and write what came out."""
    folder, true, result = map(Path, sys.argv[1:4])
    vectors = np.load(folder / "img_emb" / "img_emb_0.npy")
    queries = np.load(folder / "queries.npy")
    leaves = max(1, round(len(vectors) ** 0.5))
    began = time.process_time()
    index = (
        scann.scann_ops_pybind.builder(vectors, K, "dot_product")
        .tree(
            num_leaves=leaves,
            num_leaves_to_search=leaves,
            training_sample_size=min(len(vectors), 250_000),
            soar_lambda=1.5,
            overretrieve_factor=2.0,
        )
        .score_ah(2, anisotropic_quantization_threshold=0.2)
        .reorder(100)
        .build()
    )
    took = time.process_time() - began

    def searching(leaves: int, reordered: int) -> tuple[dict[str, int], Search]:
        def search(some: Any) -> Any:
            if len(some) == 1:
                return index.search(
                    some[0],
                    leaves_to_search=leaves,
                    pre_reorder_num_neighbors=reordered,
                )[0][np.newaxis]
            return index.search_batched(
                some, leaves_to_search=leaves, pre_reorder_num_neighbors=reordered
            )[0]

        return {"leaves": leaves, "reordered": reordered}, search

    shares = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
    efforts = [
        searching(max(1, round(share * leaves)), reordered)
        for share in shares
        for reordered in (200, 400)
    ]
    measured = first_that_finds(efforts, queries, np.load(true))
    result.write_text(json.dumps(measured | {"build_s": took, "index": f"SOAR, {leaves} leaves"}))


if __name__ == "__main__":
    main()
