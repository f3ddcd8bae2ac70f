"""The vector index: which pictures lie nearest to a query, by cosine.

Exact (a flat FAISS index) while exact is fast.  Above that every picture is compared by a
short code of its vector (product quantisation, two dimensions in four bits, FAISS's fast
scan), and the best candidates again by the vectors themselves.

Graphs and cells (HNSW, IVF) look at a part of the pictures only, and choose it by where
picture vectors lie.  Texts lie elsewhere: on 100,000 vectors an HNSW of breadth 128 found
96 % of the nearest to a picture and 60 % of the nearest to a text.  A scan of all codes
has no such blind side, and at this size takes less time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

# OpenMP's threads otherwise spin for milliseconds after each search, on a core that the next
# batch's encoder needs.  Read once, when FAISS is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import faiss
import numpy as np
from numpy.typing import NDArray

from models.manifest import DamagedError, IndexFacts

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]
Metric = Literal["ip", "l2"]

# A flat scan of this many 512-wide vectors takes about as long as encoding the query.
EXACT_UP_TO = 10_000
# How many candidates are compared exactly: the fewest of these with which text queries find
# their ten nearest.  The number does not depend on k, or an answer would depend on what
# others in its batch ask for.
_CANDIDATES = (512, 1024, 2048, 4096, 8192)
_TARGET_RECALL = 0.99
_TUNING_QUERIES = 500
_SAMPLE = 4096
_DIMENSIONS_A_CODE = 2
_BITS = 4
# Codes of this many vectors lie together: with 64, the scan for a batch takes three quarters
# of the time that FAISS's usual 32 take.
_BLOCK = 64
_DECIMALS = 6
# FAISS compares 20 queries or more with the vectors through BLAS, whose last bits depend on how
# many there are.  Fewer are compared one by one: the same numbers in any company.
_ONE_BY_ONE = 16
_METRICS = {"ip": faiss.METRIC_INNER_PRODUCT, "l2": faiss.METRIC_L2}


class VectorIndex:
    """A FAISS index of L2-normalised picture vectors.

    Positions are row numbers of the matrix that it was built from.  Search is
    read-only and safe from several threads: parameters go with each call.

    Args:
        index: the FAISS index.
        facts: what it is; ``facts.search_parameters`` go with every search.
    """

    def __init__(self, index: faiss.Index, facts: IndexFacts) -> None:
        self._index = index
        self.facts = facts

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return int(self._index.d)

    @classmethod
    def build(cls, vectors: Vectors, metric: Metric, queries: Vectors | None = None) -> VectorIndex:
        """Index ``vectors``, float32 ``[n, dim]``, each of length one.

        Args:
            vectors: the picture vectors; row numbers become positions.
            metric: inner product or squared Euclidean distance; for vectors of
                length one both rank alike.
            queries: text embeddings, float32 ``[m, dim]``, on which an approximate
                index is tuned; without them it is tuned on the vectors themselves.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        dim = vectors.shape[1]
        if len(vectors) <= EXACT_UP_TO:
            flat = faiss.IndexFlat(dim, _METRICS[metric])
            flat.add(vectors)
            return cls(flat, IndexFacts(kind="flat", metric=metric))
        codes = faiss.IndexPQFastScan(
            dim, dim // _DIMENSIONS_A_CODE, _BITS, _METRICS[metric], _BLOCK
        )
        coded = faiss.IndexRefineFlat(codes)
        coded.train(vectors)
        coded.add(vectors)
        return cls(coded, _tune(coded, vectors, metric, queries))

    def save(self, path: Path) -> None:
        """Write the index as a FAISS file."""
        faiss.write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path, facts: IndexFacts) -> VectorIndex:
        """Map a FAISS file into memory; its pages are read when first used.

        Raises:
            DamagedError: the file is no FAISS index, or of another kind or metric.
        """
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise DamagedError(f"{path} is no FAISS index: {error}. Build it again.") from None
        if index.metric_type != _METRICS[facts.metric]:
            raise DamagedError(f"{path} has another metric than {facts.metric}. Build it again.")
        return cls(index, facts)

    def search(
        self, queries: Vectors, k: int, positions: Positions | None = None
    ) -> tuple[Vectors, Positions]:
        """The ``k`` pictures nearest to each query, best first.

        Args:
            queries: float32 ``[n, dim]``, each of length one.
            k: how many, at least 1.
            positions: search among these only (ascending, no repeats).

        Returns:
            Cosine similarities float32 ``[n, k]`` and positions int64 ``[n, k]``;
            where fewer than ``k`` were found, position -1 and similarity ``-inf``.
        """
        if positions is not None and len(positions) == 0:
            return (
                np.full((len(queries), k), -np.inf, dtype=np.float32),
                np.full((len(queries), k), -1, dtype=np.int64),
            )
        if positions is not None:
            # The scan of the codes knows no filter; that of the vectors does.
            vectors = self._index if self.facts.kind == "flat" else self._index.refine_index
            among = faiss.SearchParameters(sel=faiss.IDSelectorBatch(positions))
            scores, found = vectors.search(queries, k, params=among)
        elif self.facts.kind == "flat":
            parts = [
                self._index.search(queries[start : start + _ONE_BY_ONE], k)
                for start in range(0, len(queries), _ONE_BY_ONE)
            ]
            scores = np.concatenate([scores for scores, _ in parts])
            found = np.concatenate([found for _, found in parts])
        else:
            scores, found = _search_coded(
                self._index, queries, k, self.facts.search_parameters["candidates"]
            )
        return _settle(scores, found, self.facts.metric)

    def reconstruct(self, position: int) -> Vectors:
        """The vector at ``position``, float32 ``[dim]``."""
        vectors = self._index if self.facts.kind == "flat" else self._index.refine_index
        vector: Vectors = vectors.reconstruct(position)
        return vector

    def mean(self) -> Vectors:
        """The mean of the picture vectors, float32 ``[dim]``; of a sample where they are many."""
        vectors = self._index if self.facts.kind == "flat" else self._index.refine_index
        sample = np.linspace(0, len(self) - 1, min(len(self), _SAMPLE), dtype=np.int64)
        mean: Vectors = vectors.reconstruct_batch(sample).mean(axis=0)
        return mean


def _search_coded(
    coded: faiss.IndexRefineFlat, queries: Vectors, k: int, candidates: int
) -> tuple[Vectors, Positions]:
    """Scores and positions of the best of the candidates that the codes name."""
    # FAISS takes the number of candidates as a multiple of k and rounds it down.
    parameters = faiss.IndexRefineSearchParameters(k_factor=(max(candidates, k) + 0.5) / k)
    scores, found = coded.search(queries, k, params=parameters)
    return scores, found


def _settle(scores: Vectors, found: Positions, metric: Metric) -> tuple[Vectors, Positions]:
    """FAISS scores as cosines, and an order that does not depend on the batch.

    For unit vectors |a - b|² = 2 - 2 cos(a, b).  Pictures that differ in the last bits
    only count as equal, and the lower position comes first.
    """
    cosines = scores if metric == "ip" else 1 - scores / 2
    cosines = np.where(found >= 0, cosines, np.float32(-np.inf)).astype(np.float32, copy=False)
    order = np.lexsort((found, -np.round(cosines, _DECIMALS)), axis=-1)
    return np.take_along_axis(cosines, order, -1), np.take_along_axis(found, order, -1)


def _tune(
    coded: faiss.IndexRefineFlat, vectors: Vectors, metric: Metric, queries: Vectors | None
) -> IndexFacts:
    """The fewest candidates that hold ``_TARGET_RECALL`` of the true ten nearest."""
    kind = "text queries" if queries is not None else "of the pictures' own vectors"
    probes = vectors if queries is None else queries
    chosen = np.random.default_rng(0).permutation(len(probes))[:_TUNING_QUERIES]
    probes = np.ascontiguousarray(probes[np.sort(chosen)])
    _, true = faiss.knn(probes, vectors, 10, metric=_METRICS[metric])
    recall = 0.0
    for candidates in _CANDIDATES:
        _, found = _search_coded(coded, probes, 10, candidates)
        shared = [len(np.intersect1d(a, b)) for a, b in zip(true, found, strict=True)]
        recall = float(np.mean(shared)) / 10
        if recall >= _TARGET_RECALL:
            break
    return IndexFacts(
        kind="pq",
        metric=metric,
        search_parameters={"candidates": candidates},
        recall_at_10=round(recall, 4),
        tuned_with=f"{len(probes)} {kind}",
    )
