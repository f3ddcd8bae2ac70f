"""What goes over the wire: requests, checked before they reach a batch, and answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

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
    model_validator,
)
from pydantic_core import from_json
from starlette.responses import Response

from models.filters import MAX_CONDITIONS, MAX_NAME, MAX_TEXT, MAX_VALUES, fits, read_filter
from serving.algebra import MAX_TERMS, MAX_WEIGHT
from serving.facets import Among, Facet, FieldNames

DEFAULT_K = 5
MAX_K = 1000
# Of what is sought: beyond, the rest of the list comes nowhere near the best.
MAX_OFFSET = 1000
# So many of the best can be had, page by page.
MAX_PAGED = 1100
# Of what is only put into order.
MAX_BROWSED = 100_000
MAX_QUERY = 1000
MAX_TEXTS = 256
MAX_IMAGES = 64
# Named in an address, which with so many of them has 7 KB: every proxy takes that.
MAX_ARCHIVED = 400


# The order where none is asked for.
RELEVANCE = "relevance"

T = TypeVar("T")
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
Offset = Annotated[StrictInt, Field(ge=0, le=MAX_BROWSED), BeforeValidator(_whole)]


Weight = Annotated[
    float, Field(strict=True, ge=-MAX_WEIGHT, le=MAX_WEIGHT, description="how much it counts")
]


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


def _read_json(written: object) -> object:
    """What a form, or an address, has as JSON."""
    if not isinstance(written, str):
        return written
    try:
        return from_json(written, allow_inf_nan=False)
    except ValueError:
        return written


class QueryPart(_Request):
    """One of several things that are sought together.

    A text, a picture of the bundle or one that is sent; what counts less than nothing is avoided.
    """

    text: QueryText | None = Field(None, description="what the picture shows")
    like: str | None = Field(None, description="the id of a picture that it should resemble")
    image: SentPicture | None = Field(None, description="a picture, as base64 or as a data URL")
    weight: Weight = 1.0

    @model_validator(mode="after")
    def _one_thing(self) -> QueryPart:
        if [self.text, self.like, self.image].count(None) != 2:
            raise ValueError("one of text, like and image is needed, and only one")
        return self


class _Question(_Request):
    """What any search may ask."""

    like: str | None = Field(None, description="the id of a picture that it should resemble")
    queries: Annotated[list[QueryPart], Field(min_length=1, max_length=MAX_TERMS)] | None = Field(
        None,
        description="texts and pictures that are sought together, each by its weight",
        examples=[[{"text": "a beach"}, {"text": "people", "weight": -0.5}]],
    )
    sort: Annotated[str, Field(min_length=1, max_length=MAX_NAME + 1)] | None = Field(
        None,
        description="the order of the relevant pictures: relevance, path, a field of the metadata, "
        "or spread, which mixes them; backwards with a minus. With it nothing need be sought",
        examples=["-taken_at"],
    )
    query: QueryText | None = Field(
        None, validate_default=True, description="what the picture shows", examples=["a red fox"]
    )
    syntax: Literal["plain", "algebra"] = Field(
        "plain", description="how query is read; as algebra: 2:beach + sunset - people"
    )
    spelling: bool = Field(
        False, description="tell what the query may have meant, where nobody knows its words"
    )
    mode: Literal["auto", "text", "image"] | None = Field(
        None,
        description="find by looks (image), by the words that are said of a picture (text), or by "
        "both; without it as image, but not told",
    )
    k: ResultCount = Field(DEFAULT_K, description="how many pictures")
    offset: Offset | None = Field(
        None,
        description="how many of the first to pass over; with it, 0 too, total_relevant is told; "
        f"at most {MAX_OFFSET} of what is sought",
    )
    negative: QueryText | None = Field(None, description="what it should not show")
    filter: Conditions | None = Field(
        None,
        description="what the metadata must equal, or the range in which it must lie",
        examples=[{"year": {"gte": 1990, "lt": 2000}, "licence": "CC0"}],
    )
    facets: FieldNames | None = Field(
        None,
        description="fields of the metadata: how many pictures have which values of each",
        examples=[["licence", "taken_at"]],
    )
    facets_of: Among = Field(
        "relevant",
        description="count the relevant pictures, of those that can be paged to, or all that match "
        "the filter and what is quoted, as it is anyway where nothing is sought",
    )
    min_similarity: float | None = Field(None, ge=-1, le=1, description="leave out what is below")
    fold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="show pictures that are alike once, the best of them: how alike, as a cosine; "
        "0.95 for copies in other sizes, cuttings and bursts",
        examples=[0.95],
    )
    diversity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="how much the relevant ones that follow each other are to differ: 0 not at "
        "all, 1 whatever their relevance",
    )
    include_embeddings: bool = Field(False, description="send each picture's vector too")

    @field_validator("offset")
    @classmethod
    def _within_reach(cls, offset: int | None, info: ValidationInfo) -> int | None:
        """Of what is sought, an index finds so many; an order of its own goes on to the end."""
        if offset is not None and offset > MAX_OFFSET and cls._seeks(info.data):
            raise ValueError(f"where something is sought, it is at most {MAX_OFFSET}")
        return offset

    @field_validator("diversity")
    @classmethod
    def _one_order(cls, diversity: float | None, info: ValidationInfo) -> float | None:
        if diversity and info.data.get("sort") not in (None, RELEVANCE):
            raise ValueError("it is an order of its own: leave it out, or leave out sort")
        return diversity

    @classmethod
    def _seeks(cls, given: Mapping[str, Any]) -> bool:
        """Whether any of the fields says what is sought."""
        return any(given.get(name) is not None for name in ("query", "like", "queries"))

    @property
    def order(self) -> str | None:
        """The order of the pictures, None where it is by relevance."""
        return None if self.sort == RELEVANCE else self.sort

    @property
    def wording(self) -> str:
        """The texts that are sought, for a log."""
        parts = [self.query, *(part.text for part in self.queries or ())]
        return "; ".join(text for text in parts if text is not None)


class SearchRequest(_Question):
    """``POST /search``: the pictures that a text describes, or that resemble one.

    ``query`` is needed unless ``like`` names a picture, or ``queries`` say what is sought; with
    several of these the pictures near all of them are.  Where ``sort`` gives an order, nothing
    need be sought: then it is that of all pictures that meet the filter.
    """

    @field_validator("query")
    @classmethod
    def _something_to_seek(cls, query: str | None, info: ValidationInfo) -> str | None:
        ordered = info.data.get("sort") not in (None, RELEVANCE)
        if query is None and not ordered and not cls._seeks(info.data):
            raise ValueError(f"a text of 1 to {MAX_QUERY} characters is needed")
        return query

    @field_validator("negative", "mode", "min_similarity", "fold", "diversity")
    @classmethod
    def _of_what_is_sought(cls, given: T, info: ValidationInfo) -> T:
        if given is not None and "query" in info.data and not cls._seeks(info.data):
            raise ValueError("nothing is sought: give a query as well, or leave it out")
        return given

    @property
    def seeks(self) -> bool:
        """Whether anything is sought, or pictures are only put into order."""
        return self._seeks(dict(self))


class ImageSearchRequest(_Question):
    """``POST /search_by_image``: the fields of a form beside the picture itself."""

    weight: Weight = Field(1.0, description="how much the picture counts")

    @classmethod
    def _seeks(cls, given: Mapping[str, Any]) -> bool:
        """The picture itself is sought."""
        return True

    @field_validator("k", "offset", mode="before")
    @classmethod
    def _number(cls, written: object) -> object:
        """A form's fields are texts."""
        number = isinstance(written, str) and re.fullmatch("[0-9]{1,9}", written)
        return int(number[0]) if number else written

    @field_validator(
        *("queries", "filter", "facets", "min_similarity", "include_embeddings", "weight"),
        *("spelling", "fold", "diversity"),
        mode="before",
    )
    @classmethod
    def _json(cls, written: object) -> object:
        """What is neither text nor count is written as in JSON."""
        return _read_json(written)


class FacetsRequest(_Request):
    """``GET /facets``: what stands behind the question mark."""

    fields: FieldNames | None = Field(
        None, description="fields of the metadata; without any those that make good filters"
    )
    filter: Conditions | None = Field(
        None, description="count the pictures that match it only: as in a search, in JSON"
    )

    @field_validator("filter", mode="before")
    @classmethod
    def _json(cls, written: object) -> object:
        """An address has nothing but texts."""
        return _read_json(written)


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


class PictureFacts(BaseModel):
    """What is known of a picture, whatever is sought.

    ``sources`` says where caption, alt text and each field of the metadata come from
    (:class:`models.items.Item`); ``text`` is what can be read in the picture; ``width`` and
    ``height`` are the original's, in pixels; ``thumbhash`` is the picture in some 25 bytes, as
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


class SearchResult(PictureFacts):
    """One picture of an answer.

    ``similarity`` is the cosine, -1..1, null where nothing was sought; ``relevant`` is false far
    below the best (:mod:`models.relevance`).  ``score`` and ``matched`` are there where a mode was
    asked for: what the order goes by, and the rank in each ranking that the picture is in,
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
    """The pictures found, best first.

    ``total_relevant`` is there where an offset was given: how many pictures are relevant, of those
    that can be paged to; those that were folded count as one.  ``suggestion`` is what the query may
    have meant, where that was asked for and it has words that nobody knows.  ``facets`` are there
    where fields were named, by their names.  ``warnings`` tell of conditions that no picture could
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
