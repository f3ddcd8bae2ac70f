"""Which filters to offer: the metadata of the pictures that this reader has met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from ui.answers import Picture

_MOST_VALUES = 40
_MOST_FACETS = 6
# A text that hardly two pictures share (a title) is no filter.
_LEAST_PICTURES_PER_VALUE = 1.5
_LONGEST_VALUE = 60

Value = str | int | float
Control = Literal["choice", "range", "given"]
# For each field and value the ids of the pictures that have it.
Seen = dict[str, dict[Value, set[str]]]


@dataclass(frozen=True)
class Facet:
    """A field, its values in order, and how it is chosen.

    Of a ``choice`` one value is picked, a ``range`` has two ends, and what is ``given``
    by a link in a way that neither can show can only be given up.
    """

    name: str
    values: tuple[Value, ...]
    control: Control

    def is_whole(self, bounds: Mapping[str, Any]) -> bool:
        """Whether a range goes by whole numbers."""
        return all(isinstance(number, int) for number in (*self.values, *bounds.values()))


def can_filter(value: object) -> TypeGuard[Value]:
    """Whether a value is one that several pictures may share, not a text of its own."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_VALUE
    return isinstance(value, int | float) and not isinstance(value, bool)


def meet(seen: Seen, pictures: Iterable[Picture]) -> None:
    """Add the metadata of some pictures to what was seen before."""
    for picture in pictures:
        for name, value in picture.metadata.items():
            for one in value if isinstance(value, list) else [value]:
                if can_filter(one):
                    seen.setdefault(name, {}).setdefault(one, set()).add(picture.id)


def facets(seen: Seen, conditions: Mapping[str, Any]) -> list[Facet]:
    """The fields worth a filter, those with the fewest values first.

    A field in use (``conditions``) is always there, so that it can be given up.
    """
    offered = []
    for name in {*seen, *conditions}:
        met = seen.get(name, {})
        values = set(met)
        in_use = conditions.get(name)
        if name not in conditions:
            if len(values) < 2:
                continue
            words = any(isinstance(value, str) for value in values)
            pictures = sum(len(ids) for ids in met.values())
            shared = pictures >= _LEAST_PICTURES_PER_VALUE * len(values)
            if words and (len(values) > _MOST_VALUES or not shared):
                continue
            control: Control = "choice" if words else "range"
        elif can_filter(in_use):
            values = values | {in_use}
            control = "choice"
        else:
            control = "range" if _is_range(in_use) else "given"
        ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
        offered.append(Facet(name, tuple(ordered), control))
    offered.sort(key=lambda facet: (facet.name not in conditions, len(facet.values), facet.name))
    return offered[: max(_MOST_FACETS, len(conditions))]


def _is_range(condition: object) -> bool:
    return (
        isinstance(condition, dict)
        and len(condition) > 0
        and condition.keys() <= {"gte", "lte"}
        and all(_is_number(bound) for bound in condition.values())
    )


def _is_number(bound: object) -> bool:
    if not isinstance(bound, int | float) or isinstance(bound, bool):
        return False
    # As far as a browser can count.
    return abs(bound) < 1 << 53
