"""Images where nothing is sought, in an order of their own; and what values images have."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import repeat

from models.collection import Collection, Kept
from serving.counting import count
from serving.found import Found, Hit
from serving.plan import Vector
from serving.planner import Planner, matching
from serving.timing import Timing
from serving.wire.requests import SearchRequest


async def browse(planner: Planner, collection: Collection, request: SearchRequest) -> Found:
    """The images that meet a filter, in the order that is asked for.

    Raises:
        RequestError: a filter that makes no sense, it takes too long, or overload.
    """
    assert request.order is not None
    started = time.perf_counter()
    matches = None
    if request.filter is not None:
        matches = await planner.look_up(matching, collection, request.filter)
    filtered = time.perf_counter() - started
    kept = None if matches is None else matches.kept
    start = request.offset or 0
    ordered = await planner.look_up(
        planner.ordered, request.order, kept, start=start, stop=start + request.k
    )
    positions = ordered.positions.tolist()
    items = await planner.look_up(collection.get, positions)
    vectors: Iterable[Vector | None] = repeat(None)
    if request.include_embeddings:
        vectors = await planner.look_up(collection.vectors, positions)
    hits = [
        Hit(item, None, relevant=True, vector=vector)
        for item, vector in zip(items, vectors, strict=False)
    ]
    total = None
    if request.offset is not None:
        total = await planner.look_up(collection.count, kept)
    timing = Timing(filter=filtered, lookup=time.perf_counter() - started - filtered)
    warnings = (*(matches.warnings if matches else ()), *ordered.warnings)
    found = Found(hits, timing, warnings, total)
    if request.facets is None:
        return found
    return await with_facets(planner, collection, request.facets, kept, found)


async def with_facets(
    planner: Planner,
    collection: Collection,
    fields: Sequence[str],
    among: Kept | None,
    found: Found,
) -> Found:
    """What was found, and how many of some images have which values.

    Raises:
        RequestError: it takes too long, or overload.
    """
    started = time.perf_counter()
    counted = await count(planner, collection, fields, among)
    lookup = found.timing.lookup + time.perf_counter() - started
    return replace(
        found,
        timing=replace(found.timing, lookup=lookup),
        warnings=(*found.warnings, *counted.warnings),
        facets=counted.by_field,
    )
