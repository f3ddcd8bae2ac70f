"""The arithmetic of rankings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.rankings import Ranking, Standing


def test_figures_of_a_known_ranking() -> None:
    ranking = Ranking([Standing(rank - 1, 1, 1) for rank in (1, 2, 6, 11)])
    assert [ranking.recall(k) for k in (1, 5, 10)] == [0.25, 0.5, 0.75]
    assert ranking.mrr() == pytest.approx((1 + 1 / 2 + 1 / 6 + 1 / 11) / 4)
    assert ranking.median_rank() == 4


@given(st.integers(0, 4), st.integers(1, 7), st.integers(1, 7), st.integers(1, 12))
def test_ties_count_as_drawn_by_lot(better: int, tied: int, hits: int, k: int) -> None:
    hits = min(hits, tied)
    standing = Standing(better, tied, hits)
    # Every way to lay out the tied candidates, hits being the first ``hits`` of them.
    firsts = [better + 1 + min(places) for places in itertools.combinations(range(tied), hits)]
    assert standing.recall(k) == pytest.approx(np.mean([first <= k for first in firsts]))
    assert standing.reciprocal_rank() == pytest.approx(np.mean([1 / first for first in firsts]))
    assert standing.rank() == pytest.approx(np.mean(firsts))
