"""Images that come take the places of those that go."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from build.moves import moves


@given(st.integers(0, 60), st.data())
def test_places_are_taken_once_each_and_without_a_gap(count: int, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(count)))
    gone = order[: data.draw(st.integers(0, count))]
    replaced = order[len(gone) :][: data.draw(st.integers(0, count))]
    added = data.draw(st.integers(0, 60))
    was_at = np.array([*replaced, *[-1] * added], dtype=np.int64)
    plan = moves(count, np.array(gone, dtype=np.int64), was_at)
    stays = [position for position in range(count) if position not in {*gone, *replaced}]
    places = [*plan.now_at[stays].tolist(), *plan.new.tolist()]
    assert sorted(places) == list(range(count - len(gone) + added)) == list(range(plan.count))
    assert all(plan.now_at[[*gone, *replaced]] == -1)
    # No more moves than it takes.
    moved = [position for position in stays if plan.now_at[position] != position]
    assert all(position >= plan.count for position in moved)
    for position, place in zip(replaced, plan.new.tolist(), strict=False):
        assert place == position or position >= plan.count
