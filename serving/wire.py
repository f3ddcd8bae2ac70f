"""What goes over the wire: requests, checked before they reach a batch, and answers."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from starlette.responses import Response

from models.filters import MAX_CONDITIONS, MAX_NAME, MAX_TEXT, MAX_VALUES, fits, read_filter

DEFAULT_K = 5
MAX_K = 100
MAX_QUERY = 1000
MAX_TEXTS = 256
MAX_IMAGES = 64


QueryText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY),
    # What is left without the white space around it is something.
    Field(json_schema_extra={"pattern": r"\S"}),
]


def _whole(number: object) -> object:
    """JSON knows no integers: 3.0 is as whole as 3."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


_DATA_URL = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _base64_of(picture: str) -> str:
    """What is base64 of a picture; it is decoded where that harms nobody."""
    if head := _DATA_URL.match(picture):
        return picture[head.end() :]
    if _ADDRESS.match(picture):
        raise ValueError(
            "no address is fetched: send the picture itself, as base64 or 'data:image/…;base64,…'"
        )
    return picture


SentPicture = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_base64_of),
    WithJsonSchema({"type": "string", "minLength": 1, "contentEncoding": "base64"}),
]


ResultCount = Annotated[StrictInt, Field(ge=1, le=MAX_K), BeforeValidator(_whole)]
# What SQLite can hold.
Position = Annotated[StrictInt, Field(ge=0, lt=1 << 63), BeforeValidator(_whole)]


_COMPARABLE = {
    "anyOf": [
        {"type": "string", "maxLength": MAX_TEXT},
        {"type": "number"},
    ]
}
_VALUE = {"anyOf": [*_COMPARABLE["anyOf"], {"type": "boolean"}, {"type": "null"}]}
_VALUES = {"type": "array", "items": _VALUE, "minItems": 1, "maxItems": MAX_VALUES}
_OPERATORS: dict[str, Any] = {
    **dict.fromkeys(("gt", "gte", "lt", "lte"), _COMPARABLE),
    **dict.fromkeys(("in", "not_in", "any", "all"), _VALUES),
    "exists": {"type": "boolean"},
    "prefix": {"type": "string", "maxLength": MAX_TEXT},
}
_FILTER_SCHEMA = {
    "type": "object",
    "maxProperties": MAX_CONDITIONS,
    "propertyNames": {"maxLength": MAX_NAME},
    "additionalProperties": {
        "anyOf": [
            *_VALUE["anyOf"],
            {
                "type": "object",
                "properties": _OPERATORS,
                "additionalProperties": False,
                "minProperties": 1,
            },
        ]
    },
}


def _makes_sense(conditions: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = _as_numbers(conditions)
    read_filter(told)
    return told


def _as_numbers(value: Any) -> Any:
    """Whole numbers that no database holds as what they are in JSON as well: 1e20."""
    if isinstance(value, dict):
        return {name: _as_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_numbers(one) for one in value]
    if isinstance(value, int) and not fits(value) and abs(value) <= sys.float_info.max:
        return float(value)
    return value


# Read as models.filters reads it, which names what is wrong better than pydantic could.
Conditions = Annotated[dict[str, Any], AfterValidator(_makes_sense), WithJsonSchema(_FILTER_SCHEMA)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchRequest(_Request):
    """``POST /search``: the pictures that a text describes, or that resemble one.

    ``query`` is needed unless ``like`` names a picture; with both, the pictures
    near both are sought.
    """

    like: str | None = Field(None, description="the id of a picture that it should resemble")
    query: QueryText | None = Field(
        None, validate_default=True, description="what the picture shows", examples=["a red fox"]
    )
    k: ResultCount = Field(DEFAULT_K, description="how many pictures")
    negative: QueryText | None = Field(None, description="what it should not show")
    filter: Conditions | None = Field(
        None,
        description="what the metadata must equal, or the range in which it must lie",
        examples=[{"year": {"gte": 1990, "lt": 2000}, "licence": "CC0"}],
    )
    min_similarity: float | None = Field(None, ge=-1, le=1, description="leave out what is below")
    include_embeddings: bool = Field(False, description="send each picture's vector too")

    @field_validator("query")
    @classmethod
    def _something_to_seek(cls, query: str | None, info: ValidationInfo) -> str | None:
        if query is None and info.data.get("like") is None:
            raise ValueError(f"a text of 1 to {MAX_QUERY} characters is needed")
        return query


class EncodeRequest(_Request):
    """``POST /encode``: the vectors of some texts, and of some pictures.

    A picture is sent as base64, bare or as a data URL.
    """

    images: Annotated[list[SentPicture], Field(max_length=MAX_IMAGES)] = Field(
        default_factory=list, description="pictures, as base64 or as data URLs"
    )
    texts: Annotated[list[QueryText], Field(max_length=MAX_TEXTS)] = Field(
        default_factory=list, validate_default=True, description="texts"
    )

    @field_validator("texts")
    @classmethod
    def _something_to_encode(cls, texts: list[str], info: ValidationInfo) -> list[str]:
        if not texts and not info.data.get("images"):
            raise ValueError("at least one text is needed, or one of 'images'")
        return texts


class ImageSearchRequest(_Request):
    """``POST /search_by_image``: the fields of a form beside the picture itself."""

    k: ResultCount = Field(DEFAULT_K, description="how many pictures")

    @field_validator("k", mode="before")
    @classmethod
    def _written(cls, k: object) -> object:
        """A form's fields are texts."""
        return int(k) if isinstance(k, str) and re.fullmatch("[0-9]{1,9}", k) else k


class PictureFacts(BaseModel):
    """What is known of a picture, whatever is sought.

    ``sources`` says where caption, alt text and each field of the metadata come from
    (:class:`models.items.Item`); ``text`` is what can be read in the picture.
    """

    id: str
    image_path: str
    alt_text: str
    image_url: str
    caption: str | None
    metadata: dict[str, Any]
    sources: dict[str, str]
    text: str | None = None


class SearchResult(PictureFacts):
    """One picture of an answer.

    ``similarity`` is the cosine, -1..1; ``relevant`` is false far below the best
    (:mod:`models.relevance`).
    """

    similarity: float
    relevant: bool
    embedding: list[float] | None = None


class SearchResponse(BaseModel):
    """The pictures found, best first.

    ``warnings`` tell of conditions that no picture could meet, and are there only then.
    """

    results: list[SearchResult]
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
    pictures: int
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
