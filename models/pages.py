"""Which parts of a mapped file the system is to read from the disk: those that are needed.

Left to itself it reads far around each place that is touched, up to eight megabytes on some
machines: a search that compares with 512 vectors, all over a file of gigabytes, then reads most of
it where nothing is in the page cache yet.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Windows has no such thing.
_CAN_ADVISE = hasattr(mmap, "MADV_RANDOM") and hasattr(mmap, "MADV_WILLNEED")


class Pages:
    """The pages of a mapped file that rows lie in.

    Args:
        mapped: the file.
        rows: ``[n, dim]``, the last part of it.
    """

    def __init__(self, mapped: mmap.mmap, rows: NDArray[Any]) -> None:
        self._mapped = mapped
        self._width = rows.shape[1] * rows.itemsize
        self._begin = len(mapped) - rows.nbytes
        self._asked_for = np.zeros(len(rows), dtype=np.bool_)
        if _CAN_ADVISE:
            mapped.madvise(mmap.MADV_RANDOM)

    def fetch(self, at: NDArray[np.int64]) -> None:
        """Have the pages of some rows read, side by side, before they are first touched."""
        new = at[~self._asked_for[at]]
        if not _CAN_ADVISE or not len(new):
            return
        self._asked_for[new] = True
        for first, last in runs(self._begin + new * self._width, self._width):
            self._mapped.madvise(mmap.MADV_WILLNEED, first, last - first)


def runs(starts: NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Where whole pages begin and end that hold some stretches of bytes; none touches the next.

    Args:
        starts: where the stretches begin, int64 ``[n]``, in any order.
        width: how long each is.
    """
    starts = np.sort(starts)
    first = starts // mmap.PAGESIZE
    last = (starts + width - 1) // mmap.PAGESIZE + 1
    # A stretch belongs to the run before it where it begins no later than that ends.
    begins = np.append(True, first[1:] > last[:-1])
    ends = np.append(begins[1:], True)
    bounds = np.stack([first[begins], last[ends]], axis=1) * mmap.PAGESIZE
    return [(int(start), int(stop)) for start, stop in bounds]
