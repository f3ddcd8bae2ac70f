"""Images by number, of which all else follows, and what a bundle of them answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import build.assemble
import build.renew
import models.vector_index
from models.bundle import Bundle
from tests.tiny_package import DIM

WORDS = ("fox", "owl", "boat", "snow", "lamp")


@contextmanager
def codes_for_few() -> Iterator[None]:
    """An index of codes for a hundred images and more."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (models.vector_index, build.assemble, build.renew):
            patch.setattr(module, "EXACT_UP_TO", 100)
        yield


def path_of(number: int) -> str:
    return f"{'abc'[number % 3]}/{number:04}.png"


def vector_of(number: int) -> NDArray[np.float32]:
    row = np.random.default_rng(number).standard_normal(DIM).astype(np.float32)
    row /= np.linalg.norm(row)
    return row


def facts_of(number: int) -> dict[str, Any]:
    return {
        "caption": f"{WORDS[number % 5]} number {number}" if number % 4 else None,
        "year": 1950 + number % 40 if number % 3 else None,
        "title": f"Title {number}",
        "rare": number if number % 50 == 0 else None,
        "when": f"20{number % 10:02}-0{1 + number % 9}-11" if number % 2 else None,
        "seen": number % 2 == 0,
        "tags": [WORDS[number % 5], WORDS[number % 3]] if number % 6 else None,
    }


class _Near(list[float]):
    """Numbers that were added up in another order: the same to a millionth."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and np.allclose(self, other, rtol=0, atol=1e-6)


def answers(folder: Path) -> dict[str, Any]:
    """What a bundle says of its images, by path."""
    with closing(Bundle.open(folder)) as bundle:
        items = {item.position: item for item in bundle.items}
        assert sorted(items) == list(range(len(bundle.index)))
        path = {position: item.image_path for position, item in items.items()}

        def found(conditions: dict[str, Any]) -> list[str]:
            return sorted(path[at] for at in bundle.items.matching(conditions).positions)

        # Of no more than the 128 that are ranked: which of equals are left out is chance.
        def named(query: str) -> dict[str, Any]:
            ranked = bundle.items.named(query, many=True)
            many = None if ranked.many is None else sorted(path[at] for at in ranked.many)
            best = {key: sorted(path[at] for at in some) for key, some in ranked.rankings.items()}
            return {"many": many} | best

        filters: list[dict[str, Any]] = [
            *({"year": {"gte": low, "lt": low + 7}} for low in range(1950, 1990, 7)),
            {"rare": {"exists": True}},
            {"rare": {"exists": False}},
            {"title": {"prefix": "Title 1"}},
            {"seen": True},
            {"tags": {"all": ["fox", "owl"]}},
            {"tags": {"not_in": ["boat"]}},
            {"year": 1961, "seen": False},
        ]
        queries = np.stack([vector_of(10_000 + number) for number in range(8)])
        similarities, positions = bundle.index.search(queries, 20)
        return {
            "items": {
                item.image_path: (
                    *(item.id, item.width, item.height, item.caption, item.alt_text),
                    *(item.text, item.metadata, item.sources, item.thumbhash),
                    bundle.index.reconstruct(position).tobytes(),
                    bundle.thumbnails.get(position),
                )
                for position, item in items.items()
            },
            "ids": {item.id: bundle.items.position_of(item.id) == at for at, item in items.items()},
            "filters": [found(conditions) for conditions in filters],
            "words": [named(query) for query in (*WORDS, "0017", '"owl number"', "owl lamp")],
            "facets": [bundle.items.facets(None), bundle.items.facets(["year", "when", "rare"])],
            "order": {
                by: [path[at] for at in bundle.items.ordered(by, stop=400).positions.tolist()]
                for by in ("path", "spread")
            },
            "spelling": [bundle.items.meant(word, lambda _: False) for word in ("foxx", "numbr")],
            "looks": {
                item.image_path: None if bundle.looks is None else bundle.looks.look(position)
                for position, item in items.items()
            },
            "near": [[path[at] for at in row] for row in positions.tolist()],
            "similarities": similarities.tolist(),
            "mean": _Near(bundle.index.mean().tolist()),
            "images": bundle.manifest.images,
            "root": bundle.manifest.image_root,
        }
