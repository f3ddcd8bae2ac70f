"""Shards on their way into Milvus: their images, and what the service before it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from build.bundle_from_images import build_index
from build.bundle_items import describe
from build.embed import encoder_identity
from build.index_options import IndexOptions
from build.load import AT_ONCE, write_front
from build.packages import open_package
from build.shards.reading import Shards
from build.tags import Tagger
from models import machine
from models.bundle import Bundle
from models.embeddings import Vectors
from models.items import Item, item_id

# The mean of so many, and how near they come to senseless queries, is nearly that of all.
_SAMPLE = 100_000


class ShardImages:
    """The images of shards, as a bundle would have them (:class:`build.load.Images`).

    Args:
        shards: finished.
        package: the model package that made them.

    Raises:
        BuildError: another model made them.
        DamagedError: names the file of the package that is not whole.
    """

    def __init__(self, shards: Shards, package: Path) -> None:
        opened = open_package(package, text_threads=machine.cores(), image_threads=None)
        shards.require(encoder_identity(opened.card))
        self.model = opened.card
        self._shards = shards
        random = opened.card.pretrained == "random"
        self._tagger = None if random else Tagger(opened.tokenizer, opened.text_encoder)

    def __len__(self) -> int:
        return len(self._shards)

    def parts(self) -> Iterator[tuple[Sequence[Item], Vectors]]:
        """All in order of position, some hundred at a time, and their embeddings."""
        said = self._shards.said
        hashes = self._shards.each("thumbhash", self._shards.paths)
        guess = None if self._tagger is None else self._tagger.alt_texts
        start = 0
        for group in self._shards.unit_rows():
            for first in range(0, len(group), AT_ONCE):
                vectors = group[first : first + AT_ONCE]
                some = slice(start, start + len(vectors))
                paths, sizes = self._shards.paths[some], self._shards.sizes[some]
                items = describe(paths, sizes, vectors, said, guess)
                yield (
                    [
                        replace(item, position=start + item.position, thumbhash=next(hashes))
                        for item in items
                    ],
                    vectors,
                )
                start += len(vectors)

    def ids(self) -> Container[str]:
        """The ids of all."""
        return {item_id(path) for path in self._shards.paths}


def write_front_of(shards: Shards, package: Path, folder: Path) -> None:
    """Write what a service needs that searches elsewhere, by a sample of the images.

    Args:
        shards: finished.
        package: the model package that made them.
        folder: to make, or to replace by another such.

    Raises:
        BuildError: something else is in the way, or the disk refuses.
        DamagedError: names the file of the package that is not whole.
    """
    with tempfile.TemporaryDirectory() as place:
        options = IndexOptions(
            output=Path(place) / "sample",
            model=package,
            images=shards.root,
            shards=shards,
            sample_size=_SAMPLE,
        )
        build_index(options)
        bundle = Bundle.open(options.output)
        try:
            write_front(bundle, folder)
        finally:
            bundle.close()
