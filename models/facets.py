"""Of each value of a field, how many images have it: what people choose a filter from.

    facets(rank, field, facet, checksum)

A facet is an object as it goes into an answer.  What it has beside ``total``, how many values
there are, and ``missing``, how many images have none (null and what is empty are none), goes by
what the whole bundle has in the field:

- texts, booleans and up to ``MOST_VALUES`` numbers: ``values``, those that most images have,
  first; of equals in their order;
- more numbers, and nothing else: ``min``, ``max`` and a ``histogram``;
- dates, and nothing else: ``dates``, a year at a time, with its ``months``; these are what
  ``total`` counts.

Counting reads the field's runs (:mod:`models.runs`), whatever images are to be counted: of a
million images some twenty milliseconds a field.  What most people ask for, the fields that make
good filters over all images, is counted when the bundle is built and lies in ``facets``.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.database import Database, with_checksum
from models.filters import MAX_TEXT, Kind, Value, nfc
from models.histogram import Number, edges
from models.runs import Run, RunStore

Facet = dict[str, Any]
ValuesOf = Callable[[Run], Sequence[Value]]

_SCHEMA = """
CREATE TABLE facets (
    rank INTEGER PRIMARY KEY,
    field TEXT NOT NULL,
    facet TEXT NOT NULL,
    checksum INTEGER NOT NULL
)
"""
MOST_VALUES = 50
_MOST_YEARS = 200
# So many fields are offered, those first that most images have.
_OFFERED = 32
# What hardly two images share (a title) is no filter, nor is a sentence.
_LEAST_IMAGES_PER_TEXT = 1.5
_MOST_TEXTS = 10_000
_LONGEST_TEXT = 60
_SAYING: tuple[Kind, ...] = ("boolean", "number", "text")
_SILENT: tuple[Kind, ...] = ("null", "empty")


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


def facet_of(runs: Sequence[Run], values_of: ValuesOf, kept: NDArray[np.bool_]) -> Facet:
    """Count the images by their values of a field.

    Args:
        runs: all of the field's, in order.
        values_of: gives the values of a run.
        kept: by position, whether an image is to be counted.
    """
    months = [run for run in runs if run.kind == "month"]
    saying = months or [run for run in runs if run.kind in _SAYING]
    column = _Column(saying, cache(values_of), kept)
    told: Facet = {"total": column.total, "missing": column.missing}
    if months:
        return {"dates": _dates(column)} | told
    if column.kinds() == {"number"} and len(column.counts) > MOST_VALUES:
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


@dataclass(frozen=True)
class Facets:
    """Facets by the field as it was asked for; ``warnings`` tell of those that no image has."""

    by_field: dict[str, Facet]
    warnings: list[str]


class FacetWriter:
    """Gathers the facets that are offered before anything is sought, and writes them.

    Args:
        images: how many there are.
    """

    def __init__(self, images: int) -> None:
        self._images = images
        self._worth: list[tuple[int, str, Facet]] = []

    def add(self, field: str, runs: Sequence[tuple[Run, Sequence[Value]]]) -> None:
        """Take in a field: all of its runs, in order, and the values of each."""
        values = dict(runs)
        facet = facet_of(list(values), values.__getitem__, np.ones(self._images, dtype=np.bool_))
        facts = sum(len(run.positions) for run in values if run.kind in _SAYING)
        if _is_worth(facet, facts):
            self._worth.append((facet["missing"], field, facet))

    def write(self, connection: sqlite3.Connection) -> None:
        """Make the table and fill it."""
        connection.execute(_SCHEMA)
        best = sorted(self._worth, key=lambda one: one[:2])[:_OFFERED]
        for rank, (_, field, facet) in enumerate(best):
            row = with_checksum((rank, field, json.dumps(facet, ensure_ascii=False)))
            connection.execute("INSERT INTO facets VALUES (?, ?, ?, ?)", row)


def _is_worth(facet: Facet, facts: int) -> bool:
    """Whether to choose by a field tells images from others.

    Args:
        facet: of the field, over all images.
        facts: how many values these have, those that several have as often.
    """
    if facet["total"] + bool(facet["missing"]) < 2:
        return False
    if "values" not in facet:
        return True
    shown = [one["value"] for one in facet["values"]]
    texts = [len(value) for value in shown if isinstance(value, str)]
    if not texts:
        return bool(shown)
    shared = facts >= _LEAST_IMAGES_PER_TEXT * facet["total"]
    return shared and facet["total"] <= _MOST_TEXTS and max(texts) <= _LONGEST_TEXT


class FacetStore:
    """Counts images by their values; safe from several threads.

    Args:
        database: the file that holds facts and facets.
        images: how many images there are.

    Raises:
        DamagedError: it holds no facets.
    """

    def __init__(self, database: Database, images: int) -> None:
        self._database = database
        self._runs = RunStore(database)
        self._images = images
        database.rows("SELECT rank FROM facets LIMIT 0")

    def count(
        self,
        fields: Sequence[str] | None,
        positions: NDArray[np.int64] | None = None,
        *,
        seconds: float,
    ) -> Facets:
        """The facets of some fields over some images.

        Args:
            fields: their names; None for those that make good filters, best known first.
            positions: the images, each once, in any order; None for all.
            seconds: after which to give up.

        Raises:
            SlowQueryError: it takes longer.
            DamagedError: the file is damaged.
        """
        deadline = time.monotonic() + seconds
        offered: dict[str, Facet] = {}
        if fields is None or positions is None:
            query = "SELECT * FROM facets ORDER BY rank"
            rows = self._database.whole_rows(query, deadline=deadline)
            offered = {field: json.loads(facet) for _, field, facet in rows}
        kept = np.full(self._images, positions is None)
        kept[[] if positions is None else positions] = True
        found: dict[str, Facet] = {}
        warnings = []
        for asked in offered if fields is None else fields:
            field = nfc(asked)
            if positions is None and field in offered:
                found[asked] = offered[field]
                continue
            runs = self._saying(field, deadline)
            if not runs and not self._runs.kinds(field, _SILENT, deadline):
                warnings.append(f"no image has a field {asked!r}")
            found[asked] = facet_of(runs, partial(self._runs.values, deadline=deadline), kept)
        return Facets(found, warnings)

    def _saying(self, field: str, deadline: float) -> list[Run]:
        """What there is to count of a field."""
        months = self._runs.of_kinds(field, ["month"], deadline)
        return months or self._runs.of_kinds(field, _SAYING, deadline)
