"""The pictures' vectors as they are, a row each: what codes are checked with.

``embeddings.npy`` is a NumPy file, float32 ``[n, dim]``, each row of length one.  It is much
larger than what a search reads of it, so it is mapped, and a row is checked when it is first
used: ``embeddings.crc32.npy`` has the CRC-32 of each, uint32 ``[n]``.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from models.folder import Folder
from models.manifest import EMBEDDINGS, ROW_CHECKSUMS, DamagedError

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]

_HEADER = 4096


class Embeddings:
    """Vectors by position; safe from several threads.

    Args:
        rows: float32 ``[n, dim]``.
        checksums: the CRC-32 of each row, uint32 ``[n]``; None where the rows need no check.
        path: where the rows lie, for messages.
    """

    def __init__(
        self, rows: Vectors, checksums: NDArray[np.uint32] | None = None, path: Path | None = None
    ) -> None:
        self._rows = rows
        self._checksums = checksums
        self._path = path
        self._unchecked = np.full(len(rows), checksums is not None)

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write the vectors and their checksums into a folder, and give the files' names."""
        np.save(folder / EMBEDDINGS, self._rows)
        checksums = np.fromiter(map(zlib.crc32, self._rows), dtype="<u4", count=len(self._rows))
        np.save(folder / ROW_CHECKSUMS, checksums)
        return EMBEDDINGS, ROW_CHECKSUMS

    @classmethod
    def load(cls, folder: Folder) -> Embeddings:
        """Take the vectors into memory where they are few, else map them.

        Raises:
            DamagedError: a file is damaged, or they do not fit together.
        """
        content = folder.read(ROW_CHECKSUMS)
        folder.confirm(ROW_CHECKSUMS, content)
        checksums = _array(content, np.dtype("<u4"), folder.path / ROW_CHECKSUMS)
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
        for position in fresh.tolist():
            if zlib.crc32(self._rows[position]) != self._checksums[position]:
                raise DamagedError(
                    f"{self._path} is damaged: the vector at {position}. Build it again."
                )
        self._unchecked[fresh] = False


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
