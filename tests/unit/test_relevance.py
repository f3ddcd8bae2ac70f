"""Which results are folded away, and that nothing else decides it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.manifest import SubjectFacts
from models.relevance import SHARE, relevant

scores = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30).map(
    lambda values: np.array(sorted(values, reverse=True), dtype=np.float32)
)


def test_far_below_the_best_is_folded_away() -> None:
    shown = relevant(np.array([0.30, 0.28, 0.22, 0.21], dtype=np.float32), background=0.20)
    assert shown.tolist() == [True, True, False, False]


def test_a_query_that_scores_low_throughout_is_judged_by_its_own_scale() -> None:
    high = np.array([0.80, 0.76, 0.62], dtype=np.float32)
    assert relevant(high, 0.6).tolist() == relevant(high - 0.5, 0.1).tolist()


def test_below_the_floor_nothing_is_a_match() -> None:
    similarities = np.array([0.5, 0.45, 0.2], dtype=np.float32)
    assert relevant(similarities, 0.1, 0.51).tolist() == [False, False, False]
    assert relevant(similarities, 0.1, 0.5).tolist() == relevant(similarities, 0.1).tolist()
    assert relevant(similarities[:0], 0.1, 0.5).tolist() == []


def test_where_all_is_meant_all_is_relevant() -> None:
    """A text as near to the average image as any name of a thing is."""
    similarities = np.array([0.60, 0.55, 0.50, 0.45, 0.27], dtype=np.float32)
    known = SubjectFacts(usual=0.20, most=0.50)
    assert relevant(similarities, 0.475).tolist() == [True, False, False, False, False]
    meant = relevant(similarities, 0.475, subject=known)
    # 0.2 of the way from 0.20 to 0.60 is 0.28.
    assert meant.tolist() == [True, True, True, True, False]
    for background in (0.46, 0.1):
        some = relevant(similarities, background, subject=known)
        assert some.tolist() == relevant(similarities, background).tolist()
    # Some name lies much nearer, or the average image far from the best.
    others = (SubjectFacts(usual=0.20, most=0.51), SubjectFacts(usual=0.40, most=0.48))
    for other in others:
        some = relevant(similarities, 0.475, subject=other)
        assert some.tolist() == relevant(similarities, 0.475).tolist()


def test_copies_of_one_image_are_alike_whatever_is_asked() -> None:
    similarities = np.array([0.40, 0.39, 0.38, 0.37], dtype=np.float32)
    known = SubjectFacts(usual=0.20, most=0.80)
    assert relevant(similarities, 0.385).tolist() == [True, False, False, False]
    assert relevant(similarities, 0.385, subject=known).all()
    assert not relevant(similarities, 0.365, subject=known).all()


def test_an_image_that_finds_itself_does_not_hide_those_like_it() -> None:
    shown = relevant(np.array([1.0, 0.7, 0.66, 0.3], dtype=np.float32), background=0.2)
    assert shown.tolist() == [True, True, True, False]


@given(scores, st.floats(-1, 1))
def test_the_first_is_always_shown_and_none_after_one_that_is_not(
    similarities: np.ndarray, background: float
) -> None:
    shown = relevant(similarities, background)
    assert shown[0]
    assert sorted(shown.tolist(), reverse=True) == shown.tolist()


@given(scores, st.floats(-1, 1), st.integers(1, 30))
def test_how_many_are_asked_for_changes_nothing(
    similarities: np.ndarray, background: float, k: int
) -> None:
    all_of_them = relevant(similarities, background)
    assert relevant(similarities[:k], background).tolist() == all_of_them[:k].tolist()


def test_the_border_lies_where_the_documentation_says() -> None:
    """docs/relevance.md: seven tenths of the way from the background to the best."""
    shown = relevant(np.array([0.4, 0.35, 0.33, 0.3], dtype=np.float32), background=0.2)
    assert shown.tolist() == [True, True, False, False]
    assert SHARE == 0.7


def test_a_background_below_zero_counts() -> None:
    shown = relevant(np.array([0.2, 0.1, 0.05], dtype=np.float32), background=-0.2)
    assert shown.tolist() == [True, True, False]
