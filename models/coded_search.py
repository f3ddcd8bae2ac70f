"""Search by codes: a scan names candidates, and these are compared by their vectors.

Among few images, those that a filter keeps, all are compared by their vectors.  Among many
the scan of all codes names more candidates than usual, of which those that are kept are
compared: of a third of a million images to compare all takes ten times as long.
"""

from __future__ import annotations

import numpy as np

from models.coded_scan import CodedScan
from models.embeddings import Embeddings, Positions, Vectors
from models.exact import some_compared
from models.ranking import stacked

# So many times as many where more images are asked for than there are candidates.
_FURTHER = 4
# Among images that a filter keeps, so many candidates find the ten nearest (200 of 200
# queries, 1,000,000 images, where 1,024 find 99.65 %).
_KEPT_CANDIDATES = 4096
_SPARE = 1.2
# What it takes to compare with a vector, to look up a part of a code, and to hand on a candidate:
# nanoseconds (1,000,000 vectors 512 wide), of which only the ratios matter.
_COMPARE, _LOOK_UP, _HAND_ON = 260.0, 0.018, 130.0


class CodedSearch:
    """The nearest of many images; read-only, and safe from several threads.

    Args:
        scan: of the codes of all images.
        embeddings: their vectors.
    """

    def __init__(self, scan: CodedScan, embeddings: Embeddings) -> None:
        self._scan = scan
        self._embeddings = embeddings

    def of_all(self, queries: Vectors, k: int, candidates: int) -> tuple[Vectors, Positions]:
        """The ``k`` best of all images for each query: cosines and positions, ``[n, k]`` each.

        Args:
            queries: float32 ``[n, dim]``, each of length one.
            k: how many.
            candidates: how many are compared exactly, or more where ``k`` is.
        """
        named = self._scan.candidates(queries, candidates)
        rows = [
            some_compared(self._embeddings, query, k, near[near >= 0])
            for query, near in zip(queries, named, strict=True)
        ]
        while candidates < min(k, len(self._scan)):
            # Behind those before, so that a larger k changes nothing of what a smaller one gives.
            candidates *= _FURTHER
            named = self._scan.candidates(queries, candidates)
            rows = [
                self._with_further(query, k, row, near[near >= 0])
                for query, row, near in zip(queries, rows, named, strict=True)
            ]
        return stacked(rows, k)

    def among(self, query: Vectors, k: int, positions: Positions) -> tuple[Vectors, Positions]:
        """The best of the images at some positions.

        Args:
            query: float32 ``[dim]``, of length one.
            k: how many.
            positions: int64, ascending.
        """
        one_by_one, by_codes = self._costs_among(k, len(positions))
        if by_codes > one_by_one:
            return some_compared(self._embeddings, query, k, positions)
        kept = np.zeros(len(self._scan), dtype=np.bool_)
        kept[positions] = True
        asked_for = self._asked_for(k, len(positions))
        candidates = self._scan.candidates(query[np.newaxis], asked_for)
        near = candidates[candidates >= 0]
        near = near[kept[near]]
        # Where what is kept lies far from the query, few of it are among the candidates.
        enough = len(near) >= max(k, _KEPT_CANDIDATES)
        return some_compared(self._embeddings, query, k, near if enough else positions)

    def is_slow_among(self, count: int) -> bool:
        """Whether a search among so many images weighs as much as one among all.

        Those of a batch share one scan of the codes and take about a quarter of the time each;
        one among some goes its own way.
        """
        return min(self._costs_among(1, count)) > self._cost_of_all() / 4

    def _with_further(
        self, query: Vectors, k: int, found: tuple[Vectors, Positions], further: Positions
    ) -> tuple[Vectors, Positions]:
        """What was found, and behind it the best of what was not, ``k`` in all."""
        cosines, positions = found
        others = np.setdiff1d(further, positions)
        more_cosines, more = some_compared(self._embeddings, query, k - len(positions), others)
        return np.concatenate([cosines, more_cosines]), np.concatenate([positions, more])

    def _costs_among(self, k: int, count: int) -> tuple[float, float]:
        """What it takes to find the best of so many: comparing with each, or by codes."""
        by_codes = _HAND_ON * self._asked_for(k, count) + _COMPARE * max(k, _KEPT_CANDIDATES)
        return _COMPARE * count, self._cost_of_all() + by_codes

    def _cost_of_all(self) -> float:
        """What it takes to scan all codes."""
        return _LOOK_UP * self._scan.parts * len(self._scan)

    def _asked_for(self, k: int, count: int) -> int:
        """How many of all to ask for, so that among them there are enough of so many."""
        return int(_SPARE * max(k, _KEPT_CANDIDATES) * len(self._scan) / max(count, 1))
