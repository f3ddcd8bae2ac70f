"""Round edges around any numbers."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.histogram import MOST_BUCKETS, edges

numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("least", "greatest", "whole", "found"),
    [
        (1950, 2019, True, list(range(1950, 2021, 5))),
        (1951, 2018, True, list(range(1950, 2021, 5))),
        (0, 19, True, list(range(21))),
        (0, 20, True, list(range(0, 23, 2))),
        (3, 5, True, [3, 4, 5, 6]),
        (3, 5, False, [3, 3.2, 3.4, 3.6, 3.8, 4, 4.2, 4.4, 4.6, 4.8, 5, 5.2]),
        (-7, 7, True, list(range(-7, 9))),
        (100, 25_600, True, list(range(0, 26_001, 2000))),
        (5, 5, True, [5, 6]),
        (0.5, 0.5, False, [0.5, 0.5000000000000001]),
    ],
)
def test_edges_are_round(least: Any, greatest: Any, whole: bool, found: list[Any]) -> None:
    assert edges(least, greatest, whole=whole) == found


@given(numbers, numbers, st.booleans())
def test_every_number_lies_between_two(one: Any, other: Any, whole: bool) -> None:
    least, greatest = min(one, other), max(one, other)
    found = edges(least, greatest, whole=whole)
    assert 2 <= len(found) <= MOST_BUCKETS + 1
    assert found[0] <= least
    assert greatest < found[-1] or greatest == found[-1] == sys.float_info.max
    assert all(low < high for low, high in pairwise(found)) or least == sys.float_info.max
    assert all(abs(edge) <= max(sys.float_info.max, 2**63) for edge in found)


@given(st.integers(-(10**6), 10**6), st.integers(MOST_BUCKETS, 10**6))
def test_there_are_as_many_buckets_as_round_numbers_let(least: int, span: int) -> None:
    assert len(edges(least, least + span, whole=True)) > MOST_BUCKETS / 2.5
