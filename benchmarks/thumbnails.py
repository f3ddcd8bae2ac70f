"""Give a bundle of vectors thumbnails, so that it is as large as one of images.

    python -m benchmarks.thumbnails BUNDLE --bytes 8192

They are bytes by chance and no images: whoever starts a service reads none of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.checksums import record_file
from models.file_names import MANIFEST, THUMBNAILS
from models.manifest import Manifest
from models.thumbnails import write_thumbnails


def give(bundle: Path, size: int) -> None:
    """Replace the thumbnails of a bundle by ``size`` bytes for each image."""
    manifest = Manifest.read(bundle)
    # Another bundle may share its files.
    for name in (THUMBNAILS, MANIFEST):
        (bundle / name).unlink()
    write_thumbnails(bundle / THUMBNAILS, _of_chance(manifest.images, size))
    files = manifest.files | {THUMBNAILS: record_file(bundle / THUMBNAILS)}
    manifest.model_copy(update={"files": files}).write(bundle)


def _of_chance(count: int, size: int) -> Iterator[tuple[int, bytes]]:
    chance = np.random.default_rng(0)
    for position in range(count):
        yield position, chance.bytes(size)


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.thumbnails", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--bytes", type=int, required=True, dest="size")
    arguments = parser.parse_args()
    give(arguments.bundle, arguments.size)


if __name__ == "__main__":
    main()
