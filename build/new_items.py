"""Images that come to a bundle that is there: where they go, and all that is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from build.assemble import looks_of
from build.bundle_images import Images
from build.bundle_items import AltTexts, describe
from build.changed_files import Coming
from build.journal import Journal
from build.moves import Moves
from build.said import Said
from build.thumbhash import thumbhashes
from models import machine
from models.database import Database
from models.file_names import ITEMS
from models.folder import Folder

# SQLite takes a limited number of parameters in one statement.
_AT_ONCE = 500


def positions_of(old: Folder, paths: Sequence[str]) -> NDArray[np.int64]:
    """The position of each path, int64 ``[n]``, -1 where the bundle has no such image."""
    found: dict[str, int] = {}
    with closing(Database(old, ITEMS)) as items:
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT image_path, position FROM items WHERE image_path IN ({marks})"
            found |= dict(items.rows(query, some))
    return np.array([found.get(path, -1) for path in paths], dtype=np.int64)


def coming_of(
    images: Images, said: Said, guess: AltTexts | None, plan: Moves, journal: Journal
) -> Coming:
    """What comes, in order of position.

    Args:
        images: the images that come.
        said: what is said of them.
        guess: alt texts from vectors; None where the model cannot tell.
        plan: where they go, in the same order.
        journal: where the thumbnails are.
    """
    described = describe(
        images.paths,
        images.sizes,
        images.vectors,
        said.descriptions,
        guess,
        written=said.written,
        texts=said.texts,
    )
    with_files = zip(images.paths, images.sizes, strict=True)
    hashes = thumbhashes(with_files, journal, machine.cores())
    items = [replace(item, thumbhash=one) for item, one in zip(described, hashes, strict=True)]
    looks = list(looks_of(images, journal))
    order = np.argsort(plan.new).tolist()

    def thumbnail(number: int) -> bytes | None:
        at = order[number]
        return None if images.sizes[at] is None else journal.thumbnail(images.paths[at])

    return Coming(
        [replace(items[at], position=int(plan.new[at])) for at in order],
        images.vectors[order],
        thumbnail,
        [looks[at] for at in order],
    )
