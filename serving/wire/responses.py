"""What is answered."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from serving.facets import Facet


class ImageFacts(BaseModel):
    """What is known of an image, whatever is sought.

    ``sources`` says where caption, alt text and each field of the metadata come from
    (:class:`models.items.Item`); ``text`` is what can be read in the image; ``width`` and
    ``height`` are the original's, in pixels; ``thumbhash`` is the image in some 25 bytes, as
    base64, to be shown until the thumbnail has come (https://evanw.github.io/thumbhash/).
    """

    id: str
    image_path: str
    alt_text: str
    image_url: str
    caption: str | None
    metadata: dict[str, Any]
    sources: dict[str, str]
    width: int | None = None
    height: int | None = None
    thumbhash: str | None = None
    text: str | None = None


class SearchResult(ImageFacts):
    """One image of an answer.

    ``similarity`` is the cosine, -1..1, null where nothing was sought; ``relevant`` is false far
    below the best (:mod:`models.relevance`).  ``score`` and ``matched`` are there where a mode was
    asked for: what the order goes by, and the rank in each ranking that the image is in,
    ``image`` for its looks or a column of :mod:`models.words`.  ``duplicates`` and
    ``duplicate_ids`` are there where images were folded: how many more candidates look like this
    one, and the ids of the ten best of them.
    """

    similarity: float | None
    relevant: bool
    score: float | None = None
    matched: dict[str, int] | None = None
    duplicates: int | None = None
    duplicate_ids: list[str] | None = None
    embedding: list[float] | None = None


class SearchResponse(BaseModel):
    """The images found, best first.

    ``total_relevant`` is there where an offset was given: how many images are relevant, of those
    that can be paged to; those that were folded count as one.  ``suggestion`` is what the query may
    have meant, where that was asked for and it has words that nobody knows.  ``facets`` are there
    where fields were named, by their names.  ``warnings`` tell of conditions that no image could
    meet, and of fields that none has, and are there only then.
    """

    results: list[SearchResult]
    total_relevant: int | None = None
    suggestion: str | None = None
    facets: dict[str, Facet] | None = None
    warnings: list[str] | None = None


class EncodeResponse(BaseModel):
    """L2-normalised vectors of the texts and then of the images, their width, and the model."""

    embeddings: list[list[float]]
    dim: int
    model: str


class TranscribeResponse(BaseModel):
    """The words of a recording; empty where nobody speaks."""

    text: str


class InfoResponse(BaseModel):
    """What answers: the facts of the bundle's manifest that are nobody's secret.

    ``version`` is the bundle's, as in the header ``X-Sightline-Bundle``; ``speech`` says
    whether recordings are heard.
    """

    model_config = ConfigDict(extra="allow")

    version: str
    speech: bool
    images: int
    model: dict[str, Any]
    index: dict[str, Any]


class ReloadResponse(BaseModel):
    """Which bundle answers from now on, and whether it is another than before."""

    version: str
    changed: bool


class ErrorDetail(BaseModel):
    """What is wrong: the field of the request (None: the whole), and the rule it broke."""

    field: str | None
    message: str


class ErrorResponse(BaseModel):
    """Every answer whose status is 400 or above."""

    error: ErrorDetail


class Json(Response):
    """A body that pydantic has serialised."""

    media_type = "application/json"
