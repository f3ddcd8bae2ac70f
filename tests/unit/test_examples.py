"""Searches to begin with find what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from build.examples import examples
from build.tags import Tagger
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex

DIM = 32
AXES = np.eye(DIM, dtype=np.float32)


class FakeModel:
    """Puts each text where ``places`` says, and takes the characters of a text for its tokens."""

    def __init__(self, places: dict[str, NDArray[np.float32]]) -> None:
        self._places = places

    def encode(self, given: Sequence[str] | Sequence[list[int]]) -> object:
        if isinstance(given[0], str):
            return [[ord(character) for character in cast("str", text)] for text in given]
        texts = ["".join(map(chr, cast("list[int]", ids))) for ids in given]
        return np.stack([self._places[text] for text in texts])


class FakeTagger:
    """Calls each image by its largest dimension."""

    def tags(self, vectors: NDArray[np.float32]) -> list[list[str]]:
        return [[f"tag {vector.argmax()}"] for vector in vectors]


def found(
    captions: dict[int, str], places: dict[str, NDArray[np.float32]], floor: float | None = 0.5
) -> list[str]:
    vectors = AXES[:8]
    model = FakeModel(places)
    return examples(
        captions,
        vectors,
        VectorIndex.build(vectors, "ip"),
        cast("Tokenizer", model),
        cast("TextEncoder", model),
        cast("Tagger", FakeTagger()),
        floor,
    )


PLACES = {f"tag {number}": AXES[number] for number in range(8)}


def test_they_are_captions_and_without_a_short_one_tags() -> None:
    long = "A caption " * 10
    places = PLACES | {"a fox": AXES[3], long: AXES[4]}
    told = found({3: "a fox", 4: long}, places)
    assert len(told) == len(set(told)) == 4
    assert set(told) <= {"a fox", *PLACES}
    # Of so few all are found where only they are.
    only = {text: place if text == "a fox" else AXES[31] for text, place in places.items()}
    assert found({3: "a fox"}, only) == ["a fox"]


def test_what_finds_something_else_or_nothing_is_none() -> None:
    elsewhere = {f"tag {n}": (AXES[(n + 4) % 8] - AXES[n]) / 2 for n in range(8)}
    assert found({}, elsewhere) == []
    # Below the floor, too, an image is the nearest.
    faint = {text: 0.4 * place + 0.9 * AXES[31] for text, place in PLACES.items()}
    assert found({}, faint) == []
    assert len(found({}, faint, floor=None)) == 4


@pytest.mark.parametrize("alike", [True, False])
def test_they_are_unlike_each_other(alike: bool) -> None:
    """Of five that mean nearly the same and three others, one of the five is there."""
    near = {f"tag {n}": (AXES[n] + 3 * AXES[20]) / np.float32(3.2) for n in range(5)}
    told = found({}, PLACES | near if alike else PLACES, floor=0.1)
    same = sum(text in near for text in told)
    assert same == 1 if alike else len(told) == 4
