"""The index that autofaiss chooses for vectors, and how fast it is; runs in its environment.

python index_with_autofaiss.py FOLDER TRUE.npy RESULT.json MEMORY

Searched with more and more effort: ``efSearch`` of an HNSW index, ``nprobe`` of one with cells.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from autofaiss import build_index
from search_speed import K, Search, first_that_finds


def main() -> None:
    """Build, search, and write what came out."""
    folder, true, result = map(Path, sys.argv[1:4])
    began = time.process_time()
    index, about = build_index(
        str(folder / "img_emb"),
        save_on_disk=False,
        max_index_memory_usage=sys.argv[4],
        metric_type="ip",
        nb_cores=2,
        verbose=30,
    )
    took = time.process_time() - began
    faiss.omp_set_num_threads(1)

    def searching(value: int) -> tuple[dict[str, int], Search]:
        def search(some: Any) -> Any:
            faiss.ParameterSpace().set_index_parameters(index, f"{parameter}={value}")
            return index.search(some, K)[1]

        return {parameter: value}, search

    parameter = "efSearch" if "HNSW" in about["index_key"].split(",")[0] else "nprobe"
    values = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    queries = np.load(folder / "queries.npy")
    measured = first_that_finds(map(searching, values), queries, np.load(true))
    measured |= {"build_s": took, "index": about["index_key"]}
    result.write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
