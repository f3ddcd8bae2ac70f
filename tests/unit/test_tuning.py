"""What an index is tuned with, kept up to date without comparing with all again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import models.tuning
from build.moves import moves
from models.damage import DamagedError
from models.embeddings import Positions, Vectors
from models.tuning import Tuning

DIM = 8


def unit(chance: np.random.Generator, count: int) -> Vectors:
    rows = chance.standard_normal((count, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def true(queries: Vectors, vectors: Vectors) -> Positions:
    return np.argsort(-(queries @ vectors.T), axis=1)[:, :10]


@settings(max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
# More come at once that are near than are kept.
@example(1, 0, 0, 200)
@example(2, 3, 60, 60)
def test_the_nearest_are_those_of_a_comparison_with_all(
    seed: int, going: int, replacing: int, adding: int
) -> None:
    chance = np.random.default_rng(seed)
    vectors, queries = unit(chance, 300), unit(chance, 20)
    tuning = tuned(vectors, queries)
    for _ in range(6):
        chosen = chance.permutation(len(vectors))[: going + replacing]
        was_at = np.array([*chosen[going:], *[-1] * adding], dtype=np.int64)
        plan = moves(len(vectors), chosen[:going], was_at)
        coming = unit(chance, len(plan.new))
        after = np.empty((plan.count, DIM), dtype=np.float32)
        stays = plan.now_at >= 0
        after[plan.now_at[stays]] = vectors[stays]
        after[plan.new] = coming
        vectors = after
        tuning = tuning.changed(plan.now_at, plan.new, coming)
        known = (tuning.positions[:, :10] >= 0).all(axis=1)
        assert (tuning.positions[known, :10] == true(tuning.queries, vectors)[known]).all()
        # As long as few have gone all is known.
        assert known.all() or going + replacing > 3


def tuned(vectors: Vectors, queries: Vectors) -> Tuning:
    """With others that the index would have learnt from."""
    return Tuning.of(vectors, queries, queries[:3] + 1)


def exact(vectors: Vectors, least: int) -> models.tuning.Search:
    """Finds all with so many candidates, none with fewer."""

    def search(queries: Vectors, candidates: int) -> Positions:
        found = true(queries, vectors)
        return found if candidates >= least else np.full_like(found, -1)

    return search


def test_candidates_grow_until_enough_is_found_and_never_shrink() -> None:
    chance = np.random.default_rng(0)
    vectors = unit(chance, 300)
    tuning = tuned(vectors, unit(chance, 700))
    assert len(tuning.queries) == 500
    candidates, recall, tuning = tuning.first(exact(vectors, 1024))
    assert (candidates, recall, tuning.recall) == (1024, 1.0, 0.99)
    assert tuning.again(exact(vectors, 1024), 1024) == (1024, 1.0)
    assert tuning.again(exact(vectors, 512), 1024) == (1024, 1.0)
    assert tuning.again(exact(vectors, 4096), 1024) == (4096, 1.0)
    assert tuning.again(exact(vectors, 10_000), 1024) is None


def test_what_an_index_never_reached_is_not_asked_of_it_after_a_change() -> None:
    chance = np.random.default_rng(1)
    vectors = unit(chance, 300)

    def half(queries: Vectors, _: int) -> Positions:
        found = true(queries, vectors)
        found[:, 5:] = -1
        return found

    candidates, recall, tuning = tuned(vectors, unit(chance, 60)).first(half)
    assert (candidates, recall, tuning.recall) == (8192, 0.5, 0.5)
    assert tuning.again(half, 8192) == (8192, 0.5)


def test_where_most_of_what_was_near_is_gone_nothing_can_be_told() -> None:
    chance = np.random.default_rng(2)
    vectors = unit(chance, 300)
    tuning = tuned(vectors, unit(chance, 30))
    plan = moves(300, chance.permutation(300)[:280], np.empty(0, dtype=np.int64))
    tuning = tuning.changed(plan.now_at, plan.new, vectors[:0])
    assert tuning.again(exact(vectors, 0), 512) is None


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    written = tuned(unit(chance, 50), unit(chance, 5))
    assert written.save(tmp_path) == "tuning.npz"
    content = (tmp_path / "tuning.npz").read_bytes()
    read = Tuning.load(tmp_path)
    assert (read.positions == written.positions).all()
    assert (read.queries == written.queries).all()
    assert (read.cosines == written.cosines).all()
    assert (read.least == written.least).all()
    assert (read.others == written.others).all()
    assert read.others.shape == (3, 8)
    assert (read.recall, read.target) == (written.recall, written.target)
    # The same for the same: a build that changes nothing must not seem to.
    read.save(tmp_path)
    assert (tmp_path / "tuning.npz").read_bytes() == content


def test_that_of_an_earlier_release_has_learnt_from_none(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    tuned(unit(chance, 50), unit(chance, 5)).save(tmp_path)
    with np.load(tmp_path / "tuning.npz") as read:
        earlier = {name: read[name] for name in read if name not in ("others", "target")}
    np.savez(tmp_path / "tuning.npz", **earlier)
    read_again = Tuning.load(tmp_path)
    assert read_again.others.shape == (0, 8)
    assert read_again.target == 0.99


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_such_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tuning.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DamagedError, match=rf"^{re.escape(str(path))} cannot be read: .* again\.$"):
        Tuning.load(tmp_path)
