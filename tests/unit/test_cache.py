"""What the cache of query embeddings remembers, and for how long."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serving.cache import VectorCache
from serving.metrics import Metrics


class Encoder:
    """Gives each text a vector of its own and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, texts: list[list[int]]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([self.vector(text) for text in texts], dtype=np.float32)

    @staticmethod
    def vector(text: list[int]) -> list[float]:
        return [float(len(text)), float(sum(text))]


def cache_of(encoder: Encoder, size: int) -> VectorCache:
    return VectorCache(encoder, size, Metrics())


def test_a_text_is_encoded_once() -> None:
    encoder = Encoder()
    cache = cache_of(encoder, size=10)
    for _ in range(3):
        [vector] = cache.vectors([[1, 2]])
        assert vector.tolist() == [2, 3]
    assert encoder.asked == [[1, 2]]


def test_twice_in_one_batch_is_encoded_once() -> None:
    encoder = Encoder()
    first, other, again = cache_of(encoder, size=0).vectors([[1], [2], [1]])
    assert encoder.asked == [[1], [2]]
    assert first.tolist() == again.tolist() != other.tolist()


def test_the_one_used_longest_ago_is_forgotten() -> None:
    encoder = Encoder()
    cache = cache_of(encoder, size=2)
    cache.vectors([[1], [2]])
    cache.vectors([[1]])
    cache.vectors([[3]])
    encoder.asked.clear()
    cache.vectors([[1]])
    assert encoder.asked == []
    cache.vectors([[2]])
    assert encoder.asked == [[2]]


def test_without_room_nothing_is_remembered() -> None:
    encoder = Encoder()
    cache = cache_of(encoder, size=0)
    cache.vectors([[1]])
    cache.vectors([[1]])
    assert encoder.asked == [[1], [1]]


def test_hits_and_misses_are_counted() -> None:
    counters = Metrics()
    cache = VectorCache(Encoder(), 5, counters)
    cache.vectors([[1], [2]])
    cache.vectors([[2], [3]])
    exposition = counters.exposition().decode()
    assert "sightline_cache_hits_total 1.0" in exposition
    assert "sightline_cache_misses_total 3.0" in exposition


def test_what_is_remembered_does_not_keep_its_batch() -> None:
    cache = cache_of(Encoder(), size=5)
    cache.vectors([[1], [2], [3]])
    [again] = cache.vectors([[2]])
    assert again.base is None


@given(
    st.lists(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=6), max_size=8),
    st.integers(0, 4),
)
def test_the_answer_is_the_encoder_s_whatever_is_remembered(
    batches: list[list[list[int]]], size: int
) -> None:
    cache = cache_of(Encoder(), size)
    for batch in batches:
        vectors = cache.vectors(batch)
        assert [vector.tolist() for vector in vectors] == [Encoder.vector(text) for text in batch]
