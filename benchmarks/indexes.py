"""The index beside ScaNN's and the one that autofaiss chooses: queries a second at recall 0.98.

    python -m benchmarks.vectors given --count 1000000
    python -m benchmarks.indexes given

The same vectors, the same queries, which none is tuned with but by how much effort finds 98 % of
the ten nearest; one thread, processor time.  Each peer runs in an environment of its own
(:mod:`benchmarks.environments`).  Prints JSON as it comes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.environments import NotInstalledError, environment, run_inside
from benchmarks.peers.inside.search_speed import first_that_finds, speed
from benchmarks.scale import compared_with_all
from models.embeddings import Positions, Vectors
from models.vector_index import VectorIndex

_EFFORTS = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192)
# What autofaiss may take, as clip-retrieval asks for by default.
_MEMORY = "4G"


def main() -> None:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.indexes", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--environments", type=Path, default=Path(".cache/environments"))
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    vectors = np.load(arguments.folder / "img_emb" / "img_emb_0.npy", mmap_mode="r")
    queries = np.load(arguments.folder / "queries.npy")
    true = arguments.folder / f"true-{len(vectors)}.npy"
    if not true.exists():
        np.save(true, compared_with_all(vectors, queries[:500]))
    for name in arguments.only:
        try:
            result = MEASURES[name](arguments.folder, true, arguments.environments)
        except NotInstalledError as error:
            result = {"failed": str(error)}
        print(json.dumps({name: result}), flush=True)


def _this(folder: Path, true: Path, environments: Path) -> dict[str, Any]:
    """This system's index."""
    vectors = np.load(folder / "img_emb" / "img_emb_0.npy")
    queries = np.load(folder / "queries.npy")
    began = time.process_time()
    index = VectorIndex.build(vectors, "ip", np.load(folder / "text_emb" / "text_emb_0.npy"))
    took = time.process_time() - began

    def searching(candidates: int) -> tuple[dict[str, int], Callable[[Vectors], Positions]]:
        return {"candidates": candidates}, lambda some: index.nearest(some, candidates)

    found = first_that_finds(map(searching, _EFFORTS), queries, np.load(true))
    return found | {"build_s": took, "index": index.facts.kind}


def _compared_with_all(folder: Path, true: Path, environments: Path) -> dict[str, Any]:
    """Every vector, by FAISS."""
    vectors = np.load(folder / "img_emb" / "img_emb_0.npy")
    queries = np.load(folder / "queries.npy")
    return {"recall_at_10": 1.0} | speed(partial(compared_with_all, vectors), queries[:50])


def _peer(peer: str, script: str, *more: str) -> Callable[[Path, Path, Path], dict[str, Any]]:
    """What a script measures in a peer's environment."""

    def measure(folder: Path, true: Path, environments: Path) -> dict[str, Any]:
        result = folder / f"{script}.json"
        python = environment(peer, environments)
        run_inside(python, script, str(folder), str(true), str(result), *more)
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found

    return measure


MEASURES: dict[str, Callable[[Path, Path, Path], dict[str, Any]]] = {
    "compared with all": _compared_with_all,
    "Sightline": _this,
    "ScaNN": _peer("scann", "index_with_scann"),
    "autofaiss": _peer("clip_retrieval", "index_with_autofaiss", _MEMORY),
}


if __name__ == "__main__":
    main()
