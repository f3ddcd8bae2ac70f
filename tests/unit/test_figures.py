"""What ranks come to, with intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from build.figures import Estimate, Figures, gain


def test_figures_of_known_ranks() -> None:
    figures = Figures.of(np.array([1, 2, 6, np.inf]))
    assert {k: one.value for k, one in figures.recall.items()} == {1: 0.25, 5: 0.5, 10: 0.75}
    assert figures.mrr.value == pytest.approx((1 + 1 / 2 + 1 / 6) / 4)
    row = figures.row()
    assert row.split()[0] == "25.0"
    assert len(row) == len(Figures.heading())


def test_nine_of_ten_intervals_and_more_hold_the_truth() -> None:
    """As the theory of a share has it: of 200 samples of 100, drawn from one of 0.3."""
    samples = np.random.default_rng(7).random((200, 100)) < 0.3
    estimates = [Estimate.of(sample.astype(np.float64)) for sample in samples]
    held = sum(one.low <= 0.3 <= one.high for one in estimates)
    assert 180 <= held <= 198
    assert np.mean([one.high - one.low for one in estimates]) == pytest.approx(0.18, abs=0.02)


def test_the_same_ranks_give_the_same_figures() -> None:
    ranks = np.random.default_rng(1).integers(1, 30, 50).astype(np.float64)
    assert Figures.of(ranks) == Figures.of(ranks)
    written = json.loads(json.dumps(Figures.of(ranks).as_json()))
    low, high = written["recall_at"]["5"]["interval"]
    assert low <= written["recall_at"]["5"]["value"] <= high
    assert set(written) == {"recall_at", "mrr"}


def test_a_gain_is_told_question_by_question() -> None:
    worse, better = np.array([9.0, 9, 1, 1]), np.array([1.0, 9, 1, np.inf])
    assert gain(worse, worse, 5) == "+0.0 (+0.0 to +0.0)"
    assert gain(worse, better, 5).startswith("+0.0 (-")
    assert gain(np.full(4, np.inf), np.ones(4), 5) == "+100.0 (+100.0 to +100.0)"
