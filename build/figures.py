"""What the ranks of right answers come to, and how far chance may move it.

Intervals are of 95 %, by bootstrap: the questions are drawn anew, with replacement, two thousand
times, from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECALL_AT = (1, 5, 10)
_SAMPLES = 2000
_SEED = 0
_TAILS = (2.5, 97.5)
_WIDTH = 24

Ranks = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure, and the ends of its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Estimate:
        """The mean of one value for each question, float64 ``[questions]``."""
        drawn = np.random.default_rng(_SEED).integers(len(values), size=(_SAMPLES, len(values)))
        low, high = np.percentile(values[drawn].mean(axis=1), _TAILS)
        return cls(float(values.mean()), float(low), float(high))

    def as_json(self) -> dict[str, Any]:
        """``value`` and ``interval``, shares of one."""
        return {
            "value": round(self.value, 4),
            "interval": [round(self.low, 4), round(self.high, 4)],
        }

    def told(self, form: Callable[[float], str]) -> str:
        """``41.2 (35.0 to 47.1)``, each number in a form."""
        return f"{form(self.value)} ({form(self.low)} to {form(self.high)})"


@dataclass(frozen=True)
class Figures:
    """Recall by depth and the mean reciprocal rank of the first right answer."""

    recall: dict[int, Estimate]
    mrr: Estimate

    @classmethod
    def of(cls, ranks: Ranks) -> Figures:
        """Of the first right answers' ranks, from 1, infinite where there is none."""
        recall = {k: Estimate.of((ranks <= k).astype(np.float64)) for k in RECALL_AT}
        return cls(recall, Estimate.of(1 / ranks))

    def as_json(self) -> dict[str, Any]:
        """``recall_at`` and ``mrr``."""
        return {
            "recall_at": {str(k): one.as_json() for k, one in self.recall.items()},
            "mrr": self.mrr.as_json(),
        }

    @staticmethod
    def heading() -> str:
        """What stands above :meth:`row`."""
        return "".join(f"{name:>{_WIDTH}}" for name in (*(f"R@{k}" for k in RECALL_AT), "MRR"))

    def row(self) -> str:
        """Recalls in percent."""
        cells = [*(one.told(_percent) for one in self.recall.values()), self.mrr.told(_share)]
        return "".join(f"{cell:>{_WIDTH}}" for cell in cells)


def gain(before: Ranks, after: Ranks, k: int) -> str:
    """By how many points more of the same questions are answered among the first ``k``."""
    won = (after <= k).astype(np.float64) - (before <= k)
    return Estimate.of(won).told(lambda share: f"{100 * share:+.1f}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _share(share: float) -> str:
    return f"{share:.2f}"
