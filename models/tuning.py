"""How many candidates an index of codes needs, and whether that still holds after a change.

Texts and their true nearest images tell.  To find these takes as long as comparing each text
with every image, so they lie in the bundle (``tuning.npz``), and a change only compares the
texts with what is new.  Nobody but the build reads them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from models.damage import DamagedError
from models.file_names import TUNING

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]
# The ten nearest that an index finds for queries with so many candidates, int64 [m, 10].
Search = Callable[[Vectors, int], Positions]

# How many candidates are compared exactly: the fewest of these with which text queries find
# their ten nearest.  The number does not depend on k, or an answer would depend on what
# others in its batch ask for.
CANDIDATES = (512, 640, 768, 896, 1024, 1280, 1536, 2048, 3072, 4096, 6144, 8192)
TARGET_RECALL = 0.99
MOST_QUERIES = 500
NEAREST = 10
# So many are known, so that some may go; and of so many queries ten have to be left.
_KNOWN = 32
_COMPLETE = 0.5
# After a change so many tell, in an eighth of the time.
_LOOKED_AT_AGAIN = 64


@dataclass(frozen=True)
class Tuning:
    """Queries, and the images that are nearest to each.

    ``queries`` is float32 ``[m, dim]``, ``positions`` int64 ``[m, 32]`` with the nearest first
    (-1: none) and ``cosines`` float32 ``[m, 32]``.  Every image that is nearer to a query than
    its ``least``, float32 ``[m]``, is among them.  ``recall`` is what is to be kept: the share of
    the ten nearest that the first queries found when the index was built, ``target`` at the most,
    which is what was asked for.
    ``others``, float32 ``[n, dim]``, are queries that the index has learnt from: nothing is
    measured with them, but an index that is built anew needs some, too.
    """

    queries: Vectors
    positions: Positions
    cosines: Vectors
    least: Vectors
    others: Vectors
    target: float = TARGET_RECALL
    recall: float = TARGET_RECALL

    @classmethod
    def of(
        cls, vectors: Vectors, queries: Vectors, others: Vectors, target: float = TARGET_RECALL
    ) -> Self:
        """Compare queries, 500 at the most, with all vectors, float32 ``[n, dim]`` both."""
        chosen = np.random.default_rng(0).permutation(len(queries))[:MOST_QUERIES]
        queries = np.ascontiguousarray(queries[np.sort(chosen)])
        known = min(_KNOWN, len(vectors))
        cosines, positions = faiss.knn(queries, vectors, known, metric=faiss.METRIC_INNER_PRODUCT)
        return cls(queries, positions, cosines, cosines[:, -1].copy(), others, target)

    def changed(self, now_at: Positions, new: Positions, vectors: Vectors) -> Self:
        """The same after a change.

        Args:
            now_at: where the image of each position is now, int64 ``[n]``; -1: gone.
            new: the positions of those that have come, int64 ``[m]``.
            vectors: theirs, float32 ``[m, dim]``.
        """
        positions = np.where(self.positions >= 0, now_at[self.positions], -1)
        cosines = np.where(positions >= 0, self.cosines, -np.inf)
        least = self.least
        if len(new):
            near, best = _nearer(self.queries @ vectors.T, least)
            positions = np.hstack([positions, np.where(best >= 0, new[best], -1)])
            cosines = np.hstack([cosines, near])
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : _KNOWN + 1]
        positions = np.take_along_axis(positions, order, 1)
        cosines = np.take_along_axis(cosines, order, 1).astype(np.float32)
        # Of those that are left out the nearest says how far all are known.
        if cosines.shape[1] > _KNOWN:
            least = np.maximum(least, cosines[:, _KNOWN])
        return replace(
            self, positions=positions[:, :_KNOWN], cosines=cosines[:, :_KNOWN], least=least
        )

    def first(self, search: Search) -> tuple[int, float, Self]:
        """How many candidates a new index needs, its recall with them, and what is to be kept."""
        for candidates in CANDIDATES:
            found = search(self.queries, candidates)
            recall = self._recall(found, len(found))
            if recall >= self.target:
                break
        kept = min(self.target, self._recall(found, _LOOKED_AT_AGAIN))
        return candidates, recall, replace(self, recall=kept)

    def again(self, search: Search, candidates: int) -> tuple[int, float] | None:
        """How many candidates an index needs after a change, and the recall that it has with them.

        None where more do not help, or nothing can be told any more: it has to be built anew.
        """
        if self._complete()[:_LOOKED_AT_AGAIN].mean() < _COMPLETE:
            return None
        for more in (each for each in CANDIDATES if each >= candidates):
            found = search(self.queries[:_LOOKED_AT_AGAIN], more)
            recall = self._recall(found, _LOOKED_AT_AGAIN)
            if recall >= self.recall:
                return more, recall
        return None

    def _complete(self) -> NDArray[np.bool_]:
        """Of which queries the ten nearest are known, ``[m]``."""
        return np.asarray((self.positions[:, :NEAREST] >= 0).all(axis=1))

    def _recall(self, found: Positions, count: int) -> float:
        """The share of the ten nearest of the first queries that was found."""
        shared = [
            len(np.intersect1d(true[:NEAREST], near))
            for true, near, complete in zip(
                self.positions[:count], found[:count], self._complete(), strict=False
            )
            if complete
        ]
        return float(np.mean(shared)) / NEAREST

    def save(self, folder: Path) -> str:
        """Write it into a folder, and give the file's name."""
        np.savez(
            folder / TUNING,
            queries=self.queries,
            positions=self.positions,
            cosines=self.cosines,
            least=self.least,
            others=self.others,
            target=np.float64(self.target),
            recall=np.float64(self.recall),
        )
        return TUNING

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it from a folder.

        Raises:
            DamagedError: there is none, or it is no such file.
        """
        path = folder / TUNING
        try:
            with np.load(path, allow_pickle=False) as read:
                return cls(
                    read["queries"],
                    read["positions"],
                    read["cosines"],
                    read["least"],
                    # Earlier releases learnt from none, and asked for nothing else.
                    read["others"] if "others" in read else read["queries"][:0],
                    float(read["target"]) if "target" in read else TARGET_RECALL,
                    float(read["recall"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DamagedError(f"{path} cannot be read: {error}. Build it again.") from None


def _nearer(cosines: Vectors, least: Vectors) -> tuple[Vectors, Positions]:
    """Of each row what is above its least: the nearest first, and one more than are kept at most.

    Args:
        cosines: float32 ``[m, n]``.
        least: float32 ``[m]``.

    Returns:
        Cosines float32 ``[m, k]`` and columns int64 ``[m, k]``, filled with ``-inf`` and -1.
    """
    rows, columns = np.nonzero(cosines > least[:, np.newaxis])
    near = cosines[rows, columns]
    order = np.lexsort((-near, rows))
    rows, columns, near = rows[order], columns[order], near[order]
    counts = np.bincount(rows, minlength=len(least))
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = rank <= _KNOWN
    width = min(int(counts.max(initial=0)), _KNOWN + 1)
    best = np.full((len(least), width), -1, dtype=np.int64)
    found = np.full((len(least), width), -np.inf, dtype=np.float32)
    best[rows[kept], rank[kept]] = columns[kept]
    found[rows[kept], rank[kept]] = near[kept]
    return found, best
