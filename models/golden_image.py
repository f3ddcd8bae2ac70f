"""The one image whose golden embedding a model package carries.

It is made from whole numbers alone, so that it is the same on every machine: no file to
decode, no rounding, no random numbers.  It is larger than most encoders see and no square,
so that scaling and cropping count; each colour has a pattern of its own, coarse and fine, so
that a filter, a mean or an order of channels that is not the model's shows in its embedding.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 400, 300


def golden_image() -> Image.Image:
    """An ``RGB`` image, 400 by 300: a ramp in red, a fractal in green, rings in blue."""
    x = np.arange(WIDTH, dtype=np.int64)[np.newaxis, :]
    y = np.arange(HEIGHT, dtype=np.int64)[:, np.newaxis]
    red = np.broadcast_to(x * 255 // (WIDTH - 1), (HEIGHT, WIDTH))
    green = 3 * (x ^ y) & 255
    blue = (x * x + 2 * y * y) // 64 & 255
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))
