"""The vector index: which pictures lie nearest to a query, by cosine.

Exact (a flat FAISS index) while exact is fast; above that an HNSW graph whose
breadth is tuned on *text* queries, since these lie far from the picture vectors
and an index tuned on pictures looks better than it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from models.manifest import DamagedError, IndexFacts

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]
Metric = Literal["ip", "l2"]

# A flat scan of this many 512-wide vectors takes about as long as encoding the query.
EXACT_UP_TO = 20_000
# Below this many candidates a filtered search scans them, which is exact; a graph
# whose nodes are mostly filtered out would lose its way.
_SCAN_UP_TO = 20_000
_HNSW_LINKS = 32
_HNSW_BUILD_BREADTH = 200
_BREADTHS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
_TARGET_RECALL = 0.98
_TUNING_QUERIES = 500
_DECIMALS = 6
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
        graph = faiss.IndexHNSWFlat(dim, _HNSW_LINKS, _METRICS[metric])
        graph.hnsw.efConstruction = _HNSW_BUILD_BREADTH
        graph.add(vectors)
        return cls(graph, _tune(graph, vectors, metric, queries))

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
        if positions is not None and self.facts.kind != "flat" and len(positions) <= _SCAN_UP_TO:
            return self._scan(queries, k, positions)
        selector = None if positions is None else faiss.IDSelectorBatch(positions)
        scores, found = self._index.search(queries, k, params=self._parameters(selector))
        return _settle(scores, found, self.facts.metric)

    def reconstruct(self, position: int) -> Vectors:
        """The vector at ``position``, float32 ``[dim]``."""
        vector: Vectors = self._index.reconstruct(position)
        return vector

    def _parameters(self, selector: faiss.IDSelector | None) -> faiss.SearchParameters | None:
        if self.facts.kind == "flat":
            return None if selector is None else faiss.SearchParameters(sel=selector)
        return faiss.SearchParametersHNSW(sel=selector, **self.facts.search_parameters)

    def _scan(self, queries: Vectors, k: int, positions: Positions) -> tuple[Vectors, Positions]:
        candidates = faiss.IndexFlat(self.dim, faiss.METRIC_INNER_PRODUCT)
        candidates.add(self._index.reconstruct_batch(positions))
        scores, rows = candidates.search(queries, k)
        found = np.where(rows >= 0, positions[rows], -1)
        return _settle(scores, found, "ip")


def _settle(scores: Vectors, found: Positions, metric: Metric) -> tuple[Vectors, Positions]:
    """FAISS scores as cosines, and an order that does not depend on the batch.

    For unit vectors |a - b|² = 2 - 2 cos(a, b).  FAISS takes another kernel for a
    single query than for many, so the last bits of a score vary: what differs only
    there counts as equal, and the lower position comes first.
    """
    cosines = scores if metric == "ip" else 1 - scores / 2
    cosines = np.where(found >= 0, cosines, np.float32(-np.inf)).astype(np.float32, copy=False)
    order = np.lexsort((found, -np.round(cosines, _DECIMALS)), axis=-1)
    return np.take_along_axis(cosines, order, -1), np.take_along_axis(found, order, -1)


def _tune(
    graph: faiss.IndexHNSWFlat, vectors: Vectors, metric: Metric, queries: Vectors | None
) -> IndexFacts:
    """The smallest search breadth that finds ``_TARGET_RECALL`` of the true ten nearest."""
    kind = "text queries" if queries is not None else "of the pictures' own vectors"
    probes = vectors if queries is None else queries
    chosen = np.random.default_rng(0).permutation(len(probes))[:_TUNING_QUERIES]
    probes = np.ascontiguousarray(probes[np.sort(chosen)])
    _, true = faiss.knn(probes, vectors, 10, metric=_METRICS[metric])
    recall = 0.0
    for breadth in _BREADTHS:
        _, found = graph.search(probes, 10, params=faiss.SearchParametersHNSW(efSearch=breadth))
        shared = [len(np.intersect1d(a, b)) for a, b in zip(true, found, strict=True)]
        recall = float(np.mean(shared)) / 10
        if recall >= _TARGET_RECALL:
            break
    return IndexFacts(
        kind="hnsw",
        metric=metric,
        search_parameters={"efSearch": breadth},
        recall_at_10=round(recall, 4),
        tuned_with=f"{len(probes)} {kind}",
    )
