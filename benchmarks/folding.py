"""How well copies are told from images that are merely alike, and how long folding takes.

    python -m benchmarks.folding [--images DIR] [--count 500] [--model PACKAGE]

Takes so many images at random and makes three copies of each: at half the size, recompressed (JPEG
of quality 40), and with 5 % of width and height cut off, at sides chosen at random.  All are
indexed as any folder is and folded in an order of chance, by the embeddings alone and by
both signs.

Of an image's four files, one stands for the others: ``copies`` is the share of the other three
that are in its group.  ``wrong`` is the share of images one of whose files is in a group with a
file of another image.  What is folded for a search is timed with a hundred of
the files as questions, in one thread.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

# Before NumPy is loaded: with several threads others on the machine count.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.servers import ROOT
from build.bundle_from_images import IndexOptions, build_index
from build.packages import DEMO_MODEL
from models.bundle import Bundle
from models.folding import Appearances, fold
from models.images import decode
from models.modes import on_white

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_THRESHOLDS = (0.85, 0.90, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98)
_FILES = 4
_KEPT = 0.95
# What is recommended.
_DUPLICATE = 0.95
_CANDIDATES = 1100
_K = 100
_SEARCHES = 100


def main() -> None:
    """Make the copies, index them, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folding", description=__doc__)
    parser.add_argument("--images", type=Path, default=ROOT / "demo" / "gallery", metavar="DIR")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--model", type=Path, default=DEMO_MODEL, metavar="PACKAGE")
    arguments = parser.parse_args()
    files = sorted(file for file in arguments.images.rglob("*") if file.suffix.lower() in _SUFFIXES)
    chosen = random.Random(0).sample(files, min(arguments.count, len(files)))
    with tempfile.TemporaryDirectory() as folder:
        images, output = Path(folder) / "images", Path(folder) / "bundle"
        for number, file in enumerate(chosen):
            _write_four(file, images / f"{number:04}", number)
        build_index(IndexOptions(output=output, model=arguments.model, images=images))
        bundle = Bundle.open(output)
        _report(bundle)
        bundle.close()


def _write_four(file: Path, folder: Path, seed: int) -> None:
    """An image and its three copies."""
    folder.mkdir(parents=True)
    shutil.copyfile(file, folder / f"0{file.suffix}")
    image = on_white(decode(file))
    width, height = image.size
    half = image.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)
    half.save(folder / "1-half.jpg", quality=90)
    image.save(folder / "2-recompressed.jpg", quality=40)
    chance = np.random.default_rng(seed)
    kept = [max(1, round(_KEPT * side)) for side in image.size]
    left, top = (
        int(chance.integers(0, side - part + 1))
        for side, part in zip(image.size, kept, strict=True)
    )
    image.crop((left, top, left + kept[0], top + kept[1])).save(folder / "3-cut.jpg", quality=90)


def _report(bundle: Bundle) -> None:
    assert bundle.looks is not None
    everyone = np.arange(len(bundle.items))
    images = np.array([int(item.image_path.split("/")[0]) for item in bundle.items])
    both = Appearances(bundle.index.embeddings.rows(everyone), bundle.looks.get(everyone))
    order = np.random.default_rng(0).permutation(everyone)
    print(f"{len(set(images.tolist()))} images, {len(everyone)} files")
    print("threshold   embeddings alone: copies, wrong   with looks: copies, wrong")
    for least in _THRESHOLDS:
        shares = [
            _shares(images[order], fold(signs[order], least))
            for signs in (Appearances(both.embeddings), both)
        ]
        alone, together = (
            f"{100 * copies:6.2f} % {100 * wrong:6.2f} %" for copies, wrong in shares
        )
        print(f"{least:9.2f}   {alone:>31}   {together:>25}")
    wall, computing, mean = _times(bundle, both)
    print(
        f"The {_CANDIDATES} nearest of a search folded at {_DUPLICATE}, k = {_K}: {wall:.2f} ms, "
        f"{computing:.2f} ms of a processor (medians), with what is gathered for it; the first "
        f"{_K} groups have {mean:.1f} images each"
    )


def _shares(images: NDArray[np.int64], head_of: NDArray[np.int64]) -> tuple[float, float]:
    """The shares of copies that are folded, and of images that are folded with others."""
    together: dict[int, Counter[int]] = {}
    for image, head in zip(images.tolist(), head_of.tolist(), strict=True):
        together.setdefault(head, Counter())[image] += 1
    most: Counter[int] = Counter()
    wrong: set[int] = set()
    for group in together.values():
        for image, files in group.items():
            most[image] = max(most[image], files)
        if len(group) > 1:
            wrong |= group.keys()
    copies = sum(files - 1 for files in most.values()) / ((_FILES - 1) * len(most))
    return copies, len(wrong) / len(most)


def _times(bundle: Bundle, both: Appearances) -> tuple[float, float, float]:
    """Milliseconds on the clock and of a processor, and the mean size of a group."""
    chosen = np.random.default_rng(1).permutation(len(both))[:_SEARCHES]
    sought = both.embeddings[chosen]
    assert bundle.looks is not None
    clock, processor, sizes = [], [], []
    for query in sought:
        _, found = bundle.index.search(query[np.newaxis], min(_CANDIDATES, len(both)))
        began, computed = time.perf_counter(), time.process_time()
        looks = bundle.looks.get(found[0])
        candidates = Appearances(bundle.index.embeddings.rows(found[0]), looks)
        head_of = fold(candidates, _DUPLICATE, _K)
        processor.append(time.process_time() - computed)
        clock.append(time.perf_counter() - began)
        firsts = np.flatnonzero(head_of == np.arange(len(head_of)))[:_K]
        sizes.append(float(np.isin(head_of, firsts).sum()) / len(firsts))
    return 1e3 * median(clock), 1e3 * median(processor), float(np.mean(sizes))


if __name__ == "__main__":
    main()
