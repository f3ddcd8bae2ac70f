"""The vector index: exact, approximate, filtered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import models.index
from models.index import Metric, VectorIndex
from models.manifest import DamagedError


def unit_vectors(count: int, dim: int = 32, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def truly_nearest(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    return np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_exact_search_is_exact_and_gives_cosines(metric: Metric) -> None:
    vectors, queries = unit_vectors(500), unit_vectors(40, seed=1)
    similarities, positions = VectorIndex.build(vectors, metric).search(queries, 7)
    assert (positions == truly_nearest(queries, vectors, 7)).all()
    cosines = np.take_along_axis(queries @ vectors.T, positions, axis=1)
    np.testing.assert_allclose(similarities, cosines, atol=1e-6)


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_one_by_one_gives_what_a_batch_gives(metric: Metric) -> None:
    vectors = np.repeat(unit_vectors(60), 3, axis=0)  # every picture thrice: ties everywhere
    queries = unit_vectors(64, seed=1)
    index = VectorIndex.build(vectors, metric)
    _, together = index.search(queries, 9)
    alone = np.concatenate([index.search(query[None], 9)[1] for query in queries])
    assert (together == alone).all()


def test_a_filter_keeps_to_its_positions() -> None:
    vectors, queries = unit_vectors(500), unit_vectors(3, seed=1)
    among = np.array([3, 50, 77, 401])
    similarities, positions = VectorIndex.build(vectors, "ip").search(queries, 6, among)
    assert (np.sort(positions[:, :4]) == among).all()
    assert (positions[:, 4:] == -1).all()
    assert np.isneginf(similarities[:, 4:]).all()


def test_an_empty_filter_finds_nothing() -> None:
    index = VectorIndex.build(unit_vectors(10), "ip")
    _, positions = index.search(unit_vectors(2), 3, np.empty(0, dtype=np.int64))
    assert (positions == -1).all()


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_an_approximate_index_is_tuned_and_says_how(
    metric: Metric, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models.index, "EXACT_UP_TO", 1000)
    vectors, queries = unit_vectors(3000), unit_vectors(200, seed=1)
    built = VectorIndex.build(vectors, metric, queries)
    assert built.facts.kind == "pq"
    assert "text queries" in built.facts.tuned_with
    built.save(tmp_path / "index.faiss")
    index = VectorIndex.load(tmp_path / "index.faiss", built.facts)
    _, positions = index.search(queries, 10)
    true = truly_nearest(queries, vectors, 10)
    recall = np.mean([len(np.intersect1d(a, b)) for a, b in zip(true, positions, strict=True)]) / 10
    assert recall == pytest.approx(built.facts.recall_at_10, abs=0.02)
    assert recall >= 0.97

    among = np.arange(0, 3000, 7)
    _, positions = index.search(queries, 5, among)
    assert (positions == among[truly_nearest(queries, vectors[among], 5)]).all()


def test_an_answer_does_not_depend_on_how_many_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models.index, "EXACT_UP_TO", 1000)
    vectors, queries = unit_vectors(3000), unit_vectors(50, seed=1)
    index = VectorIndex.build(vectors, "ip", queries)
    _, many = index.search(queries, 100)
    for k in (1, 3, 7, 10):
        assert (index.search(queries, k)[1] == many[:, :k]).all()
    alone = np.concatenate([index.search(query[None], 7)[1] for query in queries])
    assert (alone == many[:, :7]).all()


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_a_vector_comes_back_as_it_went_in(
    metric: Metric, coded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.index, "EXACT_UP_TO", 100 if coded else 1000)
    vectors = unit_vectors(1000)
    built = VectorIndex.build(vectors, metric)
    built.save(tmp_path / "index.faiss")
    index = VectorIndex.load(tmp_path / "index.faiss", built.facts)
    assert len(index) == 1000
    assert (index.reconstruct(13) == vectors[13]).all()


def test_what_is_no_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.faiss").write_bytes(b"no index at all")
    with pytest.raises(DamagedError, match=r"index\.faiss"):
        VectorIndex.load(tmp_path / "index.faiss", VectorIndex.build(unit_vectors(2), "ip").facts)
