"""Fewer axes, on which texts find the same images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.vectors import Space
from models.checksums import record_files
from models.damage import DamagedError
from models.folder import Folder
from models.projection import Projection, Vectors


def cosines_lost(projection: Projection, vectors: Vectors, queries: Vectors) -> float:
    """The part of the products' variance that is lost, of what tells a query's images apart."""
    true = queries @ vectors.T
    near = projection.of_texts(queries) @ projection.of_images(vectors).T
    error = near - true
    error -= error.mean(axis=1, keepdims=True)
    return float((error**2).mean() / true.var(axis=1).mean())


def images_and_texts(dim: int) -> tuple[Vectors, Vectors, Vectors]:
    """Images, texts to learn from, and others."""
    space = Space(dim)
    vectors = space.block(0)[:6000]
    texts = space.queries(vectors[:2000])
    return vectors, texts[:500], texts[1000:]


def test_fewer_axes_lose_little() -> None:
    vectors, texts, others = images_and_texts(128)
    projection = Projection.learn(vectors, texts)
    assert projection.dim == 128
    assert projection.axes <= 64
    assert projection.axes % 16 == 0
    assert projection.images.dtype == projection.texts.dtype == np.float32
    assert cosines_lost(projection, vectors, others) < 0.03
    # Learnt from images only, as many axes or more lose more of what texts seek.
    blind = Projection.learn(vectors, texts[:0])
    assert blind.axes >= projection.axes
    assert cosines_lost(blind, vectors, others) > 1.3 * cosines_lost(projection, vectors, others)


@settings(max_examples=30)
@given(st.integers(2, 40), st.integers(1, 50), st.integers(0, 20), st.integers(0, 9))
def test_where_all_axes_are_needed_nothing_is_lost(
    dim: int, count: int, asked: int, seed: int
) -> None:
    """However few vectors there are to learn from; of an odd number of axes one may go."""
    chance = np.random.default_rng(seed)
    vectors = chance.standard_normal((count, dim)).astype(np.float32)
    queries = chance.standard_normal((asked, dim)).astype(np.float32)
    projection = Projection.learn(vectors, queries)
    assert projection.axes % 2 == 0
    assert 2 <= projection.axes <= dim
    texts = chance.standard_normal((5, dim)).astype(np.float32)
    near = projection.of_texts(texts) @ projection.of_images(vectors).T
    assert np.isfinite(near).all()
    if projection.axes == dim:
        np.testing.assert_allclose(near, texts @ vectors.T, atol=1e-2 * dim)


@pytest.mark.parametrize("queries", [np.zeros((3, 8)), np.ones((3, 8)), np.zeros((0, 8))])
def test_images_that_are_all_the_same_are_projected(queries: Vectors) -> None:
    projection = Projection.learn(np.ones((20, 8), dtype=np.float32), queries.astype(np.float32))
    assert projection.axes == 8
    assert np.isfinite(projection.of_texts(np.ones((1, 8), dtype=np.float32))).all()


def test_a_text_is_projected_alike_in_any_company() -> None:
    vectors, texts, others = images_and_texts(64)
    projection = Projection.learn(vectors, texts)
    together = projection.of_texts(others)
    alone = [projection.of_texts(other[np.newaxis])[0] for other in others]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(together, others @ projection.texts.T, atol=1e-4)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    vectors, texts, _ = images_and_texts(64)
    written = Projection.learn(vectors, texts)
    assert written.save(tmp_path) == "projection.npy"
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, ["projection.npy"]))
    read = Projection.load(folder)
    np.testing.assert_array_equal(read.images, written.images)
    np.testing.assert_array_equal(read.texts, written.texts)


@pytest.mark.parametrize("shape", [(2, 8), (3, 4, 8), (2, 2, 2, 2), (0,)])
def test_what_is_no_projection_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "projection.npy", np.zeros(shape, dtype="<f4"))
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, ["projection.npy"]))
    with pytest.raises(DamagedError, match=r"projection\.npy is no projection"):
        Projection.load(folder)
