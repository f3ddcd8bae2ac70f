"""Facets over the wire: which are asked for, and what an answer says of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from models.facet_counts import MOST_VALUES
from models.filters import MAX_NAME
from models.histogram import MOST_BUCKETS

MAX_FACETS = 16

FieldNames = Annotated[
    list[Annotated[str, StringConstraints(max_length=MAX_NAME)]], Field(max_length=MAX_FACETS)
]
Among = Literal["relevant", "matching"]


class ValueCount(BaseModel):
    """A value of a field, and how many pictures have it."""

    value: str | bool | int | float
    count: int


class YearCount(BaseModel):
    """A year, and how many pictures are of it and of each of its months, ``2019-07``.

    Months that no picture is of are not there, nor are pictures whose month is not known.
    """

    year: int
    count: int
    months: dict[str, int]


class Bucket(BaseModel):
    """How many pictures have a number that is ``gte`` and ``lt``, as a filter says it."""

    gte: float
    lt: float
    count: int


class Facet(BaseModel):
    """How many pictures have which values of a field.

    One of ``values``, ``dates`` and ``histogram`` is there, always the same of the same bundle's
    field.  ``values`` are those that most pictures have, first, where a field has texts, booleans
    or few different numbers.  ``histogram`` is there of a field with many numbers and nothing
    else, with ``min`` and ``max``, null where there is no number; ``dates``, ascending, of a field
    with dates and nothing else.

    ``total`` is how many different values there are, of dates how many months; ``missing`` how
    many pictures have none.
    """

    values: Annotated[list[ValueCount], Field(max_length=MOST_VALUES)] | None = None
    dates: list[YearCount] | None = None
    min: float | None = None
    max: float | None = None
    histogram: Annotated[list[Bucket], Field(max_length=MOST_BUCKETS)] | None = None
    total: int
    missing: int


class FacetsResponse(BaseModel):
    """The facets of a bundle, or of the pictures that match a filter; ``pictures``: how many.

    ``warnings`` tell of fields that no picture has, and of conditions that none could meet, and
    are there only then.
    """

    facets: dict[str, Facet]
    pictures: int
    warnings: list[str] | None = None
