"""What is found, folded and put into a more varied order, where a request asks for that.

Every page of a question arranges the same candidates, or an image could stand on two of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.diversity import diversified
from models.folding import Appearances, fold

# So many relevant results are put into another order; what stands behind them keeps its own.
VARIED = 256


@dataclass(frozen=True, slots=True)
class Group:
    """A result, the candidates that it stands for, best first, and whether any is relevant."""

    head: int
    others: list[int]
    relevant: bool


@dataclass(frozen=True, slots=True)
class Arranged:
    """The groups of a page, and how many groups are relevant, where that was to be counted."""

    groups: list[Group]
    total_relevant: int | None


def arrange(
    candidates: Appearances,
    scores: NDArray[np.float32],
    relevant: NDArray[np.bool_],
    page: slice,
    *,
    least: float | None,
    diversity: float | None,
    counted: bool,
) -> Arranged:
    """A page of the candidates, folded and then in a more varied order.

    Args:
        candidates: best first.
        scores: what their order goes by, float32 ``[n]``.
        relevant: which are, bool ``[n]``.
        page: which groups are asked for; begins and ends somewhere.
        least: :func:`models.folding.fold`; None leaves each by itself.
        diversity: :func:`models.diversity.diversified`, of the relevant; None leaves the order.
        counted: whether all relevant ones are to be counted.
    """
    count = len(candidates)
    everyone = np.arange(count)
    head_of = everyone
    if least is not None:
        all_relevant = counted or diversity is not None
        through = int((everyone[relevant] + 1).max(initial=0)) if all_relevant else 0
        head_of = fold(candidates, least, page.stop, through)
    shown = np.zeros(count, dtype=np.bool_)
    shown[head_of[relevant & (head_of >= 0)]] = True
    heads = np.flatnonzero(head_of == everyone)
    if diversity is not None:
        varied = heads[shown[heads]][:VARIED]
        embeddings = candidates.embeddings[varied]
        order = diversified(scores[varied], embeddings, diversity, page.stop)
        behind = heads[~np.isin(heads, varied)]
        heads = varied[order]
        # Where not all are in order yet, the page ends before.
        if len(order) == len(varied):
            heads = np.concatenate([heads, behind])
    return Arranged(
        [
            Group(
                head,
                [] if least is None else np.flatnonzero(head_of == head)[1:].tolist(),
                bool(shown[head]),
            )
            for head in heads[page].tolist()
        ],
        int(shown.sum()) if counted else None,
    )
