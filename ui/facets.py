"""Which filters to offer: what the collection has, as the service counts it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard

_MOST_FACETS = 8
_LONGEST_VALUE = 60
# As far as a browser can count.
_MOST_NUMBER = 1 << 53
_YEAR = re.compile("[0-9]{4}")

Value = str | bool | int | float
Control = Literal["choice", "range", "years", "given"]


@dataclass(frozen=True)
class Facet:
    """A field, and how it is chosen.

    Of a ``choice`` some of the ``values`` are picked, each with how many images have it, None
    where nobody has counted; a ``range`` of numbers has two ends, as has one of ``years``; what is
    ``given`` by a link in a way that no control can show can only be given up.  ``bars`` are where
    the numbers or years lie, as labels and counts, for people to see.
    """

    name: str
    control: Control
    values: tuple[tuple[Value, int | None], ...] = ()
    least: float | None = None
    most: float | None = None
    bars: tuple[tuple[str, int], ...] = ()

    def is_whole(self, bounds: Mapping[str, Any]) -> bool:
        """Whether a range goes by whole numbers."""
        ends = [end for end in (self.least, self.most, *bounds.values()) if end is not None]
        return all(isinstance(number, int) or float(number).is_integer() for number in ends)


@dataclass(frozen=True)
class Choice:
    """Some values of a field: one of them an image is to have, or with ``excluded`` none."""

    values: tuple[Value, ...] = ()
    excluded: bool = False

    @classmethod
    def of(cls, condition: object) -> Choice | None:
        """A condition of a filter as a choice, None where it is no choice."""
        if can_choose(condition):
            return cls((condition,))
        if not isinstance(condition, dict) or len(condition) != 1:
            return None
        [(operator, values)] = condition.items()
        listed = operator in ("in", "not_in") and isinstance(values, list) and values
        if not listed or not all(map(can_choose, values)):
            return None
        return cls(tuple(values), operator == "not_in")

    @property
    def condition(self) -> Any:
        """The same as the service's filter has it; None where everything is chosen."""
        if not self.values:
            return None
        if self.excluded:
            return {"not_in": list(self.values)}
        return self.values[0] if len(self.values) == 1 else {"in": list(self.values)}


def can_filter(value: object) -> TypeGuard[str | int | float]:
    """Whether a value is one that several images may share, not a text of its own."""
    return can_choose(value) and not isinstance(value, bool)


def can_choose(value: object) -> TypeGuard[Value]:
    """Whether a value may be picked from a list."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_VALUE
    return isinstance(value, bool | int | float)


def facets(told: Mapping[str, Any], conditions: Mapping[str, Any]) -> list[Facet]:
    """The fields to filter by, those in use first, so that they can be given up.

    Args:
        told: what ``GET /facets`` says of each field.
        conditions: the filter in use.
    """
    known = {name: facet for name, said in told.items() if (facet := _read(name, said))}
    used = [_in_use(name, condition, known) for name, condition in conditions.items()]
    others = [facet for name, facet in known.items() if name not in conditions]
    # When an image was taken asks everybody.
    others.sort(key=lambda facet: facet.control != "years")
    return used + others[: max(0, _MOST_FACETS - len(used))]


def date_field(told: Mapping[str, Any]) -> str | None:
    """The field that says how old an image is, None where none does."""
    dated = [name for name, said in told.items() if isinstance(said, Mapping) and said.get("dates")]
    return "taken_at" if "taken_at" in dated else next(iter(dated), None)


def years_of(condition: object) -> tuple[int | None, int | None] | None:
    """The first and the last year of a condition, None where it is none of whole years.

    >>> years_of({"gte": "2019", "lt": "2022"})
    (2019, 2021)
    """
    if not isinstance(condition, dict) or not condition or not condition.keys() <= {"gte", "lt"}:
        return None
    if not all(isinstance(one, str) and _YEAR.fullmatch(one) for one in condition.values()):
        return None
    first, after = condition.get("gte"), condition.get("lt")
    return None if first is None else int(first), None if after is None else int(after) - 1


def between_years(first: int | None, last: int | None) -> dict[str, str] | None:
    """The condition that has all of some years, None where it has all there are.

    >>> between_years(2019, 2021)
    {'gte': '2019', 'lt': '2022'}
    """
    condition = {} if first is None else {"gte": f"{first:04d}"}
    if last is not None and last < 9999:
        condition["lt"] = f"{last + 1:04d}"
    return condition or None


def is_range(condition: object) -> TypeGuard[dict[str, int | float]]:
    """Whether a condition has nothing but ends that a field for numbers can show."""
    return (
        isinstance(condition, dict)
        and len(condition) > 0
        and condition.keys() <= {"gte", "lte"}
        and all(_is_number(bound) for bound in condition.values())
    )


def _read(name: str, said: object) -> Facet | None:
    """What the service says of a field; None where there is nothing to choose."""
    if not isinstance(said, Mapping):
        return None
    if dates := said.get("dates"):
        years = [(int(one["year"]), int(one["count"])) for one in dates]
        return Facet(name, "years", tuple(years), bars=_each_year(years))
    if (histogram := said.get("histogram")) and _is_number(said.get("min")):
        bars = tuple((f"{one['gte']:g} – {one['lt']:g}", int(one["count"])) for one in histogram)
        return Facet(name, "range", (), said["min"], said["max"], bars)
    counted = [(one["value"], int(one["count"])) for one in said.get("values") or ()]
    values = tuple((value, count) for value, count in counted if can_choose(value))
    numbers = [value for value, _ in values if _is_number(value)]
    if values and len(numbers) == len(values) and len(values) > 1:
        ordered = sorted((float(value), count) for value, count in values)
        bars = tuple((f"{value:g}", count) for value, count in ordered)
        return Facet(name, "range", values, min(numbers), max(numbers), bars)
    if len(values) < 2 and not said.get("missing"):
        return None
    return Facet(name, "choice", values) if values else None


def _each_year(years: Iterable[tuple[int, int]]) -> tuple[tuple[str, int], ...]:
    """The years without an image as well, that the bars stand where they belong."""
    counts = dict(years)
    return tuple((str(year), counts.get(year, 0)) for year in range(min(counts), max(counts) + 1))


def _in_use(name: str, condition: object, known: Mapping[str, Facet]) -> Facet:
    facet = known.get(name, Facet(name, "given"))
    choice = Choice.of(condition)
    if choice is not None:
        counted = facet.values if facet.control != "years" else ()
        there = {json.dumps(value) for value, _ in counted}
        # True is 1, and yet another value.
        new = {json.dumps(value): value for value in choice.values}
        further = [(value, None) for written, value in new.items() if written not in there]
        return Facet(name, "choice", (*counted, *further))
    if years_of(condition) is not None and facet.control == "years":
        return facet
    if is_range(condition) and facet.control in ("range", "given"):
        return replace(facet, control="range")
    return Facet(name, "given")


def _is_number(bound: object) -> TypeGuard[int | float]:
    if not isinstance(bound, int | float) or isinstance(bound, bool):
        return False
    return abs(bound) < _MOST_NUMBER
