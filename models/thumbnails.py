"""Small versions of the images: how one is made, and a SQLite file of their own.

    thumbnails(position, webp, checksum)

They make up most of a bundle, and no search reads them: they are checked when they are read.
Of a bundle that was changed the new ones are in a second file, and ``position`` is the number of
the image's row (:mod:`models.rows`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from models.database import Database, new_database, with_checksum
from models.rows import Rows

_SCHEMA = """
CREATE TABLE thumbnails (
    position INTEGER PRIMARY KEY,
    webp BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
"""
_INSERT = "INSERT INTO thumbnails VALUES (?, ?, ?)"
THUMBNAIL_SIDE = 320
_QUALITY = 80
# Half the time of WebP's usual effort (4) for thumbnails 4 % larger: a thirtieth of all that
# a small image costs when a bundle is built.
_EFFORT = 2


def thumbnail(image: Image.Image) -> bytes:
    """A decoded image as WebP, its longer side at most 320 pixels, transparency kept.

    Nothing else of the original's file goes into it: neither where it was taken nor its
    colour profile, which need not fit what the colours were converted to.
    """
    scale = THUMBNAIL_SIDE / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    output = io.BytesIO()
    image.save(
        output,
        "WEBP",
        quality=_QUALITY,
        method=_EFFORT,
        exif=b"",
        icc_profile=b"",
        xmp=b"",
    )
    return output.getvalue()


def write_thumbnails(path: Path, thumbnails: Iterable[tuple[int, bytes]]) -> None:
    """Write a new file of images' positions and their thumbnails as WebP."""
    with new_database(path) as connection:
        connection.execute(_SCHEMA)
        connection.executemany(_INSERT, map(with_checksum, thumbnails))


def add_thumbnails(path: Path, thumbnails: Iterable[tuple[int, bytes]]) -> None:
    """Write more of them into a file that nobody reads yet."""
    with new_database(path) as connection:
        connection.executemany(_INSERT, map(with_checksum, thumbnails))


class ThumbnailStore:
    """Reads thumbnails; safe from several threads.

    Args:
        database: the file.
        changed: the second one, of a bundle that was changed.
        row_of: the row of each position, uint32 ``[n]``; None where a position is its row.
        unchanged: how many rows are in the first file.
    """

    def __init__(
        self,
        database: Database,
        changed: Database | None = None,
        row_of: Rows | None = None,
        unchanged: int = 0,
    ) -> None:
        self._database = database
        self._changed = changed
        self._row_of = row_of
        self._unchanged = unchanged

    def get(self, position: int) -> bytes | None:
        """An image's thumbnail as WebP, None where the bundle has none.

        Raises:
            DamagedError: it is not as it was written.
        """
        query = "SELECT position, webp, checksum FROM thumbnails WHERE position = ?"
        row = position if self._row_of is None else int(self._row_of[position])
        database = self._database
        if self._changed is not None and row >= self._unchanged:
            database = self._changed
        for _, webp in database.whole_rows(query, [row]):
            return bytes(webp)
        return None

    def close(self) -> None:
        """Close the files."""
        self._database.close()
        if self._changed is not None:
            self._changed.close()
