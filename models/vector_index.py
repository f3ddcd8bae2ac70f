"""The vector index: which images lie nearest to a query, by cosine.

Exact (a flat FAISS index) while exact is fast.  Above that every image is compared by a
short code of its vector (product quantisation, two dimensions in four bits, FAISS's fast
scan), and the best candidates again by the vectors themselves (:mod:`models.embeddings`).

Graphs and cells (HNSW, IVF) look at a part of the images only, and choose it by where
image embeddings lie.  Texts lie elsewhere: on 100,000 vectors an HNSW of breadth 128 found
96 % of the nearest to an image and 60 % of the nearest to a text.  A scan of all codes
has no such blind side, and at this size takes less time.

Among few images, those that a filter keeps, all are compared by their vectors.  Among many
the scan of all codes names more candidates than usual, of which those that are kept are
compared: of a third of a million images to compare all takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

from models.codes import change_codes
from models.damage import DamagedError
from models.embeddings import Embeddings, Positions, Vectors
from models.exact import all_compared, own_vectors
from models.file_names import INDEX
from models.folder import Folder
from models.index_file import BITS, DIMENSIONS_A_CODE, METRICS, Metric, is_of_kind, read_index
from models.manifest import IndexFacts
from models.ranking import best_of, stacked
from models.tuning import NEAREST, Tuning

# A flat scan of this many 512-wide vectors takes about as long as encoding the query.
EXACT_UP_TO = 10_000
# So many times as many where more images are asked for than there are candidates.
_FURTHER = 4
# Codes of this many vectors lie together: with 64, the scan for a batch takes three quarters
# of the time that FAISS's usual 32 take.
_BLOCK = 64
# Vectors that are added together, a multiple of that.
_ADDED = 1 << 16
# Among images that a filter keeps, so many candidates find the ten nearest (200 of 200
# queries, 1,000,000 images, where 1,024 find 99.65 %).
_KEPT_CANDIDATES = 4096
_SPARE = 1.2
# What it takes to compare with a vector, to scan a code, and to hand on a candidate; of these
# only the ratios matter (measured on 1,000,000 vectors 512 wide: 0.26, 0.0047, 0.13 µs).
_COMPARE, _SCAN, _HAND_ON = 55.0, 1.0, 28.0


class VectorIndex:
    """A FAISS index of L2-normalised image embeddings.

    Positions are row numbers of the matrix that it was built from.  Search is
    read-only and safe from several threads: parameters go with each call.

    Args:
        index: the FAISS index: of vectors, or of codes.
        facts: what it is; ``facts.search_parameters`` go with every search.
        mean: of the vectors, float32 ``[dim]``.
        embeddings: the vectors; None where the index itself has them.
        tuning: what an index of codes was tuned with; None where it was loaded.
    """

    def __init__(
        self,
        index: faiss.Index,
        facts: IndexFacts,
        mean: Vectors,
        embeddings: Embeddings | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        self._index = index
        self._tuning = tuning
        self._mean = mean
        self.facts = facts
        self.embeddings = own_vectors(index) if embeddings is None else embeddings

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return int(self._index.d)

    @classmethod
    def build(
        cls,
        vectors: Vectors,
        metric: Metric,
        queries: Vectors | None = None,
        added: Callable[[int], None] = lambda count: None,
    ) -> VectorIndex:
        """Index ``vectors``, float32 ``[n, dim]``, each of length one.

        Args:
            vectors: the image embeddings; row numbers become positions.
            metric: inner product or squared Euclidean distance; for vectors of
                length one both rank alike.
            queries: text embeddings, float32 ``[m, dim]``, on which an approximate
                index is tuned; without them it is tuned on the vectors themselves.
            added: is told how many more vectors are in an approximate index.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        dim = vectors.shape[1]
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        if len(vectors) <= EXACT_UP_TO:
            flat = faiss.IndexFlat(dim, METRICS[metric])
            flat.add(vectors)
            return cls(flat, IndexFacts(kind="flat", metric=metric), mean)
        codes = faiss.IndexPQFastScan(dim, dim // DIMENSIONS_A_CODE, BITS, METRICS[metric], _BLOCK)
        codes.train(vectors)
        for start in range(0, len(vectors), _ADDED):
            codes.add(vectors[start : start + _ADDED])
            added(min(_ADDED, len(vectors) - start))
        untuned = cls(codes, IndexFacts(kind="pq", metric=metric), mean, Embeddings(vectors))
        probes = Tuning.of(vectors, vectors if queries is None else queries)
        candidates, recall, tuning = probes.first(untuned.nearest)
        kind = "text queries" if queries is not None else "of the images' own vectors"
        facts = IndexFacts(
            kind="pq",
            metric=metric,
            search_parameters={"candidates": candidates},
            recall_at_10=round(recall, 4),
            tuned_with=f"{len(tuning.queries)} {kind}",
        )
        return cls(codes, facts, mean, untuned.embeddings, tuning)

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write the index into a folder, and give the names of its files."""
        self.save_codes(folder)
        if self._tuning is None:
            return (INDEX,)
        return (INDEX, *self.embeddings.save(folder), self._tuning.save(folder))

    def save_codes(self, folder: Path) -> None:
        """Write the index without the vectors that it is compared with."""
        faiss.write_index(self._index, str(folder / INDEX))

    def changed(
        self,
        now_at: Positions,
        new: Positions,
        vectors: Vectors,
        mean: Vectors,
        embeddings: Embeddings,
    ) -> VectorIndex:
        """An index of codes after a change; this one is of no use any more.

        Args:
            now_at: where the image of each position is now, int64 ``[n]``; -1: gone.
            new: the positions of those that have come, int64 ``[m]``, ascending.
            vectors: theirs, float32 ``[m, dim]``.
            mean: of all vectors now.
            embeddings: all vectors, at their positions now.
        """
        change_codes(self._index, now_at, new, vectors)
        return VectorIndex(self._index, self.facts, mean, embeddings)

    @classmethod
    def load(cls, folder: Folder, facts: IndexFacts, mean: Vectors) -> VectorIndex:
        """Read the index of a bundle into memory, hashing it on the way.

        Raises:
            DamagedError: a file is damaged, no FAISS index, or of another kind or metric.
        """
        path = folder.path / INDEX
        index = read_index(folder)
        if index.metric_type != METRICS[facts.metric]:
            raise DamagedError(f"{path} has another metric than {facts.metric}. Build it again.")
        if not is_of_kind(index, facts.kind):
            raise DamagedError(f"{path} is no index of the kind {facts.kind}. Build it again.")
        embeddings = None if facts.kind == "flat" else Embeddings.load(folder)
        if embeddings is not None and (len(embeddings), embeddings.dim) != (index.ntotal, index.d):
            raise DamagedError(f"{path} does not fit its vectors. Build it again.")
        return cls(index, facts, mean, embeddings)

    def search(
        self, queries: Vectors, k: int, positions: Positions | None = None
    ) -> tuple[Vectors, Positions]:
        """The ``k`` images nearest to each query, best first.

        Args:
            queries: float32 ``[n, dim]``, each of length one.
            k: how many, at least 1.
            positions: search among these only (ascending, no repeats).

        Returns:
            Cosine similarities float32 ``[n, k]`` and positions int64 ``[n, k]``;
            where fewer than ``k`` were found, position -1 and similarity ``-inf``.  What a
            smaller ``k`` gives is the beginning of this; an approximate index has therefore
            those first that are among its candidates, best first, and then others, best first.

        Raises:
            DamagedError: a vector that it needs is damaged.
        """
        if positions is not None:
            return stacked([self._among(query, k, positions) for query in queries], k)
        if self.facts.kind == "flat":
            return all_compared(self._index, queries, k)
        candidates = self.facts.search_parameters["candidates"]
        _, named = self._index.search(queries, candidates)
        rows = [
            self._compared(query, k, near[near >= 0])
            for query, near in zip(queries, named, strict=True)
        ]
        while candidates < min(k, len(self)):
            # Behind those before, so that a larger k changes nothing of what a smaller one gives.
            candidates *= _FURTHER
            _, named = self._index.search(queries, candidates)
            rows = [
                self._with_further(query, k, row, near[near >= 0])
                for query, row, near in zip(queries, rows, named, strict=True)
            ]
        return stacked(rows, k)

    def nearest(self, queries: Vectors, candidates: int) -> Positions:
        """The ten images that an index of codes finds with so many candidates, int64 ``[n, 10]``.

        Args:
            queries: float32 ``[n, dim]``, each of length one.
            candidates: how many are compared exactly.
        """
        parameters = {"candidates": candidates}
        facts = self.facts.model_copy(update={"search_parameters": parameters})
        return VectorIndex(self._index, facts, self._mean, self.embeddings).search(
            queries, NEAREST
        )[1]

    def is_slow_among(self, count: int) -> bool:
        """Whether a search among so many images weighs as much as one among all.

        Those of a batch share one scan of the codes and take about a quarter of the time each;
        one among some goes its own way.
        """
        return (
            self.facts.kind != "flat" and min(self._costs_among(1, count)) > _SCAN * len(self) / 4
        )

    def reconstruct(self, position: int) -> Vectors:
        """The vector at ``position``, float32 ``[dim]``.

        Raises:
            DamagedError: it is damaged.
        """
        return self.embeddings.row(position)

    def mean(self) -> Vectors:
        """The mean of the image embeddings, float32 ``[dim]``."""
        return self._mean

    def _compared(self, query: Vectors, k: int, positions: Positions) -> tuple[Vectors, Positions]:
        return best_of(self.embeddings.products(query, positions), positions, k)

    def _with_further(
        self, query: Vectors, k: int, found: tuple[Vectors, Positions], further: Positions
    ) -> tuple[Vectors, Positions]:
        """What was found, and behind it the best of what was not, ``k`` in all."""
        cosines, positions = found
        others = np.setdiff1d(further, positions)
        more_cosines, more = self._compared(query, k - len(positions), others)
        return np.concatenate([cosines, more_cosines]), np.concatenate([positions, more])

    def _among(self, query: Vectors, k: int, positions: Positions) -> tuple[Vectors, Positions]:
        """The best of the images at some positions."""
        one_by_one, by_codes = self._costs_among(k, len(positions))
        if self.facts.kind == "flat" or by_codes > one_by_one:
            return self._compared(query, k, positions)
        kept = np.zeros(len(self), dtype=np.bool_)
        kept[positions] = True
        _, candidates = self._index.search(query[np.newaxis], self._asked_for(k, len(positions)))
        near = candidates[0][candidates[0] >= 0]
        near = near[kept[near]]
        # Where what is kept lies far from the query, few of it are among the candidates.
        enough = len(near) >= max(k, _KEPT_CANDIDATES)
        return self._compared(query, k, near if enough else positions)

    def _costs_among(self, k: int, count: int) -> tuple[float, float]:
        """What it takes to find the best of so many: comparing with each, or by codes."""
        by_codes = _HAND_ON * self._asked_for(k, count) + _COMPARE * max(k, _KEPT_CANDIDATES)
        return _COMPARE * count, _SCAN * len(self) + by_codes

    def _asked_for(self, k: int, count: int) -> int:
        """How many of all to ask for, so that among them there are enough of so many."""
        return int(_SPARE * max(k, _KEPT_CANDIDATES) * len(self) / max(count, 1))


def use_threads(count: int) -> None:
    """Let searches of the calling thread use so many threads: FAISS counts for each by itself."""
    faiss.omp_set_num_threads(count)
