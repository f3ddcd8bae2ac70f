"""Codes that are changed where they lie are those that FAISS makes."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build.moves import moves
from models.codes import change_codes

MOST = 400


def trained(dim: int, block: int) -> faiss.IndexPQFastScan:
    index = faiss.IndexPQFastScan(dim, dim // 2, 4, faiss.METRIC_INNER_PRODUCT, block)
    index.train(np.random.default_rng(0).standard_normal((700, dim)).astype(np.float32))
    return index


TRAINED = {(dim, block): trained(dim, block) for dim in (24, 26) for block in (32, 64)}


@pytest.mark.parametrize(("dim", "block"), TRAINED)
@settings(max_examples=40)
@given(st.data())
def test_they_are_byte_for_byte_those_of_a_new_index(
    dim: int, block: int, data: st.DataObject
) -> None:
    chance = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    before = data.draw(st.integers(1, MOST))
    gone, replaced = np.split(
        chance.permutation(before)[: data.draw(st.integers(0, before))],
        [data.draw(st.integers(0, before))],
    )
    added = data.draw(st.integers(0, 200))
    plan = moves(before, gone, np.concatenate([replaced, np.full(added, -1)]))
    if not plan.count:
        return
    vectors = chance.standard_normal((before, dim)).astype(np.float32)
    coming = chance.standard_normal((len(plan.new), dim)).astype(np.float32)
    expected = np.empty((plan.count, dim), dtype=np.float32)
    stays = plan.now_at >= 0
    expected[plan.now_at[stays]] = vectors[stays]
    expected[plan.new] = coming

    changed, anew = (faiss.clone_index(TRAINED[dim, block]) for _ in range(2))
    changed.add(vectors)
    order = np.argsort(plan.new)
    change_codes(changed, plan.now_at, plan.new[order], coming[order])
    anew.add(expected)
    assert bytes(faiss.serialize_index(changed)) == bytes(faiss.serialize_index(anew))
