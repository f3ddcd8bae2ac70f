"""The images in an order of their own: by path, by a field of the metadata, or spread.

``path`` goes by the path, code point by code point, and ``spread`` by the id, which is made of a
checksum: neighbours there have nothing in common, and the order is the same every time.  Any other
name is a field's: numbers first, then texts (ISO dates), of several values the least.  A minus
turns an order around, ``-taken_at`` is the newest first; images without the field come behind
the others either way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.database import Database
from models.filters import nfc
from models.runs import RunStore

Positions = NDArray[np.int64]

_COLUMNS = {"path": "image_path", "spread": "id"}
# So few are read one by one and sorted here; more are met soon on the way through all.
_FEW = 5000
_WINDOW = 50_000
# SQLite takes a limited number of parameters in one statement.
_AT_ONCE = 500


@dataclass(frozen=True)
class Ordered:
    """Some images in an order: their positions, int64 ``[n]``.

    ``warnings`` tell, for people, of a field that no image has.
    """

    positions: Positions
    warnings: tuple[str, ...] = ()


class OrderStore:
    """Puts images into order; safe from several threads.

    Args:
        database: the file that holds them.
        images: how many there are.
    """

    def __init__(self, database: Database, images: int) -> None:
        self._database = database
        self._runs = RunStore(database)
        self._images = images

    def page(
        self, by: str, kept: Positions | None, start: int, stop: int, *, seconds: float
    ) -> Ordered:
        """The images in some places of an order.

        Args:
            by: the order: ``path``, ``spread`` or a field, with a minus before it backwards.
            kept: which images are in it, None for all.
            start: the first place, counted from 0.
            stop: the place behind the last.
            seconds: after which to give up.

        Raises:
            SlowQueryError: it takes longer.
            DamagedError: the file is damaged.
        """
        deadline = time.monotonic() + seconds
        backwards = by.startswith("-")
        name = by.removeprefix("-")
        column = _COLUMNS.get(name)
        if column is None:
            return self._by_field(nfc(name), backwards, kept, slice(start, stop), deadline)
        order = f"ORDER BY {column} {'DESC' if backwards else 'ASC'}"
        if kept is None:
            found = self._positions(order, start, stop - start, deadline)
        elif len(kept) <= _FEW:
            found = self._of_few(column, backwards, kept, deadline)[start:stop]
        else:
            found = self._of_many(order, kept, stop, deadline)[start:stop]
        return Ordered(found)

    def _positions(self, order: str, start: int, most: int, deadline: float) -> Positions:
        statement = f"SELECT position FROM items {order} LIMIT ? OFFSET ?"
        rows = self._database.rows(statement, [most, start], deadline=deadline)
        found = np.array(rows, dtype=np.int64).reshape(-1)
        # The index that this reads has no checksum that would tell.
        return found[(found >= 0) & (found < self._images)]

    def _of_few(self, column: str, backwards: bool, kept: Positions, deadline: float) -> Positions:
        rows = []
        for start in range(0, len(kept), _AT_ONCE):
            some = kept[start : start + _AT_ONCE].tolist()
            marks = ", ".join("?" * len(some))
            statement = f"SELECT {column}, position FROM items WHERE position IN ({marks})"
            rows += self._database.rows(statement, some, deadline=deadline)
        # As SQLite compares texts.
        rows.sort(key=lambda row: row[0].encode("utf-8", "surrogatepass"), reverse=backwards)
        return np.array([position for _, position in rows], dtype=np.int64)

    def _of_many(self, order: str, kept: Positions, stop: int, deadline: float) -> Positions:
        there = self._mask(kept)
        found = [np.empty(0, dtype=np.int64)]
        for start in range(0, self._images, _WINDOW):
            some = self._positions(order, start, _WINDOW, deadline)
            found.append(some[there[some]])
            stop -= len(found[-1])
            if stop <= 0:
                break
        return np.concatenate(found)

    def _by_field(
        self, name: str, backwards: bool, kept: Positions | None, page: slice, deadline: float
    ) -> Ordered:
        # Sorted by value, and within it by position.
        runs = self._runs.of_kinds(name, ["number", "text"], deadline)
        every = [run.positions for run in runs]
        warnings = () if every else (f"no image has a field {name!r} that could be sorted by",)
        met = np.concatenate([np.empty(0, dtype=np.uint32), *every]).astype(np.int64)
        place = np.full(self._images, -1, dtype=np.int64)
        # Of several values of an image the least, which is written over the others.
        place[met[::-1]] = np.arange(len(met))[::-1]
        first = met[place[met] == np.arange(len(met))]
        found = np.concatenate([first[::-1] if backwards else first, np.flatnonzero(place < 0)])
        if kept is not None:
            found = found[self._mask(kept)[found]]
        return Ordered(found[page], warnings)

    def _mask(self, kept: Positions) -> NDArray[np.bool_]:
        mask = np.zeros(self._images, dtype=np.bool_)
        mask[kept] = True
        return mask
