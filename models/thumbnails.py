"""Small versions of the pictures, in a SQLite file of their own.

    thumbnails(position, webp, checksum)

They make up most of a bundle, and no search reads them: they are checked when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from models.database import Database, new_database, with_checksum

_SCHEMA = """
CREATE TABLE thumbnails (
    position INTEGER PRIMARY KEY,
    webp BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
"""


def write_thumbnails(path: Path, thumbnails: Iterable[tuple[int, bytes]]) -> None:
    """Write a new file of pictures' positions and their thumbnails as WebP."""
    with new_database(path) as connection:
        connection.execute(_SCHEMA)
        connection.executemany(
            "INSERT INTO thumbnails VALUES (?, ?, ?)", map(with_checksum, thumbnails)
        )


class ThumbnailStore:
    """Reads thumbnails; safe from several threads.

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, position: int) -> bytes | None:
        """A picture's thumbnail as WebP, None where the bundle has none.

        Raises:
            DamagedError: it is not as it was written.
        """
        query = "SELECT position, webp, checksum FROM thumbnails WHERE position = ?"
        for _, webp in self._database.whole_rows(query, [position]):
            return bytes(webp)
        return None

    def close(self) -> None:
        """Close the file."""
        self._database.close()
