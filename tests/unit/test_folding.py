"""Images that look alike as groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.folding import SHARE_OF_EMBEDDING, Appearances, fold


def some(seed: int, count: int, without: float = 0.0) -> Appearances:
    """Images in clusters, so that there is something to fold; some have no look."""
    chance = np.random.default_rng(seed)
    centres = chance.integers(0, max(1, count // 3), count)

    def rows(dim: int) -> np.ndarray:
        of_centres = chance.standard_normal((count, dim))[centres]
        vectors = of_centres + 0.2 * chance.standard_normal((count, dim))
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit.astype(np.float32)

    embeddings, looks = rows(16), rows(8)
    looks[chance.random(count) < without] = 0
    return Appearances(embeddings, looks)


def likeness(all_of_them: Appearances, one: int, other: int) -> float:
    by_embedding = float(all_of_them.embeddings[one] @ all_of_them.embeddings[other])
    looks = all_of_them.looks
    if looks is None or not looks[one].any() or not looks[other].any():
        return by_embedding
    by_look = float(looks[one] @ looks[other])
    return SHARE_OF_EMBEDDING * by_embedding + (1 - SHARE_OF_EMBEDDING) * by_look


def one_by_one(candidates: Appearances, least: float) -> list[int]:
    """What :func:`fold` is to give, an image at a time."""
    heads: list[int] = []
    head_of = []
    for place in range(len(candidates)):
        like = (head for head in heads if likeness(candidates, place, head) >= least)
        head = next(like, place)
        if head == place:
            heads.append(place)
        head_of.append(head)
    return head_of


candidates = st.builds(
    some,
    st.integers(0, 1 << 16),
    # One block of those that are compared at once, and more of them.
    st.sampled_from([0, 1, 2, 40, 128, 129, 150]),
    st.sampled_from([0.0, 0.1, 1.0]),
)


@settings(max_examples=40)
@given(candidates, st.floats(0, 1))
def test_each_joins_the_first_head_that_it_is_like(those: Appearances, least: float) -> None:
    # What lies on the threshold to the last bits may fall either way.
    assume((abs(those.likeness(those) - least) > 1e-5).all())
    assert fold(those, least).tolist() == one_by_one(those, least)


@given(candidates, st.floats(0, 1), st.integers(0, 150), st.integers(0, 150))
def test_those_that_are_needed_are_as_among_all(
    those: Appearances, least: float, wanted: int, through: int
) -> None:
    whole = fold(those, least)
    part = fold(those, least, wanted, through)
    known = part >= 0
    assert (part[known] == whole[known]).all()
    assert known[:through].all()
    needed = np.flatnonzero(whole == np.arange(len(whole)))[:wanted]
    assert known[np.isin(whole, needed)].all()


@given(candidates, candidates, st.floats(0, 1))
def test_alike_are_those_whose_likeness_is_enough(
    those: Appearances, others: Appearances, least: float
) -> None:
    near = those.likeness(others)
    told = those.alike(others, least)
    assert told.shape == near.shape == (len(those), len(others))
    clear = abs(near - least) > 1e-5
    assert (told == (near >= least))[clear].all()


def test_without_looks_the_embeddings_count() -> None:
    those = some(3, 60)
    bare = Appearances(those.embeddings)
    assert np.allclose(bare.likeness(bare), those.embeddings @ those.embeddings.T)
    assert fold(bare, 0.9).tolist() == one_by_one(bare, 0.9)
    assert fold(bare[10:20], 0.9).tolist() == one_by_one(bare[10:20], 0.9)


@pytest.mark.parametrize("without", [0.0, 1.0])
def test_equal_ones_are_folded_at_one(without: float) -> None:
    those = some(4, 50, without)[np.repeat(np.arange(50), 3)]
    assert (fold(those, 1.0) <= np.repeat(np.arange(50), 3) * 3).all()
    assert set(fold(those, 1.0).tolist()) == set(range(0, 150, 3))


def test_a_few_without_look_among_many_are_compared_by_their_embeddings() -> None:
    """So few that not all are compared by both signs."""
    chance = np.random.default_rng(1)
    embeddings, looks = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in chance.standard_normal((2, 300, 32)).astype(np.float32)
    )
    looks[[7, 200]] = 0
    embeddings[100] = embeddings[7]
    those = Appearances(embeddings, looks)
    alike = those.alike(those, 0.9)
    assert set(zip(*(each.tolist() for each in np.nonzero(alike)), strict=True)) == {
        *((place, place) for place in range(300)),
        (7, 100),
        (100, 7),
    }
