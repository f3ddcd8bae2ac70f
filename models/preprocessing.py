"""From a decoded image to what the encoder sees of it.

The same numbers as open_clip's: sizes, roundings and padding are those of its transform.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.images import REDUCED_MARGIN
from models.manifest import Preprocessing
from models.modes import on_white
from models.thumbnails import THUMBNAIL_SIDE

# Scaling the shorter side of a longer strip to the encoder's size could fill any memory.
_LONGEST_STRIP = 32
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


def preprocess(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """What the encoder sees of a decoded image: float32 ``[3, height, width]``.

    The same numbers as ``open_clip.image_transform`` gives for an opaque image.
    """
    opaque = on_white(image, trim=preprocessing.trim_transparent)
    fitted = _fit(opaque, preprocessing)
    pixels = np.asarray(fitted, dtype=np.float32) / 255
    mean = np.array(preprocessing.mean, dtype=np.float32)
    std = np.array(preprocessing.std, dtype=np.float32)
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))


def _fit(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """An RGB image at the encoder's size; roundings are torchvision's and open_clip's."""
    width, height = preprocessing.width, preprocessing.height
    resampling = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.resize_mode == "squash":
        return image.resize((width, height), resampling)
    if preprocessing.resize_mode == "longest":
        ratio = max(image.height / height, image.width / width)
        scaled = _scale_by(image, ratio, resampling)
    elif width == height:
        image = _middle_of_strip(image)
        scaled = _scale_shorter_to(image, width, resampling)
    else:
        image = _middle_of_strip(image)
        ratio = min(image.height / height, image.width / width)
        # open_clip forgets to pass the interpolation on here.
        scaled = _scale_by(image, ratio, Image.Resampling.BICUBIC)
    return _crop_or_pad(scaled, width, height, preprocessing.fill_color)


def _middle_of_strip(image: Image.Image) -> Image.Image:
    """The middle of an image that is very much longer than wide, else the image."""
    longest = min(image.size) * _LONGEST_STRIP
    width, height = min(image.width, longest), min(image.height, longest)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    if image.size == (width, height):
        return image
    return image.crop((left, top, left + width, top + height))


def _scale_by(image: Image.Image, ratio: float, resampling: Image.Resampling) -> Image.Image:
    size = (max(1, round(image.width / ratio)), max(1, round(image.height / ratio)))
    return image if image.size == size else image.resize(size, resampling)


def _scale_shorter_to(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    short, long = sorted(image.size)
    longer = int(side * long / short)
    size = (side, longer) if image.width <= image.height else (longer, side)
    return image if image.size == size else image.resize(size, resampling)


def _crop_or_pad(image: Image.Image, width: int, height: int, fill: int) -> Image.Image:
    """The centre of a larger image; a smaller one in the middle of ``fill``."""
    if image.width >= width and image.height >= height:
        left = round((image.width - width) / 2)
        top = round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))
    canvas = Image.new("RGB", (width, height), (fill, fill, fill))
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas


def reduced_side(preprocessing: Preprocessing) -> int:
    """The ``reduce_to`` that is enough for both the encoder and a thumbnail."""
    return max(preprocessing.width, preprocessing.height, THUMBNAIL_SIDE // REDUCED_MARGIN)
