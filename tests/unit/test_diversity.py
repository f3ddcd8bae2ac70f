"""An order in which images that follow each other differ."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.diversity import diversified


def drawn(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    vectors = chance.standard_normal((count, 6)).astype(np.float32) + 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = np.sort(chance.uniform(0.2, 0.3, count).astype(np.float32))[::-1]
    return relevance, vectors


def by_the_formula(relevance: np.ndarray, vectors: np.ndarray, diversity: float) -> list[int]:
    """Carbonell and Goldstein's, an image at a time."""
    alike = (vectors @ vectors.T).astype(np.float64)
    alike = (alike - alike.min()) / max(1 - alike.min(), 1e-12)
    spread = max(float(relevance.max() - relevance.min()), 1e-12)
    worth = (relevance.astype(np.float64) - relevance.min()) / spread
    order = [0]
    while len(order) < len(relevance):
        left = [place for place in range(len(relevance)) if place not in order]
        scores = [(1 - diversity) * worth[one] - diversity * max(alike[one, order]) for one in left]
        order.append(left[int(np.argmax(scores))])
    return order


def test_it_is_maximal_marginal_relevance() -> None:
    relevance, vectors = drawn(7, 40)
    for diversity in (0.1, 0.5, 0.9):
        order = diversified(relevance, vectors, diversity, 40).tolist()
        assert order == by_the_formula(relevance, vectors, diversity)
        assert order != list(range(40))


@given(st.integers(0, 1 << 16), st.integers(0, 30), st.floats(0, 1), st.integers(0, 40))
def test_the_first_of_many_are_those_of_few(
    seed: int, count: int, diversity: float, wanted: int
) -> None:
    relevance, vectors = drawn(seed, count)
    whole = diversified(relevance, vectors, diversity, count).tolist()
    assert sorted(whole) == list(range(count))
    assert diversified(relevance, vectors, diversity, wanted).tolist() == whole[:wanted]


@given(st.integers(0, 1 << 16), st.integers(1, 30))
def test_none_keeps_the_order(seed: int, count: int) -> None:
    relevance, vectors = drawn(seed, count)
    assert diversified(relevance, vectors, 0, count).tolist() == list(range(count))


def test_copies_come_last_where_only_the_difference_counts() -> None:
    _, vectors = drawn(5, 3)
    relevance = np.linspace(0.3, 0.2, 6, dtype=np.float32)
    order = diversified(relevance, np.repeat(vectors, 2, axis=0), 1, 6).tolist()
    assert {place // 2 for place in order[:3]} == {0, 1, 2}
    assert order[0] == 0


def test_equal_relevance_and_equal_images_are_no_matter() -> None:
    same = np.full(4, 0.5, dtype=np.float32)
    vectors = np.tile(np.array([[1, 0]], dtype=np.float32), (4, 1))
    assert diversified(same, vectors, 0.5, 4).tolist() == [0, 1, 2, 3]
