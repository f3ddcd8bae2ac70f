"""Files of embeddings, read some rows at a time and scaled to length one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from build.directions import Directions
from build.errors import BuildError
from build.progress import Progress

# Rows that are in memory besides those that are kept.
_AT_ONCE = 16_384


class VectorFile:
    """The vectors of a NumPy file, read some at a time: together they may not fit twice.

    Args:
        file: ``.npy``, floats ``[n, dim]``.
        dim: how wide the model's vectors are.

    Raises:
        BuildError: the file is of another form.
    """

    def __init__(self, file: Path, dim: int) -> None:
        self._file = file
        rows = self._mapped()
        if not isinstance(rows, np.ndarray):
            raise BuildError(f"{file} holds several arrays. Save the one with the vectors as .npy.")
        if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating):
            raise BuildError(
                f"{file} holds {rows.dtype} of shape {list(rows.shape)}; floats of shape "
                f"[images, {dim}] are needed."
            )
        if rows.shape[1] != dim:
            raise BuildError(
                f"{file} holds vectors {rows.shape[1]} wide, but the model's are {dim} wide. "
                "Give --model the package of the model that made them."
            )
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    def unit_rows(self) -> Iterator[NDArray[np.float32]]:
        """All vectors in order, scaled to length one: float32 ``[some, dim]`` at a time.

        Raises:
            BuildError: rows have no direction; said after the last one.
        """
        directions = Directions(self._file)
        for start in range(0, self._count, _AT_ONCE):
            # Mapped anew: what was read of the file would else stay in memory until the end.
            yield directions.scaled(self._mapped()[start : start + _AT_ONCE])
        directions.refuse()

    def _mapped(self) -> Any:
        try:
            return np.load(self._file, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise BuildError(f"{self._file} cannot be read: {error.strerror or error}.") from None
        except (ValueError, EOFError) as error:
            raise BuildError(f"{self._file} is no .npy file of numbers: {error}.") from None


class Rows(Protocol):
    """Vectors that are read some at a time."""

    def __len__(self) -> int:
        """How many there are."""

    def unit_rows(self) -> Iterator[NDArray[np.float32]]:
        """All in order, of length one: float32 ``[some, dim]`` at a time.

        Raises:
            BuildError: rows have no direction; said after the last one.
        """


def read_vectors(files: Sequence[Rows], rows: NDArray[np.int64], dim: int) -> NDArray[np.float32]:
    """Some rows of files that follow one another, scaled to length one.

    Args:
        files: the vectors.
        rows: which of them, and in what order, int64 ``[n]`` without repeats.
        dim: how wide they are.

    Returns:
        float32 ``[n, dim]``.

    Raises:
        BuildError: a row has no direction, be it one of those asked for or not.
    """
    total = sum(map(len, files))
    place = np.full(total, -1)
    place[rows] = np.arange(len(rows))
    vectors = np.empty((len(rows), dim), dtype=np.float32)
    start = 0
    with Progress("reading vectors", total, 0) as progress:
        for some in chain.from_iterable(file.unit_rows() for file in files):
            to = place[start : start + len(some)]
            vectors[to[to >= 0]] = some[to >= 0]
            start += len(some)
            progress.advance(len(some))
    return vectors
