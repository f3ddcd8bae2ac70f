"""Where images lie after others have come and gone: what can stay in its place stays there.

What is new takes the places of what is gone, or comes behind the last; where more go than come
the last ones move into the gaps.  So positions count from 0 without a gap, and a change costs what
it changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Moves:
    """Where images go: see :func:`moves`.

    ``now_at``, int64 ``[n]``, is where the image of each position is now, -1 where it is gone;
    ``new``, int64 ``[m]``, where each of those that have come is.
    """

    now_at: Positions
    new: Positions

    @property
    def count(self) -> int:
        """How many images there are now."""
        return int((self.now_at >= 0).sum()) + len(self.new)


def moves(count: int, gone: Positions, was_at: Positions) -> Moves:
    """Find places for images.

    Args:
        count: how many there were.
        gone: the positions of those that go.
        was_at: for each that comes, the position of the one that it replaces, -1 where it
            replaces none, int64 ``[m]``.  None of them goes as well.
    """
    stays = np.ones(count, dtype=np.bool_)
    stays[gone] = False
    added = was_at < 0
    total = int(stays.sum()) + int(added.sum())
    free = np.concatenate([np.flatnonzero(~stays[:total]), np.arange(count, total)])
    now_at = np.where(stays, np.arange(count), -1)
    beyond = total + np.flatnonzero(stays[total:])
    now_at[beyond] = free[: len(beyond)]
    new = np.empty(len(was_at), dtype=np.int64)
    new[added] = free[len(beyond) :]
    new[~added] = now_at[was_at[~added]]
    now_at[was_at[~added]] = -1
    return Moves(now_at, new)
