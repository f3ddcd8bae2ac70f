"""Which filters to offer: the metadata of the pictures that this reader has met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ui.client import Picture

_MOST_VALUES = 40
_MOST_FACETS = 6
_LONGEST_VALUE = 60

Value = str | int | float
Seen = dict[str, set[Value]]


@dataclass(frozen=True)
class Facet:
    """A field and its values in order; ``numeric`` ones are filtered by a range."""

    name: str
    values: tuple[Value, ...]
    numeric: bool


def can_filter(value: object) -> bool:
    """Whether a value is one that several pictures may share, not a text of its own."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_VALUE
    return isinstance(value, int | float) and not isinstance(value, bool)


def meet(seen: Seen, pictures: Iterable[Picture]) -> None:
    """Add the metadata of some pictures to what was seen before."""
    for picture in pictures:
        for name, value in picture.metadata.items():
            if can_filter(value):
                seen.setdefault(name, set()).add(value)


def facets(seen: Seen, conditions: Mapping[str, Any]) -> list[Facet]:
    """The fields worth a filter, those with the fewest values first.

    A field in use (``conditions``) is always there, so that it can be given up.
    """
    offered = []
    for name in {*seen, *conditions}:
        values = seen.get(name, set())
        numeric = bool(values) and not any(isinstance(value, str) for value in values)
        in_use = conditions.get(name)
        if isinstance(in_use, str | int | float):
            values = values | {in_use}
            numeric = False
        elif isinstance(in_use, dict):
            numeric = True
        useful = len(values) >= 2 and (numeric or len(values) <= _MOST_VALUES)
        if useful or in_use is not None:
            ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
            offered.append(Facet(name, tuple(ordered), numeric))
    offered.sort(key=lambda facet: (facet.name not in conditions, len(facet.values), facet.name))
    return offered[: max(_MOST_FACETS, len(conditions))]
