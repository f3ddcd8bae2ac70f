"""What is asked, checked before it reaches a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import from_json

from models.filters import MAX_NAME
from serving.algebra import MAX_TERMS
from serving.facets import Among, FieldNames
from serving.wire.fields import (
    DEFAULT_K,
    MAX_IMAGES,
    MAX_OFFSET,
    MAX_QUERY,
    MAX_TEXTS,
    RELEVANCE,
    Conditions,
    Offset,
    QueryText,
    ResultCount,
    SentImage,
    T,
    Weight,
)


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

    A text, an image of the bundle or one that is sent; what counts less than nothing is avoided.
    """

    text: QueryText | None = Field(None, description="what the image shows")
    like: str | None = Field(None, description="the id of an image that it should resemble")
    image: SentImage | None = Field(None, description="an image, as base64 or as a data URL")
    weight: Weight = 1.0

    @model_validator(mode="after")
    def _one_thing(self) -> QueryPart:
        if [self.text, self.like, self.image].count(None) != 2:
            raise ValueError("one of text, like and image is needed, and only one")
        return self


class _Question(_Request):
    """What any search may ask."""

    like: str | None = Field(None, description="the id of an image that it should resemble")
    queries: Annotated[list[QueryPart], Field(min_length=1, max_length=MAX_TERMS)] | None = Field(
        None,
        description="texts and images that are sought together, each by its weight",
        examples=[[{"text": "a beach"}, {"text": "people", "weight": -0.5}]],
    )
    sort: Annotated[str, Field(min_length=1, max_length=MAX_NAME + 1)] | None = Field(
        None,
        description="the order of the relevant images: relevance, path, a field of the metadata, "
        "or spread, which mixes them; backwards with a minus. With it nothing need be sought",
        examples=["-taken_at"],
    )
    query: QueryText | None = Field(
        None, validate_default=True, description="what the image shows", examples=["a red fox"]
    )
    syntax: Literal["plain", "algebra"] = Field(
        "plain", description="how query is read; as algebra: 2:beach + sunset - people"
    )
    spelling: bool = Field(
        False, description="tell what the query may have meant, where nobody knows its words"
    )
    mode: Literal["auto", "text", "image"] | None = Field(
        None,
        description="find by looks (image), by the words that are said of an image (text), or by "
        "both; without it as image, but not told",
    )
    k: ResultCount = Field(DEFAULT_K, description="how many images")
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
        description="fields of the metadata: how many images have which values of each",
        examples=[["licence", "taken_at"]],
    )
    facets_of: Among = Field(
        "relevant",
        description="count the relevant images, of those that can be paged to, or all that match "
        "the filter and what is quoted, as it is anyway where nothing is sought",
    )
    min_similarity: float | None = Field(None, ge=-1, le=1, description="leave out what is below")
    fold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="show images that are alike once, the best of them: how alike, as a cosine; "
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
    include_embeddings: bool = Field(False, description="send each image's vector too")

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
        """The order of the images, None where it is by relevance."""
        return None if self.sort == RELEVANCE else self.sort

    @property
    def wording(self) -> str:
        """The texts that are sought, for a log."""
        parts = [self.query, *(part.text for part in self.queries or ())]
        return "; ".join(text for text in parts if text is not None)


class SearchRequest(_Question):
    """``POST /search``: the images that a text describes, or that resemble one.

    ``query`` is needed unless ``like`` names an image, or ``queries`` say what is sought; with
    several of these the images near all of them are.  Where ``sort`` gives an order, nothing
    need be sought: then it is that of all images that meet the filter.
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
        """Whether anything is sought, or images are only put into order."""
        return self._seeks(dict(self))


class ImageSearchRequest(_Question):
    """``POST /search_by_image``: the fields of a form beside the image itself."""

    weight: Weight = Field(1.0, description="how much the image counts")

    @classmethod
    def _seeks(cls, given: Mapping[str, Any]) -> bool:
        """The image itself is sought."""
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
        None, description="count the images that match it only: as in a search, in JSON"
    )

    @field_validator("filter", mode="before")
    @classmethod
    def _json(cls, written: object) -> object:
        """An address has nothing but texts."""
        return _read_json(written)


class EncodeRequest(_Request):
    """``POST /encode``: the vectors of some texts, and of some images.

    An image is sent as base64, bare or as a data URL.
    """

    images: Annotated[list[SentImage], Field(max_length=MAX_IMAGES)] = Field(
        default_factory=list, description="images, as base64 or as data URLs"
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
