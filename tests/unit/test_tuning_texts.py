"""Texts that an index is tuned with, where a user brings none."""

from __future__ import annotations

import tracemalloc

import numpy as np

from build.assemble import tuning_texts


def test_they_are_captions_and_names_of_things_each_once() -> None:
    texts = tuning_texts(["A red fox", None, "", "A red fox", "A harbour"] * 10)
    assert texts == tuning_texts(["A red fox", None, "", "A red fox", "A harbour"] * 10)
    assert len(texts) == len(set(texts))
    assert all(texts)
    assert len(texts) > 500
    assert len(set(texts) - {"A red fox", "A harbour"}) >= len(texts) - 2


def test_of_very_many_captions_few_are_held() -> None:
    count = 200_000
    tracemalloc.start()
    texts = tuning_texts(f"image {number} of a long roll of film" for number in range(count))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 << 20
    numbers = np.array([int(text.split()[1]) for text in texts if text.startswith("image ")])
    assert 900 < len(numbers) <= 1000
    # From the first to the last of them.
    assert abs(numbers.mean() / count - 0.5) < 0.05
