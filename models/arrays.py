"""NumPy files that are read from memory or from a map of the file, without a copy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.damage import DamagedError

_HEADER = 4096


def read_array(content: Any, dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    """The array of a NumPy file, where it lies.

    Args:
        content: of the file: bytes, or a map of it.
        dtype: what the file has to hold.
        path: of the file, for messages.

    Raises:
        DamagedError: it is no such array.
    """
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
