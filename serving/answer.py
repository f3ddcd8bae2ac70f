"""From the pictures found to the bytes of an answer."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from serving.engine import Engine, Found, Hit
from serving.timing import server_timing
from serving.wire import Json

# Says which bundle it was that answered.
BUNDLE_HEADER = "X-Sightline-Bundle"
_DECIMALS = 6


def results(found: Found, engine: Engine) -> Json:
    """The answer to a search, a :class:`serving.wire.SearchResponse`."""
    headers = {"Server-Timing": server_timing(found.timing), BUNDLE_HEADER: engine.version}
    return Json(to_json(result_fields(found, engine)), headers=headers)


def result_fields(found: Found, engine: Engine) -> dict[str, Any]:
    """The fields of a :class:`serving.wire.SearchResponse`."""
    version = engine.thumbnails
    fields: dict[str, Any] = {"results": [_fields(hit, version) for hit in found.hits]}
    # Only then, since clients of the older system know of no such fields.
    if found.total_relevant is not None:
        fields["total_relevant"] = found.total_relevant
    return fields | {"warnings": list(found.warnings)} if found.warnings else fields


def _fields(hit: Hit, version: str) -> dict[str, Any]:
    """One picture of an answer, as :class:`serving.wire.SearchResult` has it."""
    item = hit.item
    result: dict[str, Any] = {
        "id": item.id,
        "image_path": item.image_path,
        "similarity": round(hit.similarity, _DECIMALS),
        "relevant": hit.relevant,
        "alt_text": item.alt_text,
        "image_url": f"/images/{item.id}?size=thumbnail&v={version}",
        "caption": item.caption,
        "metadata": item.metadata,
        "sources": item.sources,
    }
    if hit.matched is not None:
        result["score"] = round(hit.score, _DECIMALS)
        result["matched"] = hit.matched
    # Only then: few pictures have any.
    if item.text is not None:
        result["text"] = item.text
    if hit.vector is not None:
        result["embedding"] = hit.vector.tolist()
    return result
