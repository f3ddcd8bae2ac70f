"""From whatever mode Pillow decodes an image in to RGB of 8 bits, or RGBA where it is transparent.

Grey of 16 bits and of floats, palettes and CMYK end as one of these two; the encoder sees no
transparency, so there is white behind the image for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WHITE = (255, 255, 255)
# Grey of more than 8 bits is scaled, and what is transparent laid on white, so many at a time.
_PIXELS_AT_ONCE = 1 << 20


def in_colour(image: Image.Image) -> Image.Image:
    """An image of 8 bits a channel as RGB or RGBA."""
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    wanted = "RGBA" if transparent else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of more than 8 bits scaled so that white is 255; any other as it is.

    A few rows at a time: all of them in double precision would take ten times the memory of
    the image itself.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    white = _white_level(image.mode, values)
    scaled = np.empty(values.shape, dtype=np.uint8)
    rows = max(1, _PIXELS_AT_ONCE // max(1, image.width))
    for top in range(0, len(values), rows):
        some = values[top : top + rows].astype(np.float64)
        grey = np.nan_to_num(np.clip(some / white, 0, 1))
        scaled[top : top + rows] = (grey * 255).round()
    of_eight_bits = Image.fromarray(scaled)
    of_eight_bits.info = image.info
    return of_eight_bits


def _white_level(mode: str, values: NDArray[Any]) -> float:
    """The value that means white in a grey image of more than 8 bits.

    Integers have 16 bits unless they need more; floats are in use as 0..1, 0..255 and
    0..65535.
    """
    if mode == "F":
        highest = float(values.max(initial=0, where=np.isfinite(values)))
    else:
        highest = float(values.max(initial=0))
    levels = (1.0, 255.0, 65535.0) if mode == "F" else (65535.0,)
    return next((level for level in levels if highest <= level), highest)


def on_white(image: Image.Image, *, trim: bool = False) -> Image.Image:
    """A decoded image as ``RGB``, what is transparent in it white.

    Args:
        image: ``RGB`` or ``RGBA``.
        trim: without a border that is transparent.
    """
    if image.mode != "RGBA":
        return image
    left, top, right, bottom = (trim and image.getchannel("A").getbbox()) or (0, 0, *image.size)
    background = Image.new("RGB", (right - left, bottom - top), _WHITE)
    rows = max(1, _PIXELS_AT_ONCE // background.width)
    # A few rows at a time: Pillow makes copies of what it pastes.
    for start in range(top, bottom, rows):
        strip = image.crop((left, start, right, min(start + rows, bottom)))
        background.paste(strip, (0, start - top), mask=strip)
    return background
