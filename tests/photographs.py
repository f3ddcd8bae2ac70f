"""Images that the tests make up, and what an encoder wants of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from models.model_card import Preprocessing

CLIP = Preprocessing(
    height=224,
    width=224,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)
RED, GREEN, WHITE = (255, 0, 0), (0, 128, 0), (255, 255, 255)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, format, **options)
    return output.getvalue()


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours with some grain, as JPEG expects them."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.integers(-6, 7, (height, width, 1))
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


def corner(image: Image.Image) -> tuple[int, ...]:
    pixel = image.getpixel((1, 1))
    assert isinstance(pixel, tuple)
    return pixel
