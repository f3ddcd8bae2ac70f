"""What became of an image, as a build looks at it and as a row of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = "sha256, width, height, vector, reason, detail"


@dataclass(frozen=True, slots=True)
class Record:
    """What became of an image.

    Either ``reason`` says why it was skipped, or ``vector`` (float32 ``[dim]``; None where
    the build has no encoder), ``thumbnail`` (WebP) and size in pixels are there.
    ``sha256`` is None where the file could not be read.
    """

    sha256: bytes | None
    width: int | None = None
    height: int | None = None
    vector: NDArray[np.float32] | None = None
    thumbnail: bytes | None = None
    reason: str | None = None
    detail: str | None = None


def record_of(row: tuple[Any, ...]) -> Record:
    """The record that a row holds: ``COLUMNS``, and the thumbnail."""
    sha256, width, height, vector, reason, detail, thumbnail = row
    return Record(
        sha256=sha256,
        width=width,
        height=height,
        vector=None if vector is None else np.frombuffer(vector, dtype="<f4"),
        thumbnail=thumbnail,
        reason=reason,
        detail=detail,
    )
