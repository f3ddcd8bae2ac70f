"""Several rankings as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fusion import Mode, fuse, rankings_of
from models.words import Named

RANKING = st.lists(st.integers(0, 30), unique=True)
RANKINGS = st.dictionaries(st.sampled_from(["image", "caption", "path"]), RANKING)


def test_a_score_is_the_sum_of_what_the_ranks_give() -> None:
    found = fuse({"image": [7, 3, 9], "caption": [3, 4]})
    assert [one.position for one in found] == [3, 7, 4, 9]
    assert found[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert [one.matched for one in found] == [
        {"image": 2, "caption": 1},
        {"image": 1},
        {"caption": 2},
        {"image": 3},
    ]


def test_of_equals_the_lower_position_comes_first() -> None:
    assert [one.position for one in fuse({"image": [9, 2], "path": [4, 1]})] == [4, 9, 1, 2]


@given(RANKINGS)
def test_nobody_is_lost_and_ranks_are_told(rankings: dict[str, list[int]]) -> None:
    found = fuse(rankings)
    assert sorted(one.position for one in found) == sorted(set().union(*rankings.values()))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert one.matched
        for name, rank in one.matched.items():
            assert rankings[name][rank - 1] == one.position


@given(RANKING)
def test_one_ranking_stays_as_it_is(ranking: list[int]) -> None:
    assert [one.position for one in fuse({"image": ranking, "caption": []})] == ranking


NEAR = [5, 3, 9, 1]


@pytest.mark.parametrize(
    ("mode", "named", "rankings"),
    [
        ("image", Named({"caption": [3]}), {"image": NEAR}),
        ("text", Named({"caption": [3, 7]}), {"caption": [3, 7]}),
        ("auto", Named({"caption": [3, 7]}), {"caption": [3, 7], "image": NEAR}),
        ("text", Named({}, many=np.array([1, 3])), {"image": NEAR}),
        # What a name is said of is in no order but that of its looks; the others come last.
        ("text", Named({"people": [8, 1, 7, 3]}, partly=True), {"people": [3, 1, 7, 8]}),
    ],
)
def test_what_is_put_together(mode: Mode, named: Named, rankings: dict[str, list[int]]) -> None:
    assert rankings_of(mode, named, NEAR) == rankings
