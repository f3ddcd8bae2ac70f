"""What is known of the images, field by field, so that a filter finds them without a search.

An image's metadata ``{"year": 1999, "tags": ["fox", "snow"]}`` are three facts.  Those of one
field and kind (number, text, boolean) are sorted by value and cut into runs (:mod:`models.runs`).

A condition thus reads some hundred rows where a third of a million images meet it, and two of
them at most have to be taken apart.  As a row per fact the same was nine times the size and took
fifteen times as long or more (200,000 images, eleven facts each, a third of them found).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.database import Database
from models.facets import FacetWriter
from models.filters import (
    KEPT_OF_A_TEXT,
    MAX_NAME,
    Condition,
    Interval,
    Kind,
    Value,
    fits,
    nfc,
    read_filter,
)
from models.runs import SCHEMA, Gathered, RunStore, stored, write_run

Mask = NDArray[np.bool_]
Moved = NDArray[np.int64]

_TELLABLE: dict[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "boolean": "true or false",
    "null": "null",
    "empty": "empty",
}
KINDS = tuple(_TELLABLE)


class FactWriter:
    """Gathers the facts of images, and writes them to a database."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[Kind, Gathered]] = {}
        # The same by the names as they were given.
        self._names: dict[str, dict[Kind, Gathered]] = {}
        self._images = 0

    @classmethod
    def of(cls, connection: sqlite3.Connection, now_at: Moved) -> FactWriter:
        """The facts that a database has, of images that have moved.

        Args:
            connection: to the database; its tables are taken out.
            now_at: where the image of each position is now, int64 ``[n]``; -1: gone.
        """
        writer = cls()
        for name, kind, values, counts, positions in stored(connection):
            gathered = writer._fields.setdefault(name, {}).setdefault(kind, Gathered())
            gathered.take(values, counts, now_at[positions])
        writer._images = int(now_at.max(initial=-1)) + 1
        for table in ("facts", "runs", "facets"):
            connection.execute(f"DROP TABLE {table}")
        return writer

    def add(self, position: int, metadata: Mapping[str, Any]) -> None:
        """Take in what is known of an image."""
        self._images = max(self._images, position + 1)
        for name, value in metadata.items():
            kinds = self._names.get(name)
            if kinds is None:
                kinds = self._names[name] = self._fields.setdefault(nfc(name), {})
            for kind, each in facts_of(value):
                gathered = kinds.get(kind)
                if gathered is None:
                    gathered = kinds[kind] = Gathered()
                gathered.add(each, position)

    def write(self, connection: sqlite3.Connection) -> None:
        """Make the tables and fill them."""
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        facets = FacetWriter(self._images)
        number = 0
        for name, kinds in sorted(self._fields.items()):
            if len(name) > MAX_NAME:
                continue  # nobody can ask for it
            if "text" in kinds and not {"number", "boolean"} & kinds.keys():
                months = kinds["text"].months()
                if months is not None:
                    kinds["month"] = months
            runs = []
            for kind, gathered in sorted(kinds.items()):
                for run, values in gathered.runs(kind, number):
                    write_run(connection, name, run, values)
                    runs.append((run, values))
                    number = run.number + 1
            facets.add(name, runs)
        facets.write(connection)


def facts_of(value: Any) -> Iterable[tuple[Kind, Value]]:
    """What can be asked for of a metadata value: itself, or the members of a list or object."""
    fact = _fact(value)
    if fact is not None:
        return (fact,)
    if value is None:
        return (("null", 0),)
    members = value.values() if isinstance(value, Mapping) else value
    return {fact for each in members if (fact := _fact(each)) is not None} or (("empty", 0),)


def _fact(value: Any) -> tuple[Kind, Value] | None:
    if isinstance(value, str):
        return "text", nfc(value)[:KEPT_OF_A_TEXT]
    if isinstance(value, bool):
        return "boolean", int(value)
    if isinstance(value, int):
        return "number", value if fits(value) else _as_float(value)
    if isinstance(value, float):
        return "number", value + 0  # SQLite knows no -0.0
    return None


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def warnings_of(condition: Condition, there: Sequence[Kind]) -> list[str]:
    """What to tell people of a condition, for each kind that no image has, or the field.

    Args:
        condition: of a filter.
        there: the kinds of values that there are of its field.
    """
    name = condition.field
    if not there:
        return [f"no image has a field {name!r}"]
    told = " or ".join(_TELLABLE[kind] for kind in there)
    return [
        f"{name!r} is {_TELLABLE[kind]} in no image: it is {told}"
        for kind in dict.fromkeys(interval.kind for interval in condition.intervals or ())
        if kind not in there
    ]


@dataclass(frozen=True)
class Matches:
    """The positions of the images that meet a filter, ascending, int64 ``[n]``.

    ``warnings`` tell, for people, of conditions that no image could meet: a field that none
    has, or has with values of another kind.
    """

    positions: NDArray[np.int64]
    warnings: list[str] = field(default_factory=list)


class FactStore:
    """Answers filters; safe from several threads.

    Args:
        database: the file that holds the facts.
        images: how many images there are.
    """

    def __init__(self, database: Database, images: int) -> None:
        self._runs = RunStore(database)
        self._images = images

    def matching(self, conditions: Mapping[str, Any], *, seconds: float) -> Matches:
        """The images whose metadata meet a filter: :mod:`models.filters`.

        Args:
            conditions: by the name of their field.
            seconds: after which to give up.

        Raises:
            ValueError: a condition makes no sense or is too large; names its field.
            SlowQueryError: it takes longer.
            DamagedError: the file is damaged.
        """
        read = read_filter(conditions)
        deadline = time.monotonic() + seconds
        met = np.ones(self._images, dtype=np.bool_)
        warnings: list[str] = []
        for condition in read:
            warnings += self._warnings(condition, deadline)
            found = self._found(condition, deadline)
            met &= ~found if condition.negated else found
        return Matches(np.flatnonzero(met), list(dict.fromkeys(warnings)))

    def _found(self, condition: Condition, deadline: float) -> Mask:
        name = condition.field
        if condition.intervals is None:
            return self._marked(name, (None,), deadline)
        if not condition.every:
            return self._marked(name, condition.intervals, deadline)
        found = np.ones(self._images, dtype=np.bool_)
        for interval in condition.intervals:
            found &= self._marked(name, (interval,), deadline)
        return found

    def _marked(self, name: str, intervals: Sequence[Interval | None], deadline: float) -> Mask:
        """The images with a value in one of the intervals; None has all values in it."""
        found = np.zeros(self._images, dtype=np.bool_)
        for interval in intervals:
            for run in self._runs.meeting(name, interval, deadline):
                if interval is None or interval.slice_of((run.low, run.high)) == slice(0, 2):
                    found[run.positions] = True
                elif run.counts is not None:
                    inside = interval.slice_of(self._runs.values(run, deadline))
                    ends = np.append(0, np.cumsum(run.counts, dtype=np.int64))
                    found[run.positions[ends[inside.start] : ends[inside.stop]]] = True
        return found

    def _warnings(self, condition: Condition, deadline: float) -> list[str]:
        return warnings_of(condition, self._runs.kinds(condition.field, KINDS, deadline))
