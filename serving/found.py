"""What is found: places, before anything is looked up, and what an answer tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from models.collection import Collection
from models.facets import Facet
from models.items import Item
from serving.plan import Plan, Vector
from serving.timing import Timing

# So many ids of what was folded are told.
_DUPLICATE_IDS = 10


@dataclass(slots=True)
class Place:
    """What a :class:`Hit` says, but for the image itself; ``folded`` are positions."""

    position: int
    similarity: float
    relevant: bool
    score: float
    matched: dict[str, int] | None = None
    folded: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One image found, its cosine similarity to the query, and whether to show it.

    ``similarity`` is None where nothing was sought.

    ``score`` is what the order goes by; ``matched`` the rank in each ranking that it is in, None
    where nobody asked for that; ``duplicates`` how many others were folded into it, None where
    that was not asked for, and ``duplicate_ids`` the first of these.
    """

    item: Item
    similarity: float | None
    relevant: bool
    vector: Vector | None = None
    score: float = 0.0
    matched: dict[str, int] | None = None
    duplicates: int | None = None
    duplicate_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The images found, best first, and what to tell of the question.

    ``total_relevant`` is how many of those looked at are relevant, where that was asked for, and
    ``relevant`` are their positions, where these are to be counted; ``facets`` what was counted.
    ``suggestion`` is what the query may have meant.  ``places`` are what is still to be looked up,
    of a plan that takes a while.
    """

    hits: list[Hit]
    timing: Timing
    warnings: tuple[str, ...] = ()
    total_relevant: int | None = None
    suggestion: str | None = None
    places: Sequence[Place] = ()
    relevant: NDArray[np.int64] | None = None
    facets: dict[str, Facet] | None = None


def look_up(
    collection: Collection, plans: Sequence[Plan], found: Sequence[Sequence[Place]]
) -> list[list[Hit]]:
    """What is known of the places that each plan has found, in one look; safe from any thread."""
    wanted = sorted(_told(place for places in found for place in places))
    items = {item.position: item for item in collection.get(wanted)}
    return [
        _hits(collection, plan, places, items) for plan, places in zip(plans, found, strict=True)
    ]


def _hits(
    collection: Collection, plan: Plan, places: Sequence[Place], items: Mapping[int, Item]
) -> list[Hit]:
    vectors: Iterable[Vector | None] = repeat(None)
    if plan.with_vectors and places:
        vectors = collection.vectors([place.position for place in places])
    return [
        Hit(
            items[place.position],
            place.similarity,
            place.relevant,
            vector,
            place.score,
            place.matched,
            *_duplicates(place, items),
        )
        for place, vector in zip(places, vectors, strict=False)
    ]


def _told(places: Iterable[Place]) -> set[int]:
    """The positions of those of which an answer says something."""
    positions = set()
    for place in places:
        positions.add(place.position)
        if place.folded:
            positions.update(place.folded[:_DUPLICATE_IDS])
    return positions


def _duplicates(place: Place, items: Mapping[int, Item]) -> tuple[int | None, tuple[str, ...]]:
    """How many others a place stands for, None where nobody asked, and the ids of the first."""
    if place.folded is None:
        return None, ()
    return len(place.folded), tuple(items[at].id for at in place.folded[:_DUPLICATE_IDS])
