"""OpenAI's embeddings, as its clients and LangChain's ask for them; with images, too.

``POST /v1/embeddings`` and ``GET /v1/models`` are those of OpenAI's API reference.  For images
there are two forms: Jina's, ``{"input": [{"text": "a fox"}, {"image": "data:image/png;…"}]}``, and
Infinity's, ``{"modality": "image", "input": ["data:image/png;…"]}``.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    Field,
    StrictInt,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from serving.engine import Encoded, Engine
from serving.errors import RequestError
from serving.exchange import Exchange, numbers, read
from serving.operations import OF_QUESTIONS, Operation
from serving.protocols.protocol import Protocol, Question
from serving.ticket import Ticket
from serving.uploads import Upload, within_json
from serving.wire.fields import MAX_IMAGES, MAX_QUERY, QueryText, SentImage
from serving.wire.responses import Json

# OpenAI's own limit.
MAX_INPUTS = 2048


class Input(Question):
    """A text or an image."""

    text: QueryText | None = None
    image: SentImage | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Input:
        if (self.text is None) == (self.image is None):
            raise ValueError("either 'text' or 'image' is needed")
        return self


_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY, "pattern": r"\S"}
_IMAGE = {"type": "string", "minLength": 1, "contentEncoding": "base64"}
_ONE = {
    "anyOf": [
        _TEXT,
        {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]},
        {"type": "object", "properties": {"image": _IMAGE}, "required": ["image"]},
    ]
}
# As it is sent: a single one, or several.
Inputs = Annotated[
    list[Input],
    Field(min_length=1, max_length=MAX_INPUTS),
    WithJsonSchema(
        {
            "anyOf": [
                _ONE,
                {"type": "array", "items": _ONE, "minItems": 1, "maxItems": MAX_INPUTS},
            ]
        }
    ),
]


class EmbeddingsRequest(Question):
    """``POST /v1/embeddings``.

    ``modality`` says what bare strings in ``input`` are.
    """

    model: str | None = Field(None, description="as at /v1/models; the only one if left out")
    modality: Literal["text", "image"] = "text"
    input: Inputs
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: StrictInt | None = Field(None, description="the model's own, if it is given at all")

    @field_validator("input", mode="before")
    @classmethod
    def _as_list(cls, given: object, info: ValidationInfo) -> object:
        several = given if isinstance(given, list) else [given]
        if any(isinstance(one, int | list) for one in several):
            raise ValueError("tokens are not taken, which are another model's: send the text")
        kind = info.data.get("modality", "text")
        return [{kind: one} if isinstance(one, str) else one for one in several]

    @field_validator("input")
    @classmethod
    def _few_images(cls, given: list[Input]) -> list[Input]:
        if sum(one.image is not None for one in given) > MAX_IMAGES:
            raise ValueError(f"at most {MAX_IMAGES} images at once")
        return given


class Embedding(BaseModel):
    """One vector: numbers, or as base64 its little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """The tokens of the texts; images have none."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """L2-normalised vectors in the order of ``input``."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: Usage


class Model(BaseModel):
    """The model; ``created`` is seconds since 1970."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsResponse(BaseModel):
    """The models: one."""

    object: Literal["list"]
    data: list[Model]


class OpenAIErrorDetail(BaseModel):
    """What is wrong, and which field is at fault."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """Every answer whose status is 400 or above."""

    error: OpenAIErrorDetail


class _OpenAI:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def embeddings(self, request: Request) -> Response:
        question = await read(request, EmbeddingsRequest)
        with self._exchange.engine() as engine:
            _check(question, engine)
            texts = [one.text for one in question.input if one.text is not None]
            uploads = self._uploads(question)

            async def work(ticket: Ticket) -> tuple[Encoded, NDArray[np.float32]]:
                encoded = await engine.encode_texts(texts, ticket)
                return encoded, await engine.encode_images(uploads, ticket)

            encoded, of_images = await self._exchange.in_time(request, work)

            def answer() -> dict[str, Any]:
                of = {"text": iter(encoded.vectors), "image": iter(of_images)}
                vectors = [next(of["image" if one.image else "text"]) for one in question.input]
                return {
                    "object": "list",
                    "model": engine.bundle.manifest.model.name,
                    "data": [
                        {
                            "object": "embedding",
                            "index": index,
                            "embedding": _written(vector, question.encoding_format),
                        }
                        for index, vector in enumerate(vectors)
                    ],
                    "usage": {"prompt_tokens": encoded.tokens, "total_tokens": encoded.tokens},
                }

            return await numbers(engine, encoded.vectors.size + of_images.size, answer)

    async def models(self, request: Request) -> Response:
        with self._exchange.engine() as engine:
            card = engine.bundle.manifest.model
            model = {
                "id": card.name,
                "object": "model",
                "created": int(datetime.fromisoformat(card.created).timestamp()),
                "owned_by": "sightline",
            }
            return Json(to_json({"object": "list", "data": [model]}))

    def _uploads(self, question: EmbeddingsRequest) -> list[Upload]:
        return [
            within_json(one.image, f"input.{place}.image", self._exchange.max_upload)
            for place, one in enumerate(question.input)
            if one.image is not None
        ]


def _check(question: EmbeddingsRequest, engine: Engine) -> None:
    """Refuse what another model would have to answer.

    Raises:
        RequestError: 404, there is another model here; 400, its vectors have another width.
    """
    card = engine.bundle.manifest.model
    if question.model not in (None, card.name):
        raise RequestError(
            404, f"model: there is no {question.model!r} here, only {card.name!r}", "model"
        )
    if question.dimensions not in (None, card.embedding_dim):
        raise RequestError(
            400,
            f"dimensions: this model has {card.embedding_dim}, which cannot be cut: leave it out",
            "dimensions",
        )


def _written(vector: NDArray[np.float32], encoding: Literal["float", "base64"]) -> object:
    if encoding == "float":
        return vector.tolist()
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def protocol(exchange: Exchange) -> Protocol:
    """What clients of OpenAI's embeddings ask."""
    answers = _OpenAI(exchange)
    return Protocol(
        {
            Operation(
                "post",
                "/v1/embeddings",
                "Turn texts and images into vectors, for OpenAI's clients",
                body=EmbeddingsRequest,
                answer=EmbeddingsResponse,
                error=OpenAIError,
                errors=(*OF_QUESTIONS, 404, 501),
            ): answers.embeddings,
            Operation(
                "get",
                "/v1/models",
                "The model, for OpenAI's clients",
                answer=ModelsResponse,
                error=OpenAIError,
                errors=(503,),
            ): answers.models,
        },
        images=frozenset({"/v1/embeddings"}),
        in_words=_in_words,
    )


_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def _in_words(error: RequestError) -> OpenAIError:
    return OpenAIError(
        error=OpenAIErrorDetail(
            message=error.message,
            type="server_error" if error.status >= 500 else "invalid_request_error",
            param=error.field,
            code=_CODES.get(error.status),
        )
    )
