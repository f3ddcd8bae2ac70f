"""The values of a field of the images' metadata, sorted and cut into runs.

    facts(run, field, kind, low, high, positions, counts, checksum)
    runs(run, parts, checksum)

Those of one field and kind are sorted by value, then by position, and cut into runs of ``_RUN``:
a row of ``facts`` is a run, with its least and greatest value and its positions as little-endian
``uint32``.  Where the values of a run differ, ``counts`` says how many positions belong to each,
as little-endian ``uint16``, and a row in ``runs`` which values these are, as a list in JSON: to
count images one hardly ever has to know them.

Beside its texts a field that has nothing but dates has the months (``2019-07``) and years
(``2019``) of these, as values of a kind of their own, for :mod:`models.facets`.
"""

from __future__ import annotations

import json
import re
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.database import Database, with_checksum
from models.filters import Interval, Kind, Value

Numbers = NDArray[np.integer]

SCHEMA = """
CREATE TABLE facts (
    run INTEGER PRIMARY KEY,
    field TEXT NOT NULL,
    kind TEXT NOT NULL,
    low NOT NULL,
    high NOT NULL,
    positions BLOB NOT NULL,
    counts BLOB,
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
_DATE = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-[0-9]{2}(?:[T ].*)?)?)?")
_A_MONTH = len("2019-07")
_A_YEAR = len("2019")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Some values of a field, all of one kind, and the images that have them.

    ``positions`` are those of the least value first, of each value ascending; ``counts`` says
    how many belong to each value, None where there is only one.
    """

    number: int
    kind: Kind
    low: Value
    high: Value
    positions: Numbers
    counts: Numbers | None


class Gathered:
    """The facts of one field and kind: ``positions[n]`` has the value of ``codes[n]``."""

    def __init__(self) -> None:
        self.values: dict[Value, int] = {}
        self.codes = array("I")
        self.positions = array("I")

    def add(self, value: Value, position: int) -> None:
        """Take in that an image has a value."""
        self.codes.append(self.values.setdefault(value, len(self.values)))
        self.positions.append(position)

    def take(self, values: Sequence[Value], counts: Sequence[int], positions: Numbers) -> None:
        """Take in those of a run, so many of each value; position -1 is left out."""
        kept = positions >= 0
        part = np.repeat(np.arange(len(values)), counts)[kept]
        codes = np.zeros(len(values), dtype=np.uintc)
        # A value that nobody has any more is none of the field's.
        for number in np.unique(part).tolist():
            codes[number] = self.values.setdefault(values[number], len(self.values))
        self.codes.frombytes(codes[part].tobytes())
        self.positions.frombytes(positions[kept].astype(np.uintc).tobytes())

    def months(self) -> Gathered | None:
        """The months, or years, of dates; None where these are no dates, or years only."""
        if not all(map(_DATE.fullmatch, map(str, self.values))):
            return None
        found = Gathered()
        month_of = np.empty(len(self.values), dtype=np.uintc)
        for value, code in self.values.items():
            date = str(value)
            month = date[: _A_MONTH if len(date) >= _A_MONTH else _A_YEAR]
            month_of[code] = found.values.setdefault(month, len(found.values))
        if not any(len(str(month)) == _A_MONTH for month in found.values):
            return None
        found.codes.frombytes(month_of[np.frombuffer(self.codes, dtype=np.uintc)].tobytes())
        found.positions = self.positions
        return found

    def runs(self, kind: Kind, first: int) -> Iterator[tuple[Run, list[Value]]]:
        """The runs, numbered from ``first``, and the values of each."""
        values = sorted(self.values)
        rank = np.empty(len(values), dtype=np.int64)
        rank[[self.values[value] for value in values]] = np.arange(len(values))
        ranks = rank[np.frombuffer(self.codes, dtype=np.uintc)]
        positions = np.frombuffer(self.positions, dtype=np.uintc)
        order = np.lexsort((positions, ranks))
        ranks, positions = ranks[order], positions[order].astype("<u4")
        # An image has a value once, though two spellings of a name may each say so.
        once = np.ones(len(ranks), dtype=np.bool_)
        once[1:] = (ranks[1:] != ranks[:-1]) | (positions[1:] != positions[:-1])
        ranks, positions = ranks[once], positions[once]
        for number, start in enumerate(range(0, len(ranks), _RUN), first):
            each, counts = np.unique(ranks[start : start + _RUN], return_counts=True)
            there = [values[one] for one in each]
            yield (
                Run(
                    number,
                    kind,
                    there[0],
                    there[-1],
                    positions[start : start + _RUN],
                    counts.astype("<u2") if len(there) > 1 else None,
                ),
                there,
            )


def write_run(connection: sqlite3.Connection, field: str, run: Run, values: list[Value]) -> None:
    """Write a run of a field to a database that has the tables of ``SCHEMA``."""
    counts = None if run.counts is None else run.counts.tobytes()
    packed = run.positions.tobytes()
    row = with_checksum((run.number, field, run.kind, run.low, run.high, packed, counts))
    connection.execute("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    if counts is not None:
        row = with_checksum((run.number, json.dumps(values, ensure_ascii=False)))
        connection.execute("INSERT INTO runs VALUES (?, ?, ?)", row)


def stored(
    connection: sqlite3.Connection,
) -> Iterator[tuple[str, Kind, list[Value], list[int], Numbers]]:
    """The runs of a database: field, kind, values, how many positions each has, and these.

    Months are left out: they are made of the dates.
    """
    query = (
        "SELECT field, kind, low, positions, counts, parts FROM facts LEFT JOIN runs USING (run) "
        "WHERE kind != 'month' ORDER BY run"
    )
    for field, kind, low, packed, counts, parts in connection.execute(query):
        positions = np.frombuffer(packed, dtype="<u4")
        if parts is None:
            yield field, kind, [low], [len(positions)], positions
        else:
            each = np.frombuffer(counts, dtype="<u2").tolist()
            yield field, kind, json.loads(parts), each, positions


class RunStore:
    """Reads runs; safe from several threads.

    All methods raise SlowQueryError once the deadline (``time.monotonic``) has passed, and
    DamagedError where a row is not as it was written.

    Args:
        database: the file that holds them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def kinds(self, field: str, among: Iterable[Kind], deadline: float) -> list[Kind]:
        """Of some kinds those of which a field has values."""
        # Each kind by itself is one look at the index; DISTINCT would read all of the field's.
        return [
            kind
            for kind in among
            if self._database.rows(
                "SELECT 1 FROM facts WHERE field = ? AND kind = ? LIMIT 1",
                [field, kind],
                deadline=deadline,
            )
        ]

    def meeting(self, field: str, interval: Interval | None, deadline: float) -> Iterator[Run]:
        """The runs of a field in which there may be values of an interval; None: all runs."""
        # The months of dates say nothing that the dates do not.
        query = "SELECT * FROM facts WHERE field = ? AND kind != 'month'"
        parameters: list[Value] = [field]
        if interval is not None:
            query = "SELECT * FROM facts WHERE field = ? AND kind = ?"
            parameters.append(interval.kind)
            if interval.low is not None:
                query += " AND high >= ?"
                parameters.append(interval.low)
            if interval.high is not None:
                query += " AND low <= ?"
                parameters.append(interval.high)
        return self._read(query, parameters, deadline)

    def of_kinds(self, field: str, kinds: Sequence[Kind], deadline: float) -> list[Run]:
        """All runs of a field and some kinds, in order."""
        marks = ", ".join("?" * len(kinds))
        query = f"SELECT * FROM facts WHERE field = ? AND kind IN ({marks})"
        return sorted(self._read(query, [field, *kinds], deadline), key=lambda run: run.number)

    def values(self, run: Run, deadline: float) -> list[Value]:
        """The values of a run, ascending."""
        if run.counts is None:
            return [run.low]
        query = "SELECT * FROM runs WHERE run = ?"
        ((_, parts),) = self._database.whole_rows(query, [run.number], deadline=deadline)
        values: list[Value] = json.loads(parts)
        return values

    def _read(self, query: str, parameters: Sequence[Value], deadline: float) -> Iterator[Run]:
        for row in self._database.whole_rows(query, parameters, deadline=deadline):
            number, _, kind, low, high, positions, counts = row
            yield Run(
                number,
                kind,
                low,
                high,
                np.frombuffer(positions, dtype="<u4"),
                None if counts is None else np.frombuffer(counts, dtype="<u2"),
            )
