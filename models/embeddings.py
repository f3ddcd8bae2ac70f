"""The pictures' vectors as they are, a row each: what codes are checked with.

``embeddings.npy`` is a NumPy file, float32 ``[n, dim]``, each row of length one.  It is much
larger than what a search reads of it, so it is mapped, and a row is checked when it is first
used: ``embeddings.checksums.npy`` has a checksum of each, uint64 ``[n]``.

A search touches a thousand rows at a time, and a CRC-32 of each is a thousand calls, which keep
the interpreter from everything else.  So the checksum of a row is the sum of its 32-bit words,
each times an odd number of 64 bits that depends on its place (multilinear hashing: Carter and
Wegman, 1979), modulo 2^64: NumPy has it for many rows in one go.  A change in a single word always
shows, any other but for one in 2^64.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from models.folder import Folder
from models.manifest import EMBEDDINGS, ROW_CHECKSUMS, DamagedError

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]

Checksums = NDArray[np.uint64]

_HEADER = 4096
# Rows that are summed up in one go, a megabyte or two of them.
_AT_ONCE = 512


class Embeddings:
    """Vectors by position; safe from several threads.

    Args:
        rows: float32 ``[n, dim]``.
        checksums: of each row, uint64 ``[n]``; None where the rows need no check.
        path: where the rows lie, for messages.
    """

    def __init__(
        self, rows: Vectors, checksums: Checksums | None = None, path: Path | None = None
    ) -> None:
        self._rows = rows
        self._checksums = checksums
        self._path = path
        self._unchecked = np.full(len(rows), checksums is not None)

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write the vectors and their checksums into a folder, and give the files' names."""
        np.save(folder / EMBEDDINGS, self._rows)
        np.save(folder / ROW_CHECKSUMS, checksums_of(self._rows))
        return EMBEDDINGS, ROW_CHECKSUMS

    @classmethod
    def load(cls, folder: Folder) -> Embeddings:
        """Take the vectors into memory where they are few, else map them.

        Raises:
            DamagedError: a file is damaged, or they do not fit together.
        """
        content = folder.read(ROW_CHECKSUMS)
        folder.confirm(ROW_CHECKSUMS, content)
        checksums = _array(content, np.dtype("<u8"), folder.path / ROW_CHECKSUMS)
        path = folder.path / EMBEDDINGS
        if folder.in_memory(EMBEDDINGS):
            content = folder.read(EMBEDDINGS)
            folder.confirm(EMBEDDINGS, content)
            embeddings = cls(_array(content, np.dtype("<f4"), path))
        else:
            rows = _array(folder.map(EMBEDDINGS), np.dtype("<f4"), path)
            embeddings = cls(rows, checksums, path)
        if checksums.ndim != 1 or len(checksums) != len(embeddings):
            raise DamagedError(f"{path} and its checksums do not fit together. Build it again.")
        return embeddings

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return int(self._rows.shape[1])

    def row(self, position: int) -> Vectors:
        """The vector at ``position``, float32 ``[dim]``.

        Raises:
            DamagedError: it is not as it was written.
        """
        self._check(np.array([position]))
        row: Vectors = self._rows[position].copy()
        return row

    def rows(self, positions: Positions) -> Vectors:
        """A copy of the vectors at some positions, float32 ``[n, dim]``.

        Raises:
            DamagedError: one is not as it was written.
        """
        self._check(positions)
        rows: Vectors = self._rows[positions]
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
        self._check(positions)
        query = np.ascontiguousarray(query, dtype=np.float32)
        positions = np.ascontiguousarray(positions, dtype=np.int64)
        products = np.empty(len(positions), dtype=np.float32)
        # Reads the rows where they lie; gathering them first takes four times as long.
        faiss.fvec_inner_products_by_idx(
            faiss.swig_ptr(products),
            faiss.swig_ptr(query),
            faiss.swig_ptr(self._rows),
            faiss.swig_ptr(positions),
            self.dim,
            1,
            len(positions),
        )
        return products

    def trust(self) -> None:
        """Check rows no more: somebody has hashed the whole file."""
        self._unchecked[:] = False

    def _check(self, positions: Positions) -> None:
        fresh = positions[self._unchecked[positions]]
        if not len(fresh):
            return
        assert self._checksums is not None
        damaged = fresh[checksums_of(self._rows, fresh) != self._checksums[fresh]]
        if len(damaged):
            raise DamagedError(
                f"{self._path} is damaged: the vector at {damaged[0]}. Build it again."
            )
        self._unchecked[fresh] = False


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


def _array(content: Any, dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    """The array of a NumPy file, where it lies."""
    header = io.BytesIO(content[:_HEADER])
    try:
        if np.lib.format.read_magic(header) != (1, 0):
            raise ValueError("it is of another version")
        shape, fortran, found = np.lib.format.read_array_header_1_0(header)
        if fortran or found != dtype:
            raise ValueError(f"it holds {found}")
        return np.frombuffer(content, dtype, int(np.prod(shape)), header.tell()).reshape(shape)
    except ValueError as error:
        raise DamagedError(f"{path} is no array of vectors: {error}. Build it again.") from None
