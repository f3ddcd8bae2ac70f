"""What a search finds, before anything is looked up: places, folded and put into another order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.collection import Collection
from models.folding import Appearances
from models.items import Item
from serving.arrangement import arrange
from serving.plan import Plan

# So many ids of what was folded are told.
_DUPLICATE_IDS = 10


@dataclass(slots=True)
class Place:
    """What a :class:`Hit` says, but for the picture itself; ``folded`` are positions."""

    position: int
    similarity: float
    relevant: bool
    score: float
    matched: dict[str, int] | None = None
    folded: list[int] | None = None


def arranged(
    plan: Plan, places: Sequence[Place], collection: Collection
) -> tuple[list[Place], int | None]:
    """Those that a search asks for of all that it finds, folded and varied, and their count.

    All of them, where they are put into another order afterwards.
    """
    positions = [place.position for place in places]
    page = arrange(
        Appearances(
            collection.vectors(positions),
            None if plan.fold is None else collection.looks(positions),
        ),
        np.array([place.score for place in places], dtype=np.float32),
        np.array([place.relevant for place in places], dtype=np.bool_),
        plan.page if plan.sort is None else slice(0, len(places)),
        least=plan.fold,
        diversity=plan.diversity,
        counted=plan.offset is not None or plan.sort is not None,
    )
    shown = []
    for group in page.groups:
        place = places[group.head]
        place.relevant = group.relevant
        if plan.fold is not None:
            place.folded = [positions[other] for other in group.others]
        shown.append(place)
    return shown, page.total_relevant if plan.offset is not None else None


def told(places: Iterable[Place]) -> set[int]:
    """The positions of those of which an answer says something."""
    positions = set()
    for place in places:
        positions.add(place.position)
        if place.folded:
            positions.update(place.folded[:_DUPLICATE_IDS])
    return positions


def duplicates(place: Place, items: Mapping[int, Item]) -> tuple[int | None, tuple[str, ...]]:
    """How many others a place stands for, None where nobody asked, and the ids of the first."""
    if place.folded is None:
        return None, ()
    return len(place.folded), tuple(items[at].id for at in place.folded[:_DUPLICATE_IDS])
