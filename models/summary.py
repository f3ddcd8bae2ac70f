"""What is known of all images of a bundle, for a service whose collection lies elsewhere.

    summary.sqlite: facets(rank, field, facet, checksum), terms(term, count, checksum)

The facets over all images and the words that a slip of the keys may mean, as
:mod:`models.facets` and :mod:`models.spelling` describe them: a megabyte at the most, however many
images there are.  A whole bundle has both in its items.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.database import Database, new_database
from models.facet_counts import Facet
from models.facets import offered_facets
from models.items import FILTER_SECONDS
from models.spelling import Speller

_TABLES = ("facets", "terms")


class Summary:
    """Reads the summary of a bundle; safe from several threads.

    Args:
        database: a summary, or the items that it is one of.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._speller = Speller(database)

    def facets(self) -> dict[str, Facet]:
        """The facets that are offered over all images, by field, best first.

        Raises:
            DamagedError: the file is damaged.
        """
        return offered_facets(self._database, seconds=FILTER_SECONDS)

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """What a query may have meant: :meth:`Speller.meant`."""
        return self._speller.meant(query, is_known)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def write_summary(path: Path, items: Path) -> None:
    """Write the summary of a bundle.

    Args:
        path: the new file.
        items: of the bundle, which nobody writes.
    """
    with new_database(path) as connection:
        connection.execute("ATTACH ? AS items", [f"{items.absolute().as_uri()}?immutable=1"])
        for table in _TABLES:
            query = "SELECT sql FROM items.sqlite_master WHERE name = ?"
            # A bundle that is older has no terms.
            for (made,) in connection.execute(query, [table]).fetchall():
                connection.execute(made)
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM items.{table}")
