"""What Weaviate's module multi2vec-clip asks its inference container.

The requests and answers are those of ``weaviate/multi2vec-clip-inference`` (``app.py``) and of
the client in ``weaviate/weaviate`` (``modules/multi2vec-clip/clients``), which sends no key.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from serving.errors import RequestError, starting
from serving.exchange import Exchange, numbers, read
from serving.operations import OF_QUESTIONS, Operation
from serving.protocols.protocol import Protocol, Question
from serving.ticket import Ticket
from serving.uploads import within_json
from serving.wire.fields import MAX_IMAGES, MAX_QUERY, MAX_TEXTS, SentImage
from serving.wire.responses import Json


class VectorizeRequest(Question):
    """``POST /vectorize``: an object's texts and images.

    A text may have any length, as an object's may: what no model reads of it is left out.
    """

    # Go writes a list that there is not as null.
    texts: Annotated[list[str], Field(max_length=MAX_TEXTS)] | None = None
    images: Annotated[list[SentImage], Field(max_length=MAX_IMAGES)] | None = None


class VectorizeResponse(BaseModel):
    """L2-normalised vectors in the order of the texts, and of the images."""

    textVectors: list[list[float]]  # noqa: N815
    imageVectors: list[list[float]]  # noqa: N815


class MetaResponse(BaseModel):
    """The facts of the bundle's manifest, as at ``GET /info``."""

    model_config = ConfigDict(extra="allow")


class WeaviateError(BaseModel):
    """What went wrong."""

    error: str


class _Weaviate:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def vectorize(self, request: Request) -> Response:
        question = await read(request, VectorizeRequest)
        texts = [text[:MAX_QUERY] for text in question.texts or ()]
        uploads = [
            within_json(image, f"images.{place}", self._exchange.max_upload)
            for place, image in enumerate(question.images or ())
        ]
        with self._exchange.engine() as engine:

            async def work(ticket: Ticket) -> Any:
                encoded = await engine.encode_texts(texts, ticket)
                return encoded.vectors, await engine.encode_images(uploads, ticket)

            of_texts, of_images = await self._exchange.in_time(request, work)
            return await numbers(
                engine,
                of_texts.size + of_images.size,
                lambda: {"textVectors": of_texts.tolist(), "imageVectors": of_images.tolist()},
            )

    async def meta(self, request: Request) -> Response:
        with self._exchange.engine() as engine:
            return Json(to_json(engine.bundle.manifest.public()))

    async def live(self, request: Request) -> Response:
        return Response(status_code=204)

    async def ready(self, request: Request) -> Response:
        if not self._exchange.ready:
            raise starting()
        return Response(status_code=204)


def protocol(exchange: Exchange) -> Protocol:
    """What Weaviate asks."""
    answers = _Weaviate(exchange)
    return Protocol(
        {
            Operation(
                "post",
                "/vectorize",
                "Turn texts and images into vectors, for Weaviate",
                body=VectorizeRequest,
                answer=VectorizeResponse,
                error=WeaviateError,
                errors=(*OF_QUESTIONS, 501),
            ): answers.vectorize,
            Operation(
                "get",
                "/meta",
                "What answers here, for Weaviate",
                answer=MetaResponse,
                error=WeaviateError,
                errors=(503,),
            ): answers.meta,
            Operation(
                "get",
                "/.well-known/live",
                "The process is well, for Weaviate",
                error=WeaviateError,
                errors=(),
                key=False,
            ): answers.live,
            Operation(
                "get",
                "/.well-known/ready",
                "Vectors are made, for Weaviate",
                error=WeaviateError,
                errors=(503,),
                key=False,
            ): answers.ready,
        },
        images=frozenset({"/vectorize"}),
        in_words=_in_words,
    )


def _in_words(error: RequestError) -> WeaviateError:
    return WeaviateError(error=error.message)
