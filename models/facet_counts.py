"""Counts images by their values of a field: :mod:`models.facets`."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.filters import MAX_TEXT, Kind, Value
from models.histogram import Number, edges
from models.runs import Run

Facet = dict[str, Any]
ValuesOf = Callable[[Run], Sequence[Value]]

MOST_VALUES = 50
_MOST_YEARS = 200
SAYING: tuple[Kind, ...] = ("boolean", "number", "text")


class _Column:
    """The values of some runs, and how many of the images that are kept have each.

    ``counts`` has the latter, by value, ascending within each kind.
    """

    def __init__(self, runs: Sequence[Run], values_of: ValuesOf, kept: NDArray[np.bool_]) -> None:
        self._runs = runs
        self._values_of = values_of
        self._highs = [run.high for run in runs]
        # A part is what a run has of a value.
        parts = [[len(run.positions)] if run.counts is None else run.counts for run in runs]
        self._first_parts = np.cumsum([0, *map(len, parts)])
        sizes = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        self._starts = np.append(0, np.cumsum(sizes))
        begins = np.ones(len(sizes), dtype=np.bool_)
        for number, (before, run) in enumerate(pairwise(runs), 1):
            if before.kind == run.kind and before.high == run.low:
                begins[self._first_parts[number]] = False
        self._parts = np.flatnonzero(begins)
        self._positions = np.concatenate(
            [np.empty(0, dtype=np.uint32), *(run.positions for run in runs)]
        )
        self._inside = kept[self._positions]
        self._before = np.append(0, np.cumsum(self._inside, dtype=np.int64))
        # Where the positions of each value begin, and those of the last end.
        self._bounds = np.append(self._starts[self._parts], len(self._positions))
        self.counts = np.diff(self._before[self._bounds])
        there = np.zeros(len(kept), dtype=np.bool_)
        there[self._positions] = True
        # Whether no image has two values.
        self._single = np.count_nonzero(there) == len(self._positions)
        self.missing = int(np.count_nonzero(kept & ~there))
        self.total = int(np.count_nonzero(self.counts))

    def kinds(self) -> set[Kind]:
        """What kinds of values there are, kept or not."""
        return {run.kind for run in self._runs}

    def is_whole(self) -> bool:
        """Whether the numbers are whole, as far as can be seen without reading all of them."""
        ends = (end for run in self._runs for end in (run.low, run.high))
        return all(isinstance(end, int) or end in (-math.inf, math.inf) for end in ends)

    def value(self, number: int) -> Value:
        """A value by its number in ``counts``."""
        part = self._parts[number]
        place = int(np.searchsorted(self._first_parts, part, side="right")) - 1
        run = self._runs[place]
        if run.counts is None:
            return bool(run.low) if run.kind == "boolean" else run.low
        value = self._values_of(run)[part - self._first_parts[place]]
        return bool(value) if run.kind == "boolean" else value

    def start(self, number: int) -> int:
        """Where the positions of a value begin."""
        return int(self._bounds[number])

    def end(self, number: int) -> int:
        """Where they end."""
        return int(self._bounds[number + 1])

    def at(self, least: Number) -> int:
        """Where the positions of numbers begin that are not below one."""
        place = bisect_left(self._highs, least)
        if place == len(self._runs):
            return len(self._positions)
        run = self._runs[place]
        # Most edges lie where a run begins, or before: its values need not be read.
        inside = bisect_left([run.low], least) and bisect_left(self._values_of(run), least)
        return int(self._starts[self._first_parts[place] + inside])

    def images(self, start: int, stop: int) -> int:
        """How many images are kept of the positions between two places."""
        if self._single:
            return int(self._before[stop] - self._before[start])
        some = slice(start, stop)
        return len(np.unique(self._positions[some][self._inside[some]]))


def facet_of(
    runs: Sequence[Run],
    values_of: ValuesOf,
    kept: NDArray[np.bool_],
    *,
    many_numbers: bool = False,
) -> Facet:
    """Count the images by their values of a field.

    Args:
        runs: all of the field's, in order.
        values_of: gives the values of a run.
        kept: by position, whether an image is to be counted.
        many_numbers: whether there are more numbers than are listed, where these are not all runs.
    """
    months = [run for run in runs if run.kind == "month"]
    saying = months or [run for run in runs if run.kind in SAYING]
    column = _Column(saying, cache(values_of), kept)
    told: Facet = {"total": column.total, "missing": column.missing}
    if months:
        return {"dates": _dates(column)} | told
    many_numbers |= column.kinds() == {"number"} and len(column.counts) > MOST_VALUES
    if many_numbers:
        return _histogram(column) | told
    return {"values": list(_values(column))} | told


def _values(column: _Column) -> Iterator[Facet]:
    for number in _most(column.counts):
        value = column.value(number)
        # What no filter could ask for, nor JSON say, is counted, and not shown.
        if isinstance(value, str) and len(value) > MAX_TEXT:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        yield {"value": value, "count": int(column.counts[number])}


def _most(counts: NDArray[np.int64]) -> list[int]:
    """Where the greatest counts are, the first of equals first, without sorting all of them."""
    if len(counts) > MOST_VALUES:
        least = np.partition(counts, -MOST_VALUES)[-MOST_VALUES]
        above = np.flatnonzero(counts > least)
        equal = np.flatnonzero(counts == least)[: MOST_VALUES - len(above)]
        places = np.sort(np.concatenate([above, equal]))
    else:
        places = np.arange(len(counts))
    places = places[counts[places] > 0]
    found: list[int] = places[np.argsort(-counts[places], kind="stable")].tolist()
    return found


def _dates(column: _Column) -> list[Facet]:
    """The images of each year and month, in the order of time."""
    years: dict[str, list[tuple[int, str]]] = {}
    for number in np.flatnonzero(column.counts).tolist():
        month = str(column.value(number))
        years.setdefault(month[:4], []).append((number, month))
    return [
        {
            "year": int(year),
            "count": column.images(column.start(months[0][0]), column.end(months[-1][0])),
            "months": {
                month: int(column.counts[number]) for number, month in months if month != year
            },
        }
        for year, months in list(years.items())[-_MOST_YEARS:]
    ]


def _histogram(column: _Column) -> Facet:
    """The least and the greatest number, and the images between round ones."""
    there = np.flatnonzero(column.counts).tolist()
    # Those too large for any type are kept as infinite, and come first and last.
    ends = [column.value(number) for number in (*there[:2], *there[-2:])]
    finite = [end for end in ends if isinstance(end, int | float) and math.isfinite(end)]
    if not finite:
        return {"min": None, "max": None, "histogram": []}
    cuts = edges(min(finite), max(finite), whole=column.is_whole())
    places = [*map(column.at, cuts[:-1]), column.at(math.inf)]
    return {
        "min": min(finite),
        "max": max(finite),
        "histogram": [
            {"gte": low, "lt": high, "count": column.images(start, stop)}
            for (low, high), (start, stop) in zip(pairwise(cuts), pairwise(places), strict=True)
        ],
    }
