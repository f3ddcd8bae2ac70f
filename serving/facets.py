"""Facets over the wire: which are asked for, and what an answer says of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from models.facets import MOST_VALUES
from models.filters import MAX_NAME
from models.histogram import MOST_BUCKETS

MAX_FACETS = 16

FieldNames = Annotated[
    list[Annotated[str, StringConstraints(max_length=MAX_NAME)]], Field(max_length=MAX_FACETS)
]
Among = Literal["relevant", "matching"]


class ValueCount(BaseModel):
    """A value of a field, and how many images have it."""

    value: str | bool | int | float
    count: int


class YearCount(BaseModel):
    """A year, and how many images are of it and of each of its months, ``2019-07``.

    Months that no image is of are not there, nor are images whose month is not known.
    """

    year: int
    count: int
    months: dict[str, int]


class Bucket(BaseModel):
    """How many images have a number that is ``gte`` and ``lt``, as a filter says it."""

    gte: float
    lt: float
    count: int


class Facet(BaseModel):
    """How many images have which values of a field.

    One of ``values``, ``dates`` and ``histogram`` is there, always the same of the same bundle's
    field.  ``values`` are those that most images have, first, where a field has texts, booleans
    or few different numbers.  ``histogram`` is there of a field with many numbers and nothing
    else, with ``min`` and ``max``, null where there is no number; ``dates``, ascending, of a field
    with dates and nothing else.

    ``total`` is how many different values there are, of dates how many months; ``missing`` how
    many images have none.
    """

    values: Annotated[list[ValueCount], Field(max_length=MOST_VALUES)] | None = None
    dates: list[YearCount] | None = None
    min: float | None = None
    max: float | None = None
    histogram: Annotated[list[Bucket], Field(max_length=MOST_BUCKETS)] | None = None
    total: int
    missing: int


class FacetsResponse(BaseModel):
    """The facets of a bundle, or of the images that match a filter; ``images``: how many.

    ``warnings`` tell of fields that no image has, and of conditions that none could meet, and
    are there only then.
    """

    facets: dict[str, Facet]
    images: int
    warnings: list[str] | None = None
