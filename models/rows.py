"""Where the images of a bundle that was changed lie in its large files.

Embeddings and thumbnails are most of a bundle.  A change leaves these files as they are and puts
what is new into a second one of each, so that it takes time for what changed and not for all.
``rows.npy``, uint32 ``[n]``, has the row of each position: those of ``embeddings.npy`` come first,
then those of ``embeddings.changed.npy``; a thumbnail has the number of its image's row.  Rows
that no position has are of images that are gone.  A bundle that was written in one go has no
such file: a position is its row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import read_array
from models.folder import Folder
from models.manifest import ROWS, DamagedError

Positions = NDArray[np.int64]
Rows = NDArray[np.uint32]


def load_rows(folder: Folder, there: int) -> Rows | None:
    """The row of each position, uint32 ``[n]``; None where a position is its row.

    Args:
        folder: the bundle.
        there: how many rows there are.

    Raises:
        DamagedError: the file is damaged, or names rows that are not there.
    """
    if ROWS not in folder:
        return None
    content = folder.read(ROWS)
    folder.confirm(ROWS, content)
    rows: NDArray[Any] = read_array(content, np.dtype("<u4"), folder.path / ROWS)
    if rows.ndim != 1 or (len(rows) and int(rows.max()) >= there):
        raise DamagedError(f"{folder.path / ROWS} names rows that are not there. Build it again.")
    return rows
