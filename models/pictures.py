"""From a picture's bytes to what the encoder sees, and to a thumbnail.

Used when a bundle is built and when a picture is sent as a query, so that both see it
alike.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from models.manifest import Preprocessing

# The largest photographs of today's cameras have some 200 million pixels; what claims to
# have more is refused before it is decoded, since a few kilobytes can claim anything.
MAX_PIXELS = 256_000_000
THUMBNAIL_SIDE = 320
_THUMBNAIL_QUALITY = 80
# JPEGs are decoded at a half, a quarter or an eighth of their size as long as this many
# times the encoder's size is left.
_REDUCED_MARGIN = 2
_WHITE = (255, 255, 255)
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class PictureError(Exception):
    """A picture that cannot be decoded.

    ``reason`` is one of ``empty``, ``not a picture``, ``truncated``, ``too large`` and
    ``unreadable``; the message says more.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def decode(source: Path | bytes, *, reduce_to: int | None = None) -> Image.Image:
    """Decode a picture, upright, as ``RGB`` or, where it is transparent, ``RGBA``.

    Of an animation the first frame is taken; 16 bits are scaled to 8, CMYK, palettes and
    grey are converted.

    Args:
        source: a file or its content.
        reduce_to: pixels that the shorter side will be scaled to; a JPEG that is much
            larger is decoded at a fraction of its size, which is several times faster.

    Raises:
        PictureError: says why there is no picture.
    """
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise PictureError("unreadable", error.strerror or str(error)) from None
    if not content:
        raise PictureError("empty", "the file has no bytes")
    try:
        with warnings.catch_warnings():
            # Between the limit and twice the limit Pillow only warns.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(io.BytesIO(content)) as image:
                if reduce_to is not None:
                    wanted = reduce_to * _REDUCED_MARGIN
                    image.draft(None, (wanted, wanted))
                image.load()
                return _upright(_eight_bits(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError("too large", f"more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise PictureError("not a picture", "no known picture format") from None
    except MemoryError:
        raise PictureError("too large", "it does not fit into memory") from None
    except Exception as error:
        # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
        reason = "truncated" if "truncated" in str(error).lower() else "unreadable"
        raise PictureError(reason, str(error)) from None


def on_white(image: Image.Image) -> Image.Image:
    """The picture as ``RGB``, what is transparent in it white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    background = Image.new("RGB", image.size, _WHITE)
    background.paste(image, mask=image.getchannel("A"))
    return background


def preprocess(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """What the encoder sees of a decoded picture: float32 ``[3, height, width]``.

    The same numbers as ``open_clip.image_transform`` gives for an opaque picture.
    """
    if preprocessing.trim_transparent and image.mode == "RGBA":
        box = image.getchannel("A").getbbox()
        image = image.crop(box) if box else image
    fitted = _fit(on_white(image), preprocessing)
    pixels = np.asarray(fitted, dtype=np.float32) / 255
    mean = np.array(preprocessing.mean, dtype=np.float32)
    std = np.array(preprocessing.std, dtype=np.float32)
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))


def thumbnail(image: Image.Image) -> bytes:
    """A decoded picture as WebP, its longer side at most 320 pixels, transparency kept."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    output = io.BytesIO()
    small.save(output, "WEBP", quality=_THUMBNAIL_QUALITY, method=4)
    return output.getvalue()


def _eight_bits(image: Image.Image) -> Image.Image:
    """The picture as RGB or RGBA of 8 bits a channel."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.float64)
        # Sixteen bits are what these modes hold in practice; floats are often 0..1.
        top = 1.0 if image.mode == "F" and values.max(initial=0) <= 1 else 65535.0
        image = Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8))
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # Broken EXIF is no reason to lose the picture.
        return image


def _fit(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """An RGB picture at the encoder's size; roundings are torchvision's and open_clip's."""
    width, height = preprocessing.width, preprocessing.height
    resampling = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.resize_mode == "squash":
        return image.resize((width, height), resampling)
    if preprocessing.resize_mode == "shortest":
        if width == height:
            scaled = _scale_shorter_to(image, width, resampling)
        else:
            scale = max(width / image.width, height / image.height)
            size = (round(image.width * scale), round(image.height * scale))
            scaled = image.resize(size, resampling)
        return _crop_or_pad(scaled, width, height, preprocessing.fill_color)
    scale = min(height / image.height, width / image.width)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return _crop_or_pad(image.resize(size, resampling), width, height, preprocessing.fill_color)


def _scale_shorter_to(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    short, long = sorted(image.size)
    longer = int(side * long / short)
    size = (side, longer) if image.width <= image.height else (longer, side)
    return image if image.size == size else image.resize(size, resampling)


def _crop_or_pad(image: Image.Image, width: int, height: int, fill: int) -> Image.Image:
    """The centre of a larger picture; a smaller one in the middle of ``fill``."""
    left = round((image.width - width) / 2)
    top = round((image.height - height) / 2)
    if left >= 0 and top >= 0:
        return image.crop((left, top, left + width, top + height))
    canvas = Image.new("RGB", (width, height), (fill, fill, fill))
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas
