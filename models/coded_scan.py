"""A scan of all images by short codes: which of them may be the nearest to a query.

A code is a product quantisation of the image's embedding on fewer axes (:mod:`models.projection`),
two axes in four bits, so that FAISS's fast scan looks it up in a processor's registers.  Nearly
all of a search's time goes by in it, and it takes the longer the longer the codes are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import faiss
import numpy as np

from models.codes import change_codes
from models.damage import DamagedError
from models.embeddings import Positions, Vectors
from models.file_names import INDEX
from models.folder import Folder
from models.index_file import BITS, DIMENSIONS_A_CODE, check_metric, is_scan
from models.manifest import IndexFacts
from models.projection import Projection

# What the manifest calls it; codes of whole embeddings were called "pq".
KIND = "projected-pq"
# Codes of this many vectors lie together: with 64, the scan for a batch takes three quarters
# of the time that FAISS's usual 32 take.
_BLOCK = 64
# FAISS takes no more to find 16 numbers for each part of a code.
_TAUGHT_WITH = 256 << BITS
# Vectors that are added together, a multiple of that.
_ADDED = 1 << 16


class CodedScan:
    """Codes of all images; read-only in searches, and safe from several threads.

    Args:
        codes: FAISS's index of them.
        projection: of embeddings before they become codes; None in a bundle of a release that
            had codes of whole embeddings.
    """

    def __init__(self, codes: faiss.IndexPQFastScan, projection: Projection | None) -> None:
        self._codes = codes
        self._projection = projection

    @classmethod
    def build(
        cls, vectors: Vectors, queries: Vectors, added: Callable[[int], None] = lambda count: None
    ) -> Self:
        """Make the codes of ``vectors``, float32 ``[n, dim]``.

        Args:
            vectors: the image embeddings.
            queries: text embeddings, float32 ``[m, dim]``, of the kind that will be asked.
            added: is told how many more have their codes.
        """
        projection = Projection.learn(vectors, queries)
        axes = projection.axes
        codes = faiss.IndexPQFastScan(
            axes, axes // DIMENSIONS_A_CODE, BITS, faiss.METRIC_INNER_PRODUCT, _BLOCK
        )
        some = np.random.default_rng(1).permutation(len(vectors))[:_TAUGHT_WITH]
        codes.train(projection.of_images(vectors[np.sort(some)]))
        for start in range(0, len(vectors), _ADDED):
            codes.add(projection.of_images(vectors[start : start + _ADDED]))
            added(min(_ADDED, len(vectors) - start))
        return cls(codes, projection)

    @classmethod
    def read(cls, folder: Folder, codes: faiss.Index, facts: IndexFacts) -> Self:
        """The scan of a bundle.

        Args:
            folder: the bundle.
            codes: its index, as FAISS has read it.
            facts: what the manifest says of it.

        Raises:
            DamagedError: the files are no such scan, or do not fit together.
        """
        path = folder.path / INDEX
        if not is_scan(codes):
            raise DamagedError(f"{path} is no index of the kind {facts.kind}. Build it again.")
        if facts.kind != KIND:
            # Of whole embeddings there are codes for either metric.
            check_metric(path, codes, facts)
            return cls(codes, None)
        projection = Projection.load(folder)
        if (codes.metric_type, codes.d) != (faiss.METRIC_INNER_PRODUCT, projection.axes):
            raise DamagedError(f"{path} does not fit its projection. Build it again.")
        return cls(codes, projection)

    def __len__(self) -> int:
        return int(self._codes.ntotal)

    @property
    def dim(self) -> int:
        """The width of an embedding."""
        return int(self._codes.d) if self._projection is None else self._projection.dim

    @property
    def parts(self) -> int:
        """How many numbers of four bits a code has."""
        return int(self._codes.M)

    def candidates(self, queries: Vectors, count: int) -> Positions:
        """Which images may be nearest to each query, int64 ``[n, count]``; -1 where none is.

        Args:
            queries: float32 ``[n, dim]``.
            count: how many for each.
        """
        if self._projection is not None:
            queries = self._projection.of_texts(queries)
        named: Positions = self._codes.search(queries, count)[1]
        return named

    def change(self, now_at: Positions, new: Positions, vectors: Vectors) -> None:
        """Move codes, leave some out and add others (:func:`models.codes.change_codes`).

        Args:
            now_at: where the image of each position is now, int64 ``[n]``; -1: gone.
            new: the positions of those that have come, int64 ``[m]``, ascending.
            vectors: their embeddings, float32 ``[m, dim]``.
        """
        if self._projection is not None:
            vectors = self._projection.of_images(vectors)
        change_codes(self._codes, now_at, new, vectors)

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write it into a folder, and give the names of its files."""
        self.save_codes(folder)
        return (INDEX,) if self._projection is None else (INDEX, self._projection.save(folder))

    def save_codes(self, folder: Path) -> None:
        """Write what a change has altered of it."""
        faiss.write_index(self._codes, str(folder / INDEX))
