"""A folder of many small images, no two alike, made from the gallery's, with their embeddings.

    python -m benchmarks.many_images --bundle bundles/demo --count 20000 --output DIR

Each is a part of an image of the gallery in other colours, 240 pixels wide at most, and keeps its
caption; its embedding is that of the whole image, a little astray: to make them anew would take
an hour.  ``DIR/images`` with its ``captions.csv``, ``DIR/embeddings.npy`` and ``DIR/paths.txt``
are what ``python -m build index`` takes.  The same ones every time.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.servers import ROOT
from build.packages import DEMO_MODEL
from models.bundle import Bundle
from models.items import Item

_LONGEST = 240
# Of the length of an embedding, which is one.
_ASTRAY = 0.3
_YEARS = (1960, 2025)
_IN_A_FOLDER = 500


def main() -> int:
    """Write the files and print what indexes them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_images", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/demo"))
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    output: Path = arguments.output
    with_items(arguments.bundle, arguments.count, output)
    print(
        f"python -m build index --model {DEMO_MODEL} --images {output / 'images'} "
        f"--embeddings {output / 'embeddings.npy'} --paths {output / 'paths.txt'} --output BUNDLE"
    )
    return 0


def with_items(bundle: Path, count: int, output: Path) -> None:
    """Write ``count`` images, captions and embeddings (float32, ``[count, dim]``, length one).

    Args:
        bundle: of the gallery in ``demo/gallery``.
        count: how many.
        output: the folder, which is made.
    """
    opened = Bundle.open(bundle)
    try:
        positions = range(opened.manifest.images)
        items = opened.collection.get(positions)
        originals = opened.collection.vectors(positions)
    finally:
        opened.close()
    chance = np.random.default_rng(0)
    rows = chance.integers(len(items), size=count)
    noise = chance.standard_normal((count, originals.shape[1]), dtype=np.float32)
    embeddings = originals[rows] + _ASTRAY * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    paths = [f"{n // _IN_A_FOLDER:03d}/{n:06d}.jpg" for n in range(count)]
    images = output / "images"
    images.mkdir(parents=True, exist_ok=True)
    np.save(output / "embeddings.npy", embeddings)
    (output / "paths.txt").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    of_each = [items[row] for row in rows]
    _write_captions(images / "captions.csv", paths, of_each)
    with ThreadPoolExecutor() as writers:
        for _ in writers.map(_write_image, _files(images, paths), of_each, range(count)):
            pass


def _files(images: Path, paths: list[str]) -> Iterator[Path]:
    for path in paths:
        file = images / path
        file.parent.mkdir(exist_ok=True)
        yield file


def _write_captions(file: Path, paths: list[str], items: list[Item]) -> None:
    chance = np.random.default_rng(1)
    years = chance.integers(*_YEARS, size=len(paths), endpoint=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["image_path", "caption", "kind", "licence", "author", "year"])
        for path, item, year in zip(paths, items, years, strict=True):
            said = [item.metadata.get(name, "") for name in ("kind", "licence", "author")]
            table.writerow([path, item.caption or "", *said, year])


def _write_image(file: Path, item: Item, seed: int) -> None:
    chance = np.random.default_rng(seed)
    with Image.open(ROOT / "demo" / "gallery" / item.image_path) as opened:
        whole = opened.convert("RGBA")
    image = Image.new("RGB", whole.size, "white")
    image.paste(whole, mask=whole.getchannel("A"))
    width, height = image.size
    left, top, right, bottom = chance.uniform(0, 0.15, size=4)
    image = image.crop(
        (
            round(left * width),
            round(top * height),
            round((1 - right) * width),
            round((1 - bottom) * height),
        )
    )
    image.thumbnail((_LONGEST, _LONGEST))
    factors = chance.uniform(0.7, 1.0, size=(1, 1, 3))
    Image.fromarray((np.asarray(image) * factors).astype(np.uint8)).save(file, quality=80)


if __name__ == "__main__":
    sys.exit(main())
