"""As many vectors as are asked for, with paths and queries, made like those of real images.

    python -m benchmarks.vectors FOLDER --count 1000000

writes images and texts as clip-retrieval does (``img_emb/img_emb_0.npy``,
``text_emb/text_emb_0.npy``), ``paths.txt``, and ``queries.npy``: other texts, to measure with what
was tuned with the first.  ViT-B/32's vectors of
real images have 88, 95 and 98 % of their variance on 128, 192 and 256 of their 512 axes;
these have, too.  They come in clusters of uneven size around a direction that all share, the
queries around another one, as texts do, and each seeks one image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIM = 512
# With variances that fall by e every so many axes.
_FALL = 72.0
_CLUSTERS = 1_000
# Lengths beside the cluster centre's, which is one: of what is an image's own, of what all
# images share, of what all texts share, and of what is a text's own.
_OWN, _SHARED, _GAP, _SAID_OTHERWISE = 0.6, 1.0, 2.2, 2.2
_AT_ONCE = 50_000
QUERIES = 2_000

Vectors = NDArray[np.float32]


class Space:
    """Images by number and texts that seek them; the same ones for the same seed.

    Args:
        dim: how wide vectors are.
        seed: of all that is chance.
    """

    def __init__(self, dim: int = DIM, seed: int = 0) -> None:
        self._seed = seed
        chance = np.random.default_rng(seed)
        scales = np.exp(-np.arange(dim) / (2 * _FALL * dim / DIM))
        turned, _ = np.linalg.qr(chance.standard_normal((dim, dim)))
        # Rows of chance times this have the spectrum, and lengths around one.
        self._axes = (scales[:, np.newaxis] * turned / np.linalg.norm(scales)).astype(np.float32)
        self._shared, self._gap = _unit(chance.standard_normal((2, dim)).astype(np.float32))
        self._centres = self._of_chance(chance, _CLUSTERS)
        sizes = chance.pareto(1.5, _CLUSTERS) + 0.1
        self._chances = sizes / sizes.sum()

    def block(self, number: int) -> Vectors:
        """The images of block ``number``: unit vectors, float32 ``[50000, dim]``."""
        chance = np.random.default_rng((self._seed, 1, number))
        members = chance.choice(_CLUSTERS, _AT_ONCE, p=self._chances)
        rows = self._of_chance(chance, _AT_ONCE)
        rows *= _OWN
        rows += self._centres[members]
        rows += _SHARED * self._shared
        return _unit(rows)

    def queries(self, images: Vectors) -> Vectors:
        """A text for each of some images, unit vectors, float32 ``[n, dim]``."""
        chance = np.random.default_rng((self._seed, 2))
        meant = _unit(images - images.mean(axis=0))
        own = self._of_chance(chance, len(images))
        return _unit(meant + _SAID_OTHERWISE * own + _GAP * self._gap)

    def _of_chance(self, chance: np.random.Generator, count: int) -> Vectors:
        rows = chance.standard_normal((count, len(self._axes)), dtype=np.float32)
        spread: Vectors = rows @ self._axes
        return spread


def write(folder: Path, count: int, dim: int = DIM) -> None:
    """Write so many vectors and paths into a folder, a block at a time, and texts beside them.

    The first of many are the same as all of few.
    """
    for name in ("img_emb", "text_emb"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    space = Space(dim)
    with (folder / "img_emb" / "img_emb_0.npy").open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, count, _AT_ONCE):
            stream.write(space.block(start // _AT_ONCE)[: count - start].data)
    with (folder / "paths.txt").open("w", encoding="utf-8") as lines:
        lines.writelines(f"images/{number:07d}.jpg\n" for number in range(count))
    sought = space.block(0)[:count]
    texts = space.queries(sought)[np.random.default_rng(3).permutation(len(sought))]
    np.save(folder / "text_emb" / "text_emb_0.npy", texts[:QUERIES])
    np.save(folder / "queries.npy", texts[QUERIES : 2 * QUERIES])


def _unit(rows: Vectors) -> Vectors:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vectors", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--dim", type=int, default=DIM)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.count, arguments.dim)


if __name__ == "__main__":
    main()
