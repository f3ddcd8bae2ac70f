"""Shards of as many images as are asked for, as ``build embed`` leaves them, without images.

    python -m benchmarks.shards FOLDER --count 1000000 --model artifacts/random

The vectors are those of :mod:`benchmarks.vectors`, the captions, names, places and keywords
those of :mod:`benchmarks.words`; each image has a small thumbnail.  For measuring what takes
shards: ``build index --embeddings FOLDER`` and ``build load``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.vectors import Space
from benchmarks.words import Said
from build.assemble import versions
from build.embed import encoder_identity
from build.metadata.description import Description
from build.packages import open_package
from build.shards.documents import MANIFEST, Shard, ShardsManifest, mark_finished, shard_name
from build.shards.storage import storage_at
from build.shards.table import Row, TableWriter

_IMAGES_A_SHARD = 10_000
_WIDTH, _HEIGHT = 32, 24
_THUMBNAILS = 64


def write(folder: Path, count: int, model: Path) -> None:
    """Write the shards of so many images, and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    card = open_package(model).card
    storage = storage_at(str(folder))
    rows = _rows(count, card.embedding_dim)
    shards = []
    for number in range(-(-count // _IMAGES_A_SHARD)):
        name = shard_name(number)
        with TableWriter(folder / name, card.embedding_dim, "float32") as table:
            while table.count < _IMAGES_A_SHARD and (some := list(itertools.islice(rows, 1000))):
                table.add(some)
        with (folder / name).open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = (folder / name).stat().st_size
        shard = Shard(name=name, images=table.count, size=size, sha256=sha256, made_of="")
        mark_finished(storage, shard)
        shards.append(shard)
    manifest = ShardsManifest(
        model=card,
        encoder=encoder_identity(card),
        images="nowhere",
        metadata="basic",
        precision="float32",
        count=count,
        shards=shards,
        skipped=[],
        versions=versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    storage.write(MANIFEST, manifest.model_dump_json(indent=1).encode())


def _rows(count: int, dim: int) -> Iterator[Row]:
    space = Space(dim)
    vectors = (row for number in itertools.count() for row in space.block(number))
    chance = np.random.default_rng(0)
    thumbnails = [_thumbnail(chance) for _ in range(_THUMBNAILS)]
    for item, vector in zip(Said(count).items(), vectors, strict=False):
        # In order, as shards have them.
        path = f"images/{item.position:07}.jpg"
        yield Row(
            path=path,
            vector=vector,
            width=10 * _WIDTH,
            height=10 * _HEIGHT,
            checksum=hashlib.sha256(path.encode()).digest(),
            said=Description(item.caption, None, item.metadata, item.sources),
            thumbnail=thumbnails[item.position % _THUMBNAILS],
            look=None,
        )


def _thumbnail(chance: np.random.Generator) -> bytes:
    file = io.BytesIO()
    pixels = chance.integers(0, 256, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "WEBP", quality=50)
    return file.getvalue()


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    write(arguments.folder, arguments.count, arguments.model)


if __name__ == "__main__":
    main()
