"""The images whose embeddings exist already."""

from __future__ import annotations

import numpy as np

from build.bundle_images import Images
from build.embed import embed
from build.embedding_files import read_vectors
from build.existing_embeddings import read_given
from build.index_options import IndexOptions, threads_of
from build.journal import Journal
from build.scan import look_up, sample
from models.model_card import ModelCard


def given_images(options: IndexOptions, card: ModelCard, journal: Journal) -> Images:
    """The images whose vectors exist; sizes and thumbnails of those that are on the disk.

    Raises:
        BuildError: the vectors or the paths are of another form, or do not fit together.
    """
    assert options.embeddings is not None
    given = read_given(options.embeddings, options.paths, options.images, card.embedding_dim)
    rows = sorted(range(len(given.paths)), key=given.paths.__getitem__)
    if options.sample_size is not None:
        chosen = set(sample(given.paths, options.sample_size, options.seed))
        rows = [row for row in rows if given.paths[row] in chosen]
    paths = [given.paths[row] for row in rows]
    sizes: list[tuple[int, int] | None] = [None] * len(paths)
    if options.images is not None:
        found = look_up(options.images, paths)
        embed(options.images, found.images, found.time_ns, journal, card, None, threads_of(options))
        there = {file.path for file in found.images}
        sizes = [_size(path, journal) if path in there else None for path in paths]
    return Images(
        paths,
        sizes,
        read_vectors(given.files, np.array(rows), card.embedding_dim),
        skipped=[],
        reused=len(paths),
        said=given.said,
        queries=given.queries,
    )


def _size(path: str, journal: Journal) -> tuple[int, int] | None:
    record = journal.get(path)
    return None if record.width is None or record.height is None else (record.width, record.height)
