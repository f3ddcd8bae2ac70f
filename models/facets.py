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
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.database import Database, with_checksum
from models.facet_counts import SAYING, Facet, facet_of
from models.filters import Kind, Value, nfc
from models.runs import Run, RunStore

_SCHEMA = """
CREATE TABLE facets (
    rank INTEGER PRIMARY KEY,
    field TEXT NOT NULL,
    facet TEXT NOT NULL,
    checksum INTEGER NOT NULL
)
"""
# So many fields are offered, those first that most images have.
_OFFERED = 32
# What hardly two images share (a title) is no filter, nor is a sentence.
_LEAST_IMAGES_PER_TEXT = 1.5
_MOST_TEXTS = 10_000
_LONGEST_TEXT = 60
_SILENT: tuple[Kind, ...] = ("null", "empty")


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
        facts = sum(len(run.positions) for run in values if run.kind in SAYING)
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


def offered_facets(database: Database, *, seconds: float) -> dict[str, Facet]:
    """The facets that are offered before anything is sought, by field, best first.

    Args:
        database: the file that holds them.
        seconds: after which to give up.

    Raises:
        SlowQueryError: it takes longer.
        DamagedError: the file is damaged.
    """
    query = "SELECT * FROM facets ORDER BY rank"
    rows = database.whole_rows(query, deadline=time.monotonic() + seconds)
    return {field: json.loads(facet) for _, field, facet in rows}


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
            offered = offered_facets(self._database, seconds=seconds)
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
        return months or self._runs.of_kinds(field, SAYING, deadline)
