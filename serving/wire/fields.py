"""What the fields of requests may hold, and how much of it."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)

from models.filters import MAX_CONDITIONS, MAX_NAME, MAX_TEXT, MAX_VALUES, fits, read_filter
from serving.algebra import MAX_WEIGHT

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


def _base64_of(image: str) -> str:
    """What is base64 of an image; it is decoded where that harms nobody."""
    if head := _DATA_URL.match(image):
        return image[head.end() :]
    if _ADDRESS.match(image):
        raise ValueError(
            "no address is fetched: send the image itself, as base64 or 'data:image/…;base64,…'"
        )
    return image


SentImage = Annotated[
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
