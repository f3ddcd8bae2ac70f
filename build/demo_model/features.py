"""What the backbone sees of many images, plain and disturbed, kept between runs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from build.demo_model.backbone import SIDE, see
from build.demo_model.kept import kept_as
from models.images import decode
from models.manifest import Preprocessing
from models.preprocessing import preprocess

# Drawings keep their proportions and lose their empty border; nothing is cropped away.
PREPROCESSING = Preprocessing(
    height=SIDE,
    width=SIDE,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    interpolation="bicubic",
    resize_mode="longest",
    fill_color=255,
    trim_transparent=True,
)
_BATCH = 64
_LARGEST = 400
_Colour = tuple[int, int, int]


@torch.no_grad()
def extract(
    backbone: nn.Module, paths: Sequence[Path], disturbance: int | None, kept: Path
) -> NDArray[np.float32]:
    """The features of images, float32 ``[n, 2136]``.

    Args:
        backbone: see :mod:`build.demo_model.backbone`.
        paths: the images.
        disturbance: None for the images as they are, else the seed of a random
            background, turn, crop, colour, and size for each.
        kept: the file that holds the result between runs.
    """
    if kept.exists():
        features: NDArray[np.float32] = np.load(kept).astype(np.float32)
        return features
    backbone.to(memory_format=torch.channels_last)
    batches = DataLoader(_Pixels(paths, disturbance), batch_size=_BATCH, num_workers=1)
    seen = []
    for pixels in tqdm(batches, desc=kept.stem, unit="batch"):
        with torch.autocast("cpu", torch.bfloat16):
            found = see(backbone, pixels.contiguous(memory_format=torch.channels_last))
        seen.append(found.numpy().astype(np.float16))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept_as(kept) as part:
        np.save(part, np.concatenate(seen))
    return np.concatenate(seen).astype(np.float32)


class _Pixels(Dataset[torch.Tensor]):
    def __init__(self, paths: Sequence[Path], disturbance: int | None) -> None:
        self._paths = paths
        self._disturbance = disturbance

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        image = decode(self._paths[row])
        if self._disturbance is not None:
            image = disturb(image, random.Random(f"{self._disturbance}-{row}"))
        return torch.from_numpy(preprocess(image, PREPROCESSING))


def disturb(image: Image.Image, rng: random.Random) -> Image.Image:
    """The image on another ground, turned, cropped, stretched, recoloured: RGB."""
    image = image.convert("RGBA")
    image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BICUBIC)
    ground = _ground(rng)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.4:
        image = image.rotate(rng.uniform(-18, 18), Image.Resampling.BICUBIC, expand=True)
    image = _trimmed_on(image, ground)
    if rng.random() < 0.3:
        share = rng.uniform(0.75, 1)
        left = rng.uniform(0, image.width * (1 - share))
        top = rng.uniform(0, image.height * (1 - share))
        right, bottom = left + image.width * share, top + image.height * share
        image = image.crop((int(left), int(top), int(right) + 1, int(bottom) + 1))
    if rng.random() < 0.3:
        width = max(1, int(image.width * rng.uniform(0.75, 1.3)))
        image = image.resize((width, image.height))
    if rng.random() < 0.5:
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.4, 1.4))
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.75, 1.2))
        image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.7, 1.3))
    if rng.random() < 0.08:
        image = image.convert("L").convert("RGB")
    return _padded(image, ground, rng.choice([0, 0, 0, 0.15, 0.35]))


def _ground(rng: random.Random) -> _Colour:
    kind = rng.random()
    if kind < 0.5:
        return (255, 255, 255)
    darkest = 150 if kind < 0.75 else 0
    red, green, blue = (rng.randint(darkest, 255) for _ in range(3))
    return (red, green, blue)


def _trimmed_on(image: Image.Image, ground: _Colour) -> Image.Image:
    box = image.getchannel("A").getbbox()
    image = image.crop(box) if box else image
    canvas = Image.new("RGB", image.size, ground)
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _padded(image: Image.Image, ground: _Colour, border: float) -> Image.Image:
    side = round(max(image.size) / (1 - border))
    square = Image.new("RGB", (side, side), ground)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
