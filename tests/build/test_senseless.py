"""What nobody means has no match; what somebody means, and is there, has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from build.packages import open_package
from build.senseless import floor
from models.bundle import Bundle
from models.items import Item
from models.relevance import relevant
from models.vector_index import VectorIndex
from tests.tiny_package import write_tiny_package

pytestmark = pytest.mark.slow

NONSENSE = """
asdfgh, qwertz, xkcdqq, blorp, zzzzzz, fnord grommet, lkjhg poiu, jabberwock mimsy, vorpal snicker,
12 34 56, !!!, hjkl, wibble, florbnak, qzxwv, asdf jkl, mxyzptlk, grblfx, tlhIngan, uiop, bzzt krk,
gfdsa, plugh xyzzy, foobar baz, aaaa, sdkfjhskdjf, wertyuiop, dfghj vbnm, ghjkl, skdjf weoiru
"""
THINGS = """
a guitar, a red car, something to eat, a house by a tree, a dog, a cat, a bird, an airplane, a ship,
a bicycle, a flower, a mountain, the moon, a clock, a book, a chair, a hat, a shoe, a drum, a fish,
a horse, an owl, a tiger, bread, a cake, a pizza, a football, a train, a hammer, a teddy bear
"""
ANIMALS = """
a dog, a cat, a bird, a fish, a horse, an owl, a tiger, an animal, a pet, a rabbit, an elephant,
a snake, a monkey, a butterfly, a frog, a cow, a pig, a sheep, a mouse, a bear, a lion, a penguin,
a parrot, a duck, a spider, a koala, a squirrel, a fox, a turtle, a crab
"""
PHOTOGRAPHED = """
a dog, a cat, a bird, a flower, a mountain, a clock, a book, a chair, bread, a pizza, a ship,
an airplane, a fish, a tiger, an owl, food, a building, a person, a church, fruit, a boat, the sea,
a landscape, a beach, a guitar, a hammer, a drum, an animal, a tree, a road
"""
COLLECTIONS: dict[str, tuple[Callable[[Item], bool], str]] = {
    "the gallery": (lambda item: True, THINGS),
    "animals": (lambda item: item.image_path.startswith("animals/"), ANIMALS),
    "photographs": (lambda item: item.metadata["kind"] == "photograph", PHOTOGRAPHED),
}


@pytest.fixture(scope="module")
def opened(demo_bundle: Path) -> Iterator[Bundle]:
    with closing(Bundle.open(demo_bundle)) as bundle:
        yield bundle


def without_match(bundle: Bundle, index: VectorIndex, queries: list[str]) -> list[str]:
    least = floor(index, bundle.tokenizer, bundle.text_encoder)
    assert least is not None
    vectors = bundle.text_encoder.encode(bundle.tokenizer.encode(queries))
    similarities, _ = index.search(vectors, 12)
    backgrounds = vectors @ index.mean()
    return [
        query
        for query, found, background in zip(queries, similarities, backgrounds, strict=True)
        if not relevant(found, float(background), least).any()
    ]


def split(words: str) -> list[str]:
    return [one.strip() for one in words.split(",")]


def test_over_three_collections(opened: Bundle) -> None:
    nonsense = sensible = 0
    for wanted, words in COLLECTIONS.values():
        rows = [item.position for item in opened.items if wanted(item)]
        index = VectorIndex.build(np.stack([opened.index.reconstruct(row) for row in rows]), "ip")
        nonsense += len(without_match(opened, index, split(NONSENSE)))
        sensible += len(without_match(opened, index, split(words)))
    assert nonsense >= 0.9 * 90
    assert sensible <= 0.03 * 90


def test_what_a_collection_does_not_have_is_said(opened: Bundle) -> None:
    rows = [item.position for item in opened.items if item.image_path.startswith("animals/")]
    index = VectorIndex.build(np.stack([opened.index.reconstruct(row) for row in rows]), "ip")
    absent = ["a red car", "a house by a tree", "a bicycle", "bread", "a cake", "a train"]
    assert without_match(opened, index, absent) == absent


def test_a_model_that_knows_nothing_has_no_floor(opened: Bundle, tmp_path: Path) -> None:
    write_tiny_package(tmp_path / "random")
    package = open_package(tmp_path / "random")
    vectors = np.eye(package.card.embedding_dim, dtype=np.float32)
    index = VectorIndex.build(vectors, "ip")
    assert floor(index, package.tokenizer, package.text_encoder) is None
