"""What the clients of clip-retrieval's back end ask: ``clip_retrieval.clip_client.ClipClient``.

The requests and answers are those of ``rom1504/clip-retrieval`` (``clip_client.py``,
``clip_back.py``).  An image's ``id`` is its position in the index, which lasts as long as the
bundle does.  There is one index, of images, and no model that rates them: what a client says of
safety, violence and aesthetics has no effect, as where the original has no such model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictFloat, field_validator
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from models.items import Item
from serving.answer import BUNDLE_HEADER
from serving.engine import Engine
from serving.errors import RequestError
from serving.exchange import Exchange, read
from serving.found import Found, Hit
from serving.operations import OF_QUESTIONS, Operation
from serving.plan import Vector
from serving.protocols.protocol import Protocol, Question
from serving.ticket import Ticket
from serving.uploads import within_json
from serving.wire.fields import MAX_QUERY, Position, ResultCount, SentImage
from serving.wire.requests import ImageSearchRequest, SearchRequest
from serving.wire.responses import Json

INDEX = "sightline"
# The original's: above this cosine to one that comes before it an image is a duplicate.
_DUPLICATE = 0.94
_MAX_IDS = 1000
_USUAL = 100
_DECIMALS = 6

IndexName = Annotated[Literal["sightline"], Field(description="as at /indices-list")]


class KnnRequest(Question):
    """``POST /knn-service``: images by a text, else by an image, else by a vector."""

    text: str | None = None
    image: SentImage | None = Field(None, description="as base64")
    image_url: str | None = Field(None, description="refused: no address is fetched")
    embedding_input: list[StrictFloat] | None = None
    modality: Literal["image"] = "image"
    num_images: ResultCount = Field(_USUAL, description="how many images, before duplicates go")
    indice_name: IndexName | None = None
    deduplicate: bool = False
    use_mclip: Literal[False] = Field(False, description="there is one text encoder")

    @field_validator("image_url")
    @classmethod
    def _no_address(cls, given: str | None) -> None:
        if given is not None:
            raise ValueError("no address is fetched: send the image itself as 'image'")


class KnnResult(BaseModel):
    """One image found, with the fields of its metadata; ``url`` is a thumbnail's."""

    model_config = ConfigDict(extra="allow")
    id: int
    similarity: float
    image_path: str
    caption: str
    url: str


class KnnResponse(RootModel[list[KnnResult]]):
    """The images found, best first."""


class IndicesResponse(RootModel[list[str]]):
    """The names of the indices: one."""


class MetadataRequest(Question):
    """``POST /metadata``: what is known of some images."""

    ids: Annotated[list[Position], Field(max_length=_MAX_IDS)]
    indice_name: IndexName | None = None


class Metadata(BaseModel):
    """What is known of one image: ``image_path``, ``caption``, ``url`` and its metadata."""

    id: int
    metadata: dict[str, Any]


class MetadataResponse(RootModel[list[Metadata]]):
    """What is known of each, in the order of the ids."""


class _ClipRetrieval:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def knn(self, request: Request) -> Response:
        question = await read(request, KnnRequest)
        self._exchange.note(request, question.text)
        with self._exchange.engine() as engine:

            async def work(ticket: Ticket) -> list[Hit]:
                found = await self._search(engine, question, ticket)
                if not question.deduplicate:
                    return found.hits
                return await engine.planner.look_up(_without_duplicates, engine, found.hits)

            hits = await self._exchange.in_time(request, work)
            answer = [
                _metadata(hit.item, engine, request)
                # What is sought has a similarity.
                | {"id": hit.item.position, "similarity": round(hit.similarity or 0.0, _DECIMALS)}
                for hit in hits
            ]
            return Json(to_json(answer), headers={BUNDLE_HEADER: engine.version})

    async def _search(self, engine: Engine, question: KnnRequest, ticket: Ticket) -> Found:
        k = question.num_images
        # Of several the original takes the first of these, too.
        if question.text and (text := question.text.strip()):
            return await engine.search(SearchRequest(query=text[:MAX_QUERY], k=k), ticket)
        if question.image is not None:
            upload = within_json(question.image, "image", self._exchange.max_upload)
            return await engine.search_by_image(upload.read, ImageSearchRequest(k=k), ticket)
        if question.embedding_input is not None:
            vector = _vector(question.embedding_input, engine.bundle.collection.dim)
            return await engine.search_by_vector(vector, k, ticket)
        raise RequestError(400, "text, image or embedding_input is needed")

    async def indices(self, request: Request) -> Response:
        return Json(to_json([INDEX]))

    async def metadata(self, request: Request) -> Response:
        question = await read(request, MetadataRequest)
        with self._exchange.engine() as engine:
            try:
                items = await engine.planner.look_up(engine.bundle.collection.get, question.ids)
            except KeyError as error:
                raise RequestError(404, f"ids: no image has the id {error}", "ids") from None
            answer = [
                {"id": item.position, "metadata": _metadata(item, engine, request)}
                for item in items
            ]
            return Json(to_json(answer), headers={BUNDLE_HEADER: engine.version})


def _vector(given: Sequence[float], dim: int) -> Vector:
    if len(given) != dim:
        raise RequestError(
            400,
            f"embedding_input: it has {len(given)} numbers, and vectors have {dim} here",
            "embedding_input",
        )
    vector = np.asarray(given)
    # Only its direction counts, and a square of what no float32 holds would be none either.
    largest = np.abs(vector).max()
    if not np.isfinite(largest) or largest == 0:
        raise RequestError(400, "embedding_input: it points nowhere", "embedding_input")
    unit: Vector = (vector / largest).astype(np.float32)
    return unit


def _without_duplicates(engine: Engine, hits: Sequence[Hit]) -> list[Hit]:
    """Those that resemble none before them all too much."""
    if not hits:
        return []
    vectors = engine.bundle.collection.vectors([hit.item.position for hit in hits])
    alike: list[bool] = (np.tril(vectors @ vectors.T, k=-1).max(axis=1) > _DUPLICATE).tolist()
    return [hit for hit, again in zip(hits, alike, strict=True) if not again]


def _metadata(item: Item, engine: Engine, request: Request) -> dict[str, Any]:
    thumbnail = f"images/{item.id}?size=thumbnail&v={engine.thumbnails}"
    return item.metadata | {
        "image_path": item.image_path,
        "caption": item.caption or item.alt_text,
        "url": f"{request.base_url}{thumbnail}",
    }


def protocol(exchange: Exchange) -> Protocol:
    """What clients of clip-retrieval ask."""
    answers = _ClipRetrieval(exchange)
    return Protocol(
        {
            Operation(
                "post",
                "/knn-service",
                "Find the images that resemble a text, an image or a vector, for ClipClient",
                body=KnnRequest,
                answer=KnnResponse,
                errors=(*OF_QUESTIONS, 501),
            ): answers.knn,
            Operation(
                "get",
                "/indices-list",
                "The names of the indices, for clients of clip-retrieval",
                answer=IndicesResponse,
                errors=(),
            ): answers.indices,
            Operation(
                "post",
                "/metadata",
                "What is known of some images, for clients of clip-retrieval",
                body=MetadataRequest,
                answer=MetadataResponse,
                errors=(*OF_QUESTIONS, 404),
            ): answers.metadata,
        },
        images=frozenset({"/knn-service"}),
    )
