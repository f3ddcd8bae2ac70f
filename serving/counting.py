"""How many images have which values, counted in the planner's threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.collection import Collection, Kept
from models.database import SlowQueryError
from models.facets import Facet, Facets
from serving.errors import RequestError
from serving.planner import SOON, Planner, matching
from serving.wire.requests import FacetsRequest


@dataclass(frozen=True, slots=True)
class Counted:
    """Facets by field, of how many images, and what to tell of the question."""

    by_field: dict[str, Facet]
    images: int
    warnings: list[str]


async def count(
    planner: Planner, collection: Collection, fields: Sequence[str], kept: Kept | None
) -> Facets:
    """The facets of some fields over those that are kept, None for all.

    Raises:
        RequestError: it takes too long, or overload.
    """
    return await planner.look_up(_facets, collection, fields, kept)


async def count_matching(
    planner: Planner, collection: Collection, request: FacetsRequest
) -> Counted:
    """The facets that ``GET /facets`` asks for.

    Raises:
        RequestError: its filter makes no sense, it takes too long, or overload.
    """

    def counted() -> Counted:
        matches = None if request.filter is None else matching(collection, request.filter)
        kept = None if matches is None else matches.kept
        facets = _facets(collection, request.fields, kept)
        return Counted(
            facets.by_field,
            collection.count(kept),
            [*(matches.warnings if matches else ()), *facets.warnings],
        )

    return await planner.look_up(counted)


def _facets(collection: Collection, fields: Sequence[str] | None, kept: Kept | None) -> Facets:
    try:
        return collection.facets(fields, kept)
    except SlowQueryError:
        raise RequestError(
            503, "facets: they take too long: ask for fewer", "facets", SOON
        ) from None
