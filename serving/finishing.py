"""What takes a while of a search: fold, vary, put into order, look up.

In one of the planner's threads, so that no other search waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.collection import Collection
from models.folding import Appearances
from serving.arrangement import arrange
from serving.found import Found, Place, look_up
from serving.plan import Plan
from serving.planner import Planner


def finished(planner: Planner, collection: Collection, plan: Plan, found: Found) -> Found:
    """The same with its places folded, varied, put into order and looked up.

    Raises:
        RequestError: 503, it takes too long.
    """
    started = time.perf_counter()
    places, warnings, total = found.places, found.warnings, found.total_relevant
    if plan.is_arranged:
        places, total = _arranged(plan, places, collection)
    if plan.sort is not None:
        place_of = {place.position: place for place in places if place.relevant}
        kept = collection.these(sorted(place_of))
        ordered = planner.ordered(plan.sort, kept, start=plan.page.start, stop=plan.page.stop)
        places = [place_of[position] for position in ordered.positions.tolist()]
        warnings = (*warnings, *ordered.warnings)
    [hits] = look_up(collection, [plan], [places])
    took = time.perf_counter() - started
    return replace(
        found,
        hits=hits,
        places=(),
        total_relevant=total,
        timing=replace(found.timing, lookup=found.timing.lookup + took),
        warnings=warnings,
    )


def _arranged(
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
