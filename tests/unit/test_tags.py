"""The choice of words, with a text encoder whose geometry is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from build.tags import VOCABULARY, Tagger, read_vocabulary
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

DIM = 256


class FakeTokenizer:
    """Hands the texts on, as if their characters were the ids."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(character) for character in text] for text in texts]


class FakeEncoder:
    """Puts words where ``directions`` says; all texts share a strong common part."""

    def __init__(self, directions: dict[str, NDArray[np.float32]]) -> None:
        self._directions = directions
        self.common = np.zeros(DIM, np.float32)
        self.common[0] = 3.0

    def encode(self, token_ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        texts = ["".join(map(chr, ids)) for ids in token_ids]
        rows = [self.common + self._directions[t.removeprefix("a photo of ")] for t in texts]
        stacked = np.stack(rows)
        unit: NDArray[np.float32] = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)
        return unit


def axis(number: int) -> NDArray[np.float32]:
    vector = np.zeros(DIM, np.float32)
    vector[number] = 1.0
    return vector


def tagger(directions: dict[str, NDArray[np.float32]]) -> Tagger:
    # Words that have nothing to do with any image, as most of a vocabulary has not.
    others = {f"other{number}": axis(number) for number in range(30, DIM)}
    words = directions | others
    return Tagger(
        cast(Tokenizer, FakeTokenizer()), cast(TextEncoder, FakeEncoder(words)), list(words)
    )


def image(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vector / np.linalg.norm(vector))[None].astype(np.float32)


TIGER, GRASS, GUITAR = axis(1), axis(2), axis(3)


def test_names_what_is_nearest_first() -> None:
    subject = tagger({"grass": GRASS, "tiger": TIGER, "guitar": GUITAR})
    assert subject.alt_texts(image(TIGER + 0.95 * GRASS)) == ["Probably: tiger, grass"]


def test_leaves_out_what_is_much_farther_than_the_first() -> None:
    subject = tagger({"grass": GRASS, "tiger": TIGER, "guitar": GUITAR})
    assert subject.alt_texts(image(TIGER + 0.3 * GRASS)) == ["Probably: tiger"]


def test_three_tags_at_most() -> None:
    directions = {name: axis(number) for number, name in enumerate("abcde", start=1)}
    (tags,) = tagger(directions).tags(image(sum(directions.values(), np.zeros(DIM, np.float32))))
    assert len(tags) == 3


def test_an_image_of_nothing_in_particular_gets_one_guess() -> None:
    noise = np.random.default_rng(3).normal(size=DIM).astype(np.float32)
    assert [len(tags) for tags in tagger({"tiger": TIGER}).tags(image(noise))] == [1]


def test_says_a_thing_once() -> None:
    subject = tagger(
        {
            "guitar": GUITAR,
            "acoustic guitar": GUITAR + 2 * axis(4),  # the same word again
            "lute": GUITAR + 0.2 * axis(5),  # another word, nearly the same place
            "stage": axis(6),
        }
    )
    (tags,) = subject.tags(image(GUITAR + 2 * axis(4) + 2.1 * axis(6)))
    assert tags == ["acoustic guitar", "stage"]
    (tags,) = subject.tags(image(GUITAR + 0.95 * axis(6)))
    assert tags == ["guitar", "stage"]


def test_a_word_that_is_near_to_everything_has_no_advantage() -> None:
    subject = tagger({"tiger": TIGER, "image": 0.1 * axis(7), "guitar": GUITAR})
    # The image shares the texts' common direction, to which "image" lies nearest.
    vector = image(TIGER + 3 * axis(0))
    assert subject.tags(vector) == [["tiger"]]


def test_ties_fall_to_the_earlier_word() -> None:
    subject = tagger({"first": TIGER, "second": TIGER})
    assert subject.tags(image(TIGER)) == [["first"]]


def test_an_image_s_tags_do_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(7)
    subject = tagger({f"word{n}": axis(n) for n in range(1, 30)})
    vectors = rng.normal(size=(300, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    together = subject.tags(vectors)
    assert len(together) == 300
    for position in (0, 1, 150, 299):
        assert subject.tags(vectors[position : position + 1]) == [together[position]]


def test_no_images_no_tags() -> None:
    assert tagger({"tiger": TIGER}).alt_texts(np.zeros((0, DIM), np.float32)) == []


def test_an_empty_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one word"):
        Tagger(cast(Tokenizer, FakeTokenizer()), cast(TextEncoder, FakeEncoder({})), [])


def test_a_vocabulary_file_may_have_comments_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# cats, dogs\ntiger,  red panda,\n\ntiger, fox\n", encoding="utf-8")
    assert read_vocabulary(path) == ("tiger", "red panda", "fox")


def test_the_shipped_vocabulary_is_of_everyday_words() -> None:
    words = read_vocabulary(VOCABULARY)
    assert 600 <= len(words) <= 1500
    for word in ("person", "child", "tiger", "grass", "guitar", "beach", "kitchen", "drawing"):
        assert word in words
    assert all(word == word.strip().lower() and len(word.split()) <= 4 for word in words)
