"""Photographs for the building of a bundle: large ones and small ones.

Made from the gallery's, enlarged; fine structure with the spectrum of natural images
(each octave half as strong as the next coarser one) and a sensor's grain make them weigh
what a camera's files weigh.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.servers import ROOT

LARGE, SMALL = (4000, 3000), (640, 480)
_QUALITY = 92
_OCTAVES = 7
_STRENGTH = 24.0
_GRAIN = 5.0


def write_photographs(folder: Path, size: tuple[int, int], count: int) -> Path:
    """``count`` JPEGs of a size (width, height) in ``folder``, the same ones every time."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = sorted(ROOT.glob("demo/gallery/**/*.jpg"))
    for number in range(count):
        file = folder / f"{number:04d}.jpg"
        if not file.exists():
            image = _photograph(scenes[number % len(scenes)], size, seed=number)
            image.save(file, quality=_QUALITY)
    return folder


def _photograph(scene: Path, size: tuple[int, int], seed: int) -> Image.Image:
    chance = np.random.default_rng(seed)
    with Image.open(scene) as opened:
        image = opened.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(image, dtype=np.float32) + _structure(size, chance)[..., np.newaxis]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _structure(size: tuple[int, int], chance: np.random.Generator) -> NDArray[np.float32]:
    """Light and dark at every scale, ``[height, width]``."""
    width, height = size
    total = _GRAIN * chance.standard_normal((height, width), dtype=np.float32)
    for octave in range(1, _OCTAVES):
        shape = (height >> octave) + 1, (width >> octave) + 1
        coarse = Image.fromarray(chance.standard_normal(shape, dtype=np.float32))
        strength = _STRENGTH / 2 ** (_OCTAVES - 1 - octave)
        total += strength * np.asarray(coarse.resize(size, Image.Resampling.BILINEAR))
    return total
