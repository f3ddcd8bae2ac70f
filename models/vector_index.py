"""The vector index: which images lie nearest to a query, by cosine.

Exact (a flat FAISS index) while exact is fast.  Above that every image is compared by a
short code of its vector, and the best candidates again by the vectors themselves
(:mod:`models.coded_search`).

Graphs and cells (HNSW, IVF) look at a part of the images only, and choose it by where
image embeddings lie.  Texts lie elsewhere: on 100,000 vectors an HNSW of breadth 128 found
96 % of the nearest to an image and 60 % of the nearest to a text.  A scan of all codes
has no such blind side, and at this size takes less time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import faiss
import numpy as np

from models.coded_scan import KIND, CodedScan
from models.coded_search import CodedSearch
from models.damage import DamagedError
from models.embeddings import Embeddings, Positions, Vectors
from models.exact import all_compared, own_vectors, some_compared
from models.file_names import INDEX
from models.folder import Folder
from models.index_file import METRICS, Metric, check_metric, is_flat, read_index
from models.manifest import IndexFacts
from models.ranking import stacked
from models.tuning import MOST_QUERIES, NEAREST, TARGET_RECALL, Tuning

# A flat scan of this many 512-wide vectors takes about as long as encoding the query.
EXACT_UP_TO = 10_000
# Of more texts an index learns nothing that counts, and they would lie in the bundle.
MOST_TEXTS = 2_500


class VectorIndex:
    """A FAISS index of L2-normalised image embeddings.

    Positions are row numbers of the matrix that it was built from.  Search is
    read-only and safe from several threads: parameters go with each call.

    Args:
        index: FAISS's index of the vectors, or a scan of their codes.
        facts: what it is; ``facts.search_parameters`` go with every search.
        mean: of the vectors, float32 ``[dim]``.
        embeddings: the vectors; None where FAISS's index has them.
        tuning: what an index of codes was tuned with; None where it was loaded.
    """

    def __init__(
        self,
        index: faiss.IndexFlat | CodedScan,
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
        self._coded = None
        if isinstance(index, CodedScan):
            self._coded = CodedSearch(index, self.embeddings)

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return self.embeddings.dim

    @classmethod
    def build(
        cls,
        vectors: Vectors,
        metric: Metric,
        queries: Vectors | None = None,
        added: Callable[[int], None] = lambda count: None,
        recall: float = TARGET_RECALL,
    ) -> VectorIndex:
        """Index ``vectors``, float32 ``[n, dim]``, each of length one.

        Args:
            vectors: the image embeddings; row numbers become positions.
            metric: inner product or squared Euclidean distance; for vectors of
                length one both rank alike.
            queries: text embeddings, float32 ``[m, dim]``, of which at most ``MOST_TEXTS``
                are looked at: an approximate index learns from half of them or more, and
                is tuned on others; without them it learns from, and is tuned on, the
                vectors themselves.
            added: is told how many more vectors are in an approximate index.
            recall: the share of the ten nearest to a query that it is to find.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        dim = vectors.shape[1]
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        if len(vectors) <= EXACT_UP_TO:
            flat = faiss.IndexFlat(dim, METRICS[metric])
            flat.add(vectors)
            return cls(flat, IndexFacts(kind="flat", metric=metric), mean)
        asked, held_out = _apart(vectors, queries)
        scan = CodedScan.build(vectors, asked, added)
        untuned = cls(scan, IndexFacts(kind=KIND, metric=metric), mean, Embeddings(vectors))
        untried = Tuning.of(vectors, held_out, asked, recall)
        candidates, found, tuning = untried.first(untuned.nearest)
        kind = "text queries" if queries is not None else "of the images' own vectors"
        facts = IndexFacts(
            kind=KIND,
            metric=metric,
            search_parameters={"candidates": candidates},
            recall_at_10=round(found, 4),
            tuned_with=f"{len(tuning.queries)} {kind}",
        )
        return cls(scan, facts, mean, untuned.embeddings, tuning)

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write the index into a folder, and give the names of its files."""
        if not isinstance(self._index, CodedScan):
            faiss.write_index(self._index, str(folder / INDEX))
            return (INDEX,)
        names = (*self._index.save(folder), *self.embeddings.save(folder))
        return names if self._tuning is None else (*names, self._tuning.save(folder))

    def save_codes(self, folder: Path) -> None:
        """Write the codes without the vectors that they stand for."""
        self._index.save_codes(folder)

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
        self._index.change(now_at, new, vectors)
        return VectorIndex(self._index, self.facts, mean, embeddings)

    @classmethod
    def load(cls, folder: Folder, facts: IndexFacts, mean: Vectors) -> VectorIndex:
        """Read the index of a bundle into memory, hashing it on the way.

        Raises:
            DamagedError: a file is damaged, no FAISS index, or of another kind or metric.
        """
        path = folder.path / INDEX
        index = read_index(folder)
        if facts.kind != "flat":
            scan = CodedScan.read(folder, index, facts)
            embeddings = Embeddings.load(folder)
            if (len(embeddings), embeddings.dim) != (len(scan), scan.dim):
                raise DamagedError(f"{path} does not fit its vectors. Build it again.")
            return cls(scan, facts, mean, embeddings)
        check_metric(path, index, facts)
        if not is_flat(index):
            raise DamagedError(f"{path} is no index of the kind flat. Build it again.")
        return cls(index, facts, mean)

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
            among = self._coded.among if self._coded else partial(some_compared, self.embeddings)
            return stacked([among(query, k, positions) for query in queries], k)
        if self._coded is None:
            return all_compared(self._index, queries, k)
        return self._coded.of_all(queries, k, self.facts.search_parameters["candidates"])

    def nearest(self, queries: Vectors, candidates: int) -> Positions:
        """The ten images that an index of codes finds with so many candidates, int64 ``[n, 10]``.

        Args:
            queries: float32 ``[n, dim]``, each of length one.
            candidates: how many are compared exactly.
        """
        assert self._coded is not None
        return self._coded.of_all(queries, NEAREST, candidates)[1]

    def is_slow_among(self, count: int) -> bool:
        """Whether a search among so many images weighs as much as one among all."""
        return self._coded is not None and self._coded.is_slow_among(count)

    def reconstruct(self, position: int) -> Vectors:
        """The vector at ``position``, float32 ``[dim]``.

        Raises:
            DamagedError: it is damaged.
        """
        return self.embeddings.row(position)

    def mean(self) -> Vectors:
        """The mean of the image embeddings, float32 ``[dim]``."""
        return self._mean


def _apart(vectors: Vectors, queries: Vectors | None) -> tuple[Vectors, Vectors]:
    """What an index learns from, and what it is tuned on: no query is both."""
    if queries is None:
        return vectors[:0], vectors
    order = np.random.default_rng(0).permutation(len(queries))[:MOST_TEXTS]
    held_out = min(MOST_QUERIES, (len(order) + 1) // 2)
    return queries[np.sort(order[held_out:])], queries[np.sort(order[:held_out])]


def use_threads(count: int) -> None:
    """Let searches of the calling thread use so many threads: FAISS counts for each by itself."""
    faiss.omp_set_num_threads(count)
