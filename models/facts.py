"""What is known of the pictures, field by field, so that a filter finds them without a search.

    facts(run, field, kind, low, high, positions, checksum)
    runs(run, parts, checksum)

A picture's metadata ``{"year": 1999, "tags": ["fox", "snow"]}`` are three facts.  Those of one
field and kind (number, text, boolean) are sorted by value, then by position, and cut into runs
of ``_RUN``: a row of ``facts`` is a run, with its least and greatest value and its positions
as little-endian ``uint32``.  A run whose values differ has a row in ``runs`` that says how many
positions belong to each: ``[[value, ...], [count, ...]]`` in JSON.

A condition thus reads some hundred rows where a third of a million pictures meet it, and two of
them at most have to be taken apart.  As a row per fact the same was nine times the size and took
fifteen times as long or more (200,000 pictures, eleven facts each, a third of them found).
"""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.database import Database, Row, with_checksum
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

Mask = NDArray[np.bool_]

_SCHEMA = """
CREATE TABLE facts (
    run INTEGER PRIMARY KEY,
    field TEXT NOT NULL,
    kind TEXT NOT NULL,
    low NOT NULL,
    high NOT NULL,
    positions BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    parts TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX facts_by_value ON facts (field, kind, high, low);
"""
_RUN = 2048
_TELLABLE: dict[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "boolean": "true or false",
    "null": "null",
    "empty": "empty",
}


class _Gathered:
    """The facts of one field and kind: ``positions[n]`` has the value of ``codes[n]``."""

    def __init__(self) -> None:
        self.values: dict[Value, int] = {}
        self.codes = array("I")
        self.positions = array("I")

    def add(self, value: Value, position: int) -> None:
        self.codes.append(self.values.setdefault(value, len(self.values)))
        self.positions.append(position)

    def runs(self) -> Iterator[tuple[Value, Value, bytes, str | None]]:
        """Least and greatest value, positions and parts of each run."""
        values = sorted(self.values)
        rank = np.empty(len(values), dtype=np.int64)
        rank[[self.values[value] for value in values]] = np.arange(len(values))
        ranks = rank[np.frombuffer(self.codes, dtype=np.uintc)]
        order = np.argsort(ranks, kind="stable")
        ranks = ranks[order]
        positions = np.frombuffer(self.positions, dtype=np.uintc)[order].astype("<u4")
        for start in range(0, len(ranks), _RUN):
            some = ranks[start : start + _RUN]
            parts = None
            if some[0] != some[-1]:
                each, counts = np.unique(some, return_counts=True)
                there = [values[one] for one in each]
                parts = json.dumps([there, counts.tolist()], ensure_ascii=False)
            low, high = values[some[0]], values[some[-1]]
            yield low, high, positions[start : start + _RUN].tobytes(), parts


class FactWriter:
    """Gathers the facts of pictures, and writes them to a database."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[Kind, _Gathered]] = {}
        # The same by the names as they were given.
        self._names: dict[str, dict[Kind, _Gathered]] = {}

    def add(self, position: int, metadata: Mapping[str, Any]) -> None:
        """Take in what is known of a picture; to be called in order of position."""
        for name, value in metadata.items():
            kinds = self._names.get(name)
            if kinds is None:
                kinds = self._names[name] = self._fields.setdefault(nfc(name), {})
            for kind, each in _facts(value):
                gathered = kinds.get(kind)
                if gathered is None:
                    gathered = kinds[kind] = _Gathered()
                gathered.add(each, position)

    def write(self, connection: sqlite3.Connection) -> None:
        """Make the tables and fill them."""
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        run = 0
        for name, kinds in sorted(self._fields.items()):
            if len(name) > MAX_NAME:
                continue  # nobody can ask for it
            for kind, gathered in sorted(kinds.items()):
                for low, high, positions, parts in gathered.runs():
                    row = with_checksum((run, name, kind, low, high, positions))
                    connection.execute("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                    if parts is not None:
                        row = with_checksum((run, parts))
                        connection.execute("INSERT INTO runs VALUES (?, ?, ?)", row)
                    run += 1


def _facts(value: Any) -> Iterable[tuple[Kind, Value]]:
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


@dataclass(frozen=True)
class Matches:
    """The positions of the pictures that meet a filter, ascending, int64 ``[n]``.

    ``warnings`` tell, for people, of conditions that no picture could meet: a field that none
    has, or has with values of another kind.
    """

    positions: NDArray[np.int64]
    warnings: list[str] = field(default_factory=list)


class FactStore:
    """Answers filters; safe from several threads.

    Args:
        database: the file that holds the facts.
        pictures: how many pictures there are.
    """

    def __init__(self, database: Database, pictures: int) -> None:
        self._database = database
        self._pictures = pictures

    def matching(self, conditions: Mapping[str, Any], *, seconds: float) -> Matches:
        """The pictures whose metadata meet a filter: :mod:`models.filters`.

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
        met = np.ones(self._pictures, dtype=np.bool_)
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
        found = np.ones(self._pictures, dtype=np.bool_)
        for interval in condition.intervals:
            found &= self._marked(name, (interval,), deadline)
        return found

    def _marked(self, name: str, intervals: Sequence[Interval | None], deadline: float) -> Mask:
        """The pictures with a value in one of the intervals; None has all values in it."""
        found = np.zeros(self._pictures, dtype=np.bool_)
        for interval in intervals:
            for run, _, _, low, high, packed in self._runs(name, interval, deadline):
                positions = np.frombuffer(packed, dtype="<u4")
                if interval is None or interval.slice_of((low, high)) == slice(0, 2):
                    found[positions] = True
                elif low != high:
                    values, ends = self._parts(run, deadline)
                    inside = interval.slice_of(values)
                    found[positions[ends[inside.start] : ends[inside.stop]]] = True
        return found

    def _runs(self, name: str, interval: Interval | None, deadline: float) -> Iterator[Row]:
        """The runs of a field in which there may be values of an interval."""
        query = "SELECT * FROM facts WHERE field = ?"
        parameters: list[Value] = [name]
        if interval is not None:
            query += " AND kind = ?"
            parameters.append(interval.kind)
            if interval.low is not None:
                query += " AND high >= ?"
                parameters.append(interval.low)
            if interval.high is not None:
                query += " AND low <= ?"
                parameters.append(interval.high)
        return self._database.whole_rows(query, parameters, deadline=deadline)

    def _parts(self, run: int, deadline: float) -> tuple[list[Value], list[int]]:
        """The values of a run, and where their positions begin in it (one more: the end)."""
        query = "SELECT * FROM runs WHERE run = ?"
        ((_, parts),) = self._database.whole_rows(query, [run], deadline=deadline)
        values, counts = json.loads(parts)
        return values, list(accumulate(counts, initial=0))

    def _warnings(self, condition: Condition, deadline: float) -> Iterator[str]:
        name = condition.field
        # Each kind by itself is one look at the index; DISTINCT would read all of the field's.
        there = [
            kind
            for kind in _TELLABLE
            if self._database.rows(
                "SELECT 1 FROM facts WHERE field = ? AND kind = ? LIMIT 1",
                [name, kind],
                deadline=deadline,
            )
        ]
        if not there:
            yield f"no picture has a field {name!r}"
            return
        told = " or ".join(_TELLABLE[kind] for kind in there)
        for kind in dict.fromkeys(interval.kind for interval in condition.intervals or ()):
            if kind not in there:
                yield f"{name!r} is {_TELLABLE[kind]} in no picture: it is {told}"
