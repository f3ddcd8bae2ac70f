"""The images whose embeddings exist already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from build.bundle_images import Images
from build.embed import embed, encoder_identity
from build.embedding_files import read_vectors
from build.existing_embeddings import read_given
from build.index_options import IndexOptions, threads_of
from build.journal import Journal
from build.scan import look_up, sample
from build.shards.reading import Shards
from models.model_card import ModelCard


def given_images(options: IndexOptions, card: ModelCard, journal: Journal) -> Images:
    """The images whose vectors exist; sizes and thumbnails of those that are on the disk.

    Raises:
        BuildError: the vectors or the paths are of another form, or do not fit together.
    """
    if options.shards is not None:
        return _sharded(options, options.shards, card)
    assert options.embeddings is not None
    given = read_given(options.embeddings, options.paths, options.images, card.embedding_dim)
    rows = _rows(options, given.paths)
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


def _sharded(options: IndexOptions, shards: Shards, card: ModelCard) -> Images:
    shards.require(encoder_identity(card))
    rows = _rows(options, shards.paths)
    return Images(
        [shards.paths[row] for row in rows],
        [shards.sizes[row] for row in rows],
        read_vectors([shards], np.array(rows), card.embedding_dim),
        skipped=shards.manifest.skipped,
        reused=len(rows),
        shards=shards,
    )


def _rows(options: IndexOptions, paths: Sequence[str]) -> list[int]:
    """The rows that are taken of those with these paths, in order of the paths."""
    rows = sorted(range(len(paths)), key=paths.__getitem__)
    if options.sample_size is None:
        return rows
    chosen = set(sample(paths, options.sample_size, options.seed))
    return [row for row in rows if paths[row] in chosen]


def _size(path: str, journal: Journal) -> tuple[int, int] | None:
    record = journal.get(path)
    return None if record.width is None or record.height is None else (record.width, record.height)
