"""Filters as Milvus evaluates them.

No text of a caller ever gets into an expression.  Whatever is compared is a number, or made of hex
digits, on both sides:

- ``facts``, an array of int64 per image, has a *token* for each fact: a checksum of field, kind
  and value.  To equal a value, to be one of many, to have all of some, and to have a field at all
  is to have a token.  Two of 10^9 different facts share one with a chance of 1 in 20; that one of
  them is asked for, and the other on an image that matters, is far less likely.
- ``values``, a JSON object, has the numbers and the texts of each field, ascending, for what asks
  for a range: ``{"FIELD": {"number": [1999], "text": ["313939"]}}``.  The name is a checksum,
  and a text its UTF-8 in hex, which sorts as the text does.

Of a field with several values each place is compared by itself, so an expression must know how
many there may be: an image with more than 1, 4, 16, … values has a token that says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from models.facts import facts_of
from models.filters import (
    KEPT_OF_A_TEXT,
    LAST_CHARACTER,
    MAX_NAME,
    Condition,
    Interval,
    Kind,
    Value,
    nfc,
)

# What every image meets, and none: positions are at least 0.
EVERYTHING, NOTHING = "position >= 0", "position < 0"
# So many values of one image for one field; more than the last are not looked at.
PLACES = (1, 4, 16, 64, 256)
_LARGEST = 1.7976931348623157e308
_LEAST_INTEGER = -(1 << 63)


def token(*parts: str) -> int:
    """The token of a fact, 0 to 2^63 - 1: Milvus Lite takes no negative number in an array."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def of_field(name: str) -> int:
    """What every image with a field has."""
    return token("field", name)


def of_kind(name: str, kind: Kind) -> int:
    """What every image has whose field has values of one kind."""
    return token("kind", name, kind)


def of_more(name: str, kind: Kind, places: int) -> int:
    """What every image has whose field has more than so many values of one kind."""
    return token("more", name, kind, str(places))


def of_value(name: str, kind: Kind, value: Value) -> int:
    """What every image has whose field has this value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return token("value", name, kind, str(value))


def columns(metadata: Mapping[str, Any]) -> tuple[list[int], dict[str, dict[str, list[Any]]]]:
    """What is known of an image, as ``facts`` and ``values``."""
    gathered: dict[str, dict[Kind, set[Value]]] = {}
    for name, value in metadata.items():
        # Nobody can ask for a longer name.
        if len(nfc(name)) <= MAX_NAME:
            kinds = gathered.setdefault(nfc(name), {})
            for kind, each in facts_of(value):
                kinds.setdefault(kind, set()).add(each)
    tokens: set[int] = set()
    values: dict[str, dict[str, list[Any]]] = {}
    for name, kinds in gathered.items():
        tokens.add(of_field(name))
        for kind, some in kinds.items():
            tokens.add(of_kind(name, kind))
            tokens.update(of_value(name, kind, each) for each in some)
            if kind in ("number", "text"):
                tokens.update(of_more(name, kind, most) for most in PLACES if len(some) > most)
                stored = values.setdefault(_key(name), {})
                stored[kind] = [_stored(kind, each) for each in sorted(some)[: PLACES[-1]]]
    return sorted(tokens), values


def has(*tokens: int) -> str:
    """The images that have one of some tokens."""
    return f"array_contains_any(facts, {_list(tokens)})"


def has_words(tokens: Iterable[int]) -> str:
    """The images of which all of some words are said."""
    return f"array_contains_all(words, {_list(tokens)})"


def expression(conditions: Iterable[Condition], places: Callable[[str, Kind], int]) -> str:
    """The images that meet all conditions.

    Args:
        conditions: of a filter, as :func:`models.filters.read_filter` gives them.
        places: how many values of one kind a field has in an image at the most.
    """
    parts = [
        f"(not {met})" if condition.negated else met
        for condition in conditions
        for met in [_met(condition, places)]
    ]
    return " and ".join(parts) or EVERYTHING


def among(positions: Iterable[int]) -> str:
    """The images at some positions."""
    some = _list(positions)
    return NOTHING if some == "[]" else f"position in {some}"


def _met(condition: Condition, places: Callable[[str, Kind], int]) -> str:
    name = condition.field
    if condition.intervals is None:
        return has(of_field(name))
    exact = [_token(name, interval) for interval in condition.intervals]
    tokens = [each for each in exact if each is not None]
    if len(tokens) == len(exact) and tokens:
        return f"array_contains_all(facts, {_list(tokens)})" if condition.every else has(*tokens)
    # A range or a prefix: of these a condition has one, or none that anything lies in.
    ranges = [
        _inside(name, interval, place)
        for interval in condition.intervals
        for place in range(places(name, interval.kind))
    ]
    return f"({' or '.join(ranges)})" if ranges else f"({NOTHING})"


def _token(name: str, interval: Interval) -> int | None:
    """The token of an interval that holds one value, or all of a kind; else None."""
    if interval.low is None and interval.high is None:
        return of_kind(name, interval.kind)
    if interval.low == interval.high and interval.low is not None:
        if interval.above or interval.below:
            return None
        return of_value(name, interval.kind, interval.low)
    return None


def _inside(name: str, interval: Interval, place: int) -> str:
    path = path_of(name, interval.kind, place)
    limits = []
    if interval.low is not None:
        limits.append(f"{path} {'>' if interval.above else '>='} {_literal(interval.low)}")
    if interval.high is not None:
        limits.append(f"{path} {'<' if interval.below else '<='} {_literal(interval.high)}")
    return f"({' and '.join(limits)})"


def path_of(name: str, kind: Kind, place: int = 0) -> str:
    """Where a value of a field is; the first one is the least."""
    return f'values["{_key(name)}"]["{kind}"][{place}]'


def value_in(values: Mapping[str, Any], name: str, kind: Kind) -> int | float | str:
    """The least value of a field of an image, of a text its hex digits.

    Args:
        values: of the image.
        name: of the field.
        kind: of the values; it has some.
    """
    least: int | float | str = values[_key(name)][kind][0]
    return least


def _key(name: str) -> str:
    return f"{of_field(name):016x}"


def _stored(kind: Kind, value: Value) -> Value:
    return of_text(value) if isinstance(value, str) else _finite(value)


def of_text(text: str) -> str:
    """A text in hex, which sorts as the text does; half a surrogate pair is kept."""
    return text.encode("utf-8", "surrogatepass").hex()


def _literal(value: Value) -> str:
    if not isinstance(value, str):
        return repr(_finite(value))
    # The end of a prefix, in which no text that begins with it has its last characters.
    beginning = value.removesuffix(LAST_CHARACTER * KEPT_OF_A_TEXT)
    return f'"{beginning.encode().hex()}{"" if beginning == value else "g"}"'


def _finite(number: int | float) -> int | float:
    """A number that JSON and Milvus's grammar have."""
    if number == _LEAST_INTEGER:
        # Written as a minus before a number that is too large.
        return float(number)
    return max(-_LARGEST, min(number, _LARGEST)) if isinstance(number, float) else number


def _list(numbers: Iterable[int]) -> str:
    return f"[{', '.join(map(str, numbers))}]"
