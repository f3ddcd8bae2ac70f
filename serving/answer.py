"""From the images found to the bytes of an answer."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_core import to_json

from models.items import Item
from serving.counting import Counted
from serving.engine import Engine
from serving.found import Found, Hit
from serving.timing import server_timing
from serving.wire.responses import Json

# Says which bundle it was that answered.
BUNDLE_HEADER = "X-Sightline-Bundle"
_DECIMALS = 6
# Written in a millisecond; more would keep others waiting.
_WRITTEN_AT_ONCE = 100


async def results(found: Found, engine: Engine) -> Json:
    """The answer to a search, a :class:`serving.wire.responses.SearchResponse`."""
    headers = {"Server-Timing": server_timing(found.timing), BUNDLE_HEADER: engine.version}

    def written() -> bytes:
        return to_json(result_fields(found, engine))

    many = len(found.hits) > _WRITTEN_AT_ONCE
    return Json(await asyncio.to_thread(written) if many else written(), headers=headers)


def facets(counted: Counted, engine: Engine) -> Json:
    """What ``GET /facets`` tells, a :class:`serving.facets.FacetsResponse`."""
    fields: dict[str, Any] = {"facets": counted.by_field, "images": counted.images}
    if counted.warnings:
        fields["warnings"] = counted.warnings
    return Json(to_json(fields), headers={BUNDLE_HEADER: engine.version})


def facts(item: Item, engine: Engine) -> Json:
    """What is known of an image, a :class:`serving.wire.responses.ImageFacts`."""
    headers = {BUNDLE_HEADER: engine.version}
    return Json(to_json(_facts(item, engine.thumbnails)), headers=headers)


def result_fields(found: Found, engine: Engine) -> dict[str, Any]:
    """The fields of a :class:`serving.wire.responses.SearchResponse`."""
    version = engine.thumbnails
    fields: dict[str, Any] = {"results": [_fields(hit, version) for hit in found.hits]}
    # Only then, since clients of the older system know of no such fields.
    if found.total_relevant is not None:
        fields["total_relevant"] = found.total_relevant
    if found.suggestion is not None:
        fields["suggestion"] = found.suggestion
    if found.facets is not None:
        fields["facets"] = found.facets
    return fields | {"warnings": list(found.warnings)} if found.warnings else fields


def _fields(hit: Hit, version: str) -> dict[str, Any]:
    """One image of an answer, as :class:`serving.wire.responses.SearchResult` has it."""
    similarity = None if hit.similarity is None else round(hit.similarity, _DECIMALS)
    result = _facts(hit.item, version, similarity=similarity, relevant=hit.relevant)
    if hit.matched is not None:
        result["score"] = round(hit.score, _DECIMALS)
        result["matched"] = hit.matched
    if hit.duplicates is not None:
        result["duplicates"] = hit.duplicates
        result["duplicate_ids"] = list(hit.duplicate_ids)
    if hit.vector is not None:
        result["embedding"] = hit.vector.tolist()
    return result


def _facts(item: Item, version: str, **found: Any) -> dict[str, Any]:
    """An image as :class:`serving.wire.responses.ImageFacts` has it.

    What a search found of it stands near the top, for people who read answers.
    """
    facts: dict[str, Any] = {
        "id": item.id,
        "image_path": item.image_path,
        **found,
        "alt_text": item.alt_text,
        "image_url": f"/images/{item.id}?size=thumbnail&v={version}",
        "caption": item.caption,
        "metadata": item.metadata,
        "sources": item.sources,
    }
    # Of an image that is an embedding alone neither is known.
    if item.width is not None:
        facts["width"], facts["height"] = item.width, item.height
    if item.thumbhash is not None:
        facts["thumbhash"] = item.thumbhash
    # Only then: few images have any.
    if item.text is not None:
        facts["text"] = item.text
    return facts
