"""The images' embeddings as they are, a row each: what codes are checked with.

``embeddings.npy`` is a NumPy file, float32 ``[n, dim]``, each row of length one.  It is much
larger than what a search reads of it, so it is mapped, and a row is checked when it is first
used: ``embeddings.checksums.npy`` has a checksum of each, uint64 ``[n]``.  Of a bundle that was
changed the new rows lie in a file of their own, behind those of the first (:mod:`models.rows`).

A search touches a thousand rows at a time, and a CRC-32 of each is a thousand calls, which keep
the interpreter from everything else.  So the checksum of a row is the sum of its 32-bit words,
each times an odd number of 64 bits that depends on its place (multilinear hashing: Carter and
Wegman, 1979), modulo 2^64: NumPy has it for many rows in one go.  A change in a single word always
shows, any other but for one in 2^64.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from mmap import mmap
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from models.arrays import read_array
from models.damage import DamagedError
from models.file_names import CHANGED_EMBEDDINGS, EMBEDDINGS, ROW_CHECKSUMS
from models.folder import Folder
from models.pages import Pages
from models.rows import Rows, load_rows

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]

Checksums = NDArray[np.uint64]

# Rows that are summed up in one go, a megabyte or two of them.
_AT_ONCE = 512


class Embeddings:
    """Vectors by position; safe from several threads.

    Args:
        rows: float32 ``[n, dim]``.
        checksums: of each row, uint64 ``[n]``; None where the rows need no check.
        path: where the rows lie, for messages.
        owner: whose memory the rows are, where NumPy does not know: it is kept with them.
    """

    def __init__(
        self,
        rows: Vectors,
        checksums: Checksums | None = None,
        path: Path | None = None,
        owner: object = None,
    ) -> None:
        self._first = _Part(rows, checksums, path)
        self._owner = owner
        # Those of a change, and which row each position has: both or none.
        self._changed: _Part | None = None
        self._row_of: Rows | None = None

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write the vectors and their checksums into a folder, and give the files' names."""
        np.save(folder / EMBEDDINGS, self._first.rows)
        np.save(folder / ROW_CHECKSUMS, checksums_of(self._first.rows))
        return EMBEDDINGS, ROW_CHECKSUMS

    @classmethod
    def load(cls, folder: Folder) -> Embeddings:
        """Take the vectors into memory where they are few, else map them.

        Raises:
            DamagedError: a file is damaged, or they do not fit together.
        """
        content = folder.read(ROW_CHECKSUMS)
        folder.confirm(ROW_CHECKSUMS, content)
        checksums = read_array(content, np.dtype("<u8"), folder.path / ROW_CHECKSUMS)
        path = folder.path / EMBEDDINGS
        parts = [_read(folder, name) for name in (EMBEDDINGS, CHANGED_EMBEDDINGS) if name in folder]
        count = sum(len(rows) for rows, _ in parts)
        if (
            checksums.ndim != 1
            or len(checksums) != count
            or len({rows.shape[1:] for rows, _ in parts}) > 1
        ):
            raise DamagedError(f"{path} and its checksums do not fit together. Build it again.")
        rows, mapped = parts[0]
        embeddings = cls(rows)
        embeddings._first = _part(rows, mapped, checksums[: len(rows)], path)
        embeddings._row_of = load_rows(folder, count)
        if len(parts) > 1:
            changed, mapped = parts[1]
            place = folder.path / CHANGED_EMBEDDINGS
            embeddings._changed = _part(changed, mapped, checksums[len(rows) :], place)
        if (embeddings._row_of is None) != (embeddings._changed is None):
            raise DamagedError(f"{path} and its rows do not fit together. Build it again.")
        return embeddings

    def __len__(self) -> int:
        return len(self._first.rows) if self._row_of is None else len(self._row_of)

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return int(self._first.rows.shape[1])

    @property
    def row_of(self) -> Rows | None:
        """The row of each position, uint32 ``[n]``; None where a position is its row."""
        return self._row_of

    @property
    def unchanged(self) -> int:
        """How many rows are in the first file."""
        return len(self._first.rows)

    @property
    def row_count(self) -> int:
        """How many rows there are in all files, those of images that are gone among them."""
        return self.unchanged + (0 if self._changed is None else len(self._changed.rows))

    def row(self, position: int) -> Vectors:
        """The vector at ``position``, float32 ``[dim]``.

        Raises:
            DamagedError: it is not as it was written.
        """
        row: Vectors = self.rows(np.array([position]))[0]
        return row

    def rows(self, positions: Positions) -> Vectors:
        """A copy of the vectors at some positions, float32 ``[n, dim]``.

        Raises:
            DamagedError: one is not as it was written.
        """
        rows: Vectors
        if self._row_of is None or self._changed is None:
            self._first.check(positions)
            rows = self._first.rows[positions]
            return rows
        rows = np.empty((len(positions), self.dim), dtype=np.float32)
        for part, where, at in self._by_part(self._row_of, self._changed, positions):
            part.check(at)
            rows[where] = part.rows[at]
        return rows

    def products(self, query: Vectors, positions: Positions) -> Vectors:
        """The inner products of a query with some vectors.

        Each comes from that vector and the query alone: the last bit of it does not depend
        on what it is computed with.

        Args:
            query: float32 ``[dim]``.
            positions: int64 ``[n]``.

        Returns:
            float32 ``[n]``.

        Raises:
            DamagedError: a vector is not as it was written.
        """
        query = np.ascontiguousarray(query, dtype=np.float32)
        if self._row_of is None or self._changed is None:
            return self._first.products(query, positions)
        products = np.empty(len(positions), dtype=np.float32)
        for part, where, at in self._by_part(self._row_of, self._changed, positions):
            products[where] = part.products(query, at)
        return products

    def trust(self, name: str = EMBEDDINGS) -> None:
        """Check rows of a file no more: somebody has hashed the whole of it."""
        part = self._changed if name == CHANGED_EMBEDDINGS else self._first
        if part is not None:
            part.unchecked[:] = False

    def _by_part(
        self, row_of: Rows, changed: _Part, positions: Positions
    ) -> Iterator[tuple[_Part, Positions, Positions]]:
        """Each part, which of the positions have their rows in it, and which rows these are."""
        at = row_of[positions].astype(np.int64)
        of_first = at < len(self._first.rows)
        where = np.flatnonzero(of_first)
        yield self._first, where, at[where]
        where = np.flatnonzero(~of_first)
        yield changed, where, at[where] - len(self._first.rows)


class _Part:
    """The vectors of one file, by row, and which of them are not checked yet."""

    def __init__(
        self,
        rows: Vectors,
        checksums: Checksums | None,
        path: Path | None,
        pages: Pages | None = None,
    ) -> None:
        self.rows = rows
        self._pages = pages
        self._checksums = checksums
        self._path = path
        self.unchecked = np.full(len(rows), checksums is not None)

    def products(self, query: Vectors, at: Positions) -> Vectors:
        """The inner products of a query with some rows."""
        self.check(at)
        at = np.ascontiguousarray(at, dtype=np.int64)
        products = np.empty(len(at), dtype=np.float32)
        # Reads the rows where they lie; gathering them first takes four times as long.
        faiss.fvec_inner_products_by_idx(
            faiss.swig_ptr(products),
            faiss.swig_ptr(query),
            faiss.swig_ptr(self.rows),
            faiss.swig_ptr(at),
            self.rows.shape[1],
            1,
            len(at),
        )
        return products

    def check(self, at: Positions) -> None:
        """Compare rows with their checksums, once each.

        Raises:
            DamagedError: one is not as it was written.
        """
        if self._pages is not None:
            self._pages.fetch(at)
        fresh = at[self.unchecked[at]]
        if not len(fresh):
            return
        assert self._checksums is not None
        damaged = fresh[checksums_of(self.rows, fresh) != self._checksums[fresh]]
        if len(damaged):
            raise DamagedError(
                f"{self._path} is damaged: the vector at {damaged[0]}. Build it again."
            )
        self.unchecked[fresh] = False


def _read(folder: Folder, name: str) -> tuple[Vectors, mmap | None]:
    """The vectors of a file, and where it is mapped; None where it is in memory, and hashed."""
    path = folder.path / name
    if not folder.in_memory(name):
        mapped = folder.map(name)
        return read_array(mapped, np.dtype("<f4"), path), mapped
    content = folder.read(name)
    folder.confirm(name, content)
    return read_array(content, np.dtype("<f4"), path), None


def _part(rows: Vectors, mapped: mmap | None, checksums: Checksums, path: Path) -> _Part:
    """The vectors of a file as :func:`_read` gives them."""
    if mapped is None:
        return _Part(rows, None, path)
    return _Part(rows, checksums, path, Pages(mapped, rows))


def checksums_of(rows: Vectors, positions: Positions | None = None) -> Checksums:
    """The checksum of each row, or of those at some positions, uint64 ``[n]``."""
    factors = _factors(rows.shape[1])
    count = len(rows) if positions is None else len(positions)
    checksums = np.empty(count, dtype="<u8")
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        some = rows[part] if positions is None else rows[positions[part]]
        words = np.ascontiguousarray(some, dtype="<f4").view("<u4")
        checksums[part] = (words * factors).sum(axis=1, dtype=np.uint64)
    return checksums


@cache
def _factors(count: int) -> Checksums:
    """Odd numbers of 64 bits: SplitMix64's, which looks random (Steele, Lea and Flood, 2014)."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31)) | np.uint64(1)
