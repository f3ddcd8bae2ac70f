"""Vectors that others have made, scaled to length one, and those of them that have no direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.errors import BuildError

# Shorter than this a vector has no direction worth the name.
_SHORTEST = 1e-6
# What float32 makes of a length of one differs by no more.
_ROUNDING = 1e-6


class Directions:
    """Scales rows that come one part after the other, and remembers which cannot be scaled.

    Args:
        where: they come from, for messages.
    """

    def __init__(self, where: object) -> None:
        self._where = where
        self._seen = 0
        self._infinite: list[int] = []
        self._zero: list[int] = []

    def scaled(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """The next rows, floats ``[n, dim]``, as float32 of length one."""
        # Harmless: "overflow encountered in cast"; what became infinite is refused below.
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float32)
        finite = np.isfinite(rows).all(axis=1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        short = lengths < _SHORTEST
        self._infinite += (self._seen + np.flatnonzero(~finite)).tolist()
        self._zero += (self._seen + np.flatnonzero(short)).tolist()
        self._seen += len(rows)
        # So that a bundle's own vectors, exported, make the same index again.
        as_it_is = np.abs(lengths - 1) < _ROUNDING
        refused = ~finite[:, np.newaxis] | short
        rows /= np.where(as_it_is | refused, 1, lengths)
        return rows

    def refuse(self) -> None:
        """Say, after the last rows, which of all have no direction.

        Raises:
            BuildError: some have none.
        """
        self._refuse(self._infinite, "is not finite (NaN or infinity)")
        self._refuse(self._zero, "is zero")

    def _refuse(self, rows: list[int], what: str) -> None:
        if rows:
            others = f" (and {len(rows) - 1} others)" if len(rows) > 1 else ""
            raise BuildError(
                f"{self._where}: row {rows[0]}{others} {what}; it cannot be searched for."
            )
