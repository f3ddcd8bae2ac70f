"""How well a ranking finds: recall, reciprocal rank and median rank of the first hits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

RECALL_AT = (1, 5, 10)


@dataclass(frozen=True)
class Standing:
    """Where the best hit of one query stands.

    ``better`` candidates score higher than it, ``tied`` as high (itself included), and
    ``hits`` of the tied are hits.  Ties count as drawn at random.
    """

    better: int
    tied: int
    hits: int

    def recall(self, k: int) -> float:
        """The probability that a hit is among the first ``k``."""
        drawn = min(max(k - self.better, 0), self.tied)
        misses = self.tied - self.hits
        return 1 - math.comb(misses, drawn) / math.comb(self.tied, drawn)

    def reciprocal_rank(self) -> float:
        """The expectation of one over the first hit's rank."""
        total, still_missing = 0.0, 1.0
        for drawn in range(self.tied - self.hits + 1):
            left = self.tied - drawn
            total += still_missing * self.hits / left / (self.better + drawn + 1)
            still_missing *= (left - self.hits) / left
        return total

    def rank(self) -> float:
        """The expectation of the first hit's rank, from 1."""
        return self.better + (self.tied + 1) / (self.hits + 1)


@dataclass(frozen=True)
class Ranking:
    """The standings of all queries under one way of ranking."""

    standings: list[Standing]

    def recall(self, k: int) -> float:
        """R@k: the share of queries with a hit among the first ``k``."""
        return fmean(standing.recall(k) for standing in self.standings)

    def mrr(self) -> float:
        """The mean reciprocal rank of the first hit."""
        return fmean(standing.reciprocal_rank() for standing in self.standings)

    def median_rank(self) -> float:
        """The median rank of the first hit."""
        return median(standing.rank() for standing in self.standings)

    def as_json(self) -> dict[str, Any]:
        """``recall_at``, ``mrr`` (shares of one) and ``median_rank``."""
        return {
            "recall_at": {str(k): round(self.recall(k), 4) for k in RECALL_AT},
            "mrr": round(self.mrr(), 4),
            "median_rank": self.median_rank(),
        }
