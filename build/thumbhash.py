"""What stands in for an image until it has come: its ThumbHash, some 25 bytes.

The format is Evan Wallace's (https://evanw.github.io/thumbhash/, MIT licence): the lowest
frequencies of the image's lightness, two colours and transparency, four bits each, and its rough
shape.  What PyPI has of it goes through the pixels in Python; here they are a product of matrices.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from build.journal import Journal

Channel = NDArray[np.float64]

# As the journal knows it; to be raised when the same thumbnail is to give another.
_NAME = "thumbhash 1"
# Seven waves at most are told of a side: of more pixels they are the same.
_SIDE = 32
_AT_ONCE = 1024


def thumbhashes(
    images: Iterable[tuple[str, tuple[int, int] | None]], journal: Journal, threads: int
) -> Iterator[str | None]:
    """The ThumbHash of each image in base64, None where it has no thumbnail.

    What was computed once is kept in the journal.

    Args:
        images: paths, and the sizes of those that have a file.
        journal: where the thumbnails are.
        threads: of the computation.
    """
    left = iter(images)
    with ThreadPoolExecutor(threads) as pool:
        while some := list(islice(left, _AT_ONCE)):
            known = {path: journal.caption(path, _NAME) for path, size in some if size is not None}
            missing = [path for path, text in known.items() if text is None]
            computed = pool.map(lambda path: _of(journal.thumbnail(path)), missing)
            for path, text in zip(missing, computed, strict=True):
                sha256 = journal.get(path).sha256
                if text is not None and sha256 is not None:
                    journal.put_caption(sha256, _NAME, text)
                known[path] = text
            journal.commit()
            yield from (known.get(path) for path, _ in some)


def thumbhash(image: Image.Image) -> bytes:
    """The ThumbHash of an image.

    Args:
        image: of any size and mode.
    """
    image = image.convert("RGBA")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(image, dtype=np.float64) / 255
    colours, alpha = pixels[..., :3], pixels[..., 3]
    seen = alpha.sum()
    average = (colours * alpha[..., None]).sum(axis=(0, 1)) / max(seen, 1e-9)
    # What is transparent has the colour of the rest.
    red, green, blue = np.moveaxis(average + alpha[..., None] * (colours - average), 2, 0)
    clear = bool(seen < alpha.size - 1e-9)

    height, width = alpha.shape
    most = 5 if clear else 7
    across = max(1, _round(most * width / max(width, height)))
    down = max(1, _round(most * height / max(width, height)))
    light, light_waves, light_scale = _waves((red + green + blue) / 3, max(3, across), max(3, down))
    yellow, yellow_waves, yellow_scale = _waves((red + green) / 2 - blue, 3, 3)
    pink, pink_waves, pink_scale = _waves(red - green, 3, 3)
    wide = width > height
    head = (
        _round(63 * light)
        | _round(31.5 + 31.5 * yellow) << 6
        | _round(31.5 + 31.5 * pink) << 12
        | _round(31 * light_scale) << 18
        | clear << 23
        | (down if wide else across) << 24
        | _round(63 * yellow_scale) << 27
        | _round(63 * pink_scale) << 33
        | wide << 39
    )
    nibbles = [*light_waves, *yellow_waves, *pink_waves]
    if clear:
        opacity, opacity_waves, opacity_scale = _waves(alpha, 5, 5)
        head |= _round(15 * opacity) << 40 | _round(15 * opacity_scale) << 44
        nibbles += opacity_waves
    nibbles += [0] * (len(nibbles) % 2)
    waves = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    written: bytes = head.to_bytes(6 if clear else 5, "little")
    return written + waves


def _of(webp: bytes | None) -> str | None:
    if webp is None:
        return None
    with Image.open(io.BytesIO(webp)) as image:
        return base64.b64encode(thumbhash(image)).decode("ascii")


def _waves(channel: Channel, across: int, down: int) -> tuple[float, Sequence[int], float]:
    """The mean of a channel, its lowest frequencies in 0..15, and the largest of them."""
    height, width = channel.shape
    found = _cosines(height, down).T @ channel @ _cosines(width, across) / channel.size
    # What differs from machine to machine is noise, which would be told as if it were all there is.
    found = found.round(9)
    kept = np.array(
        [
            found[row, column]
            for row in range(down)
            for column in range(across)
            if (row or column) and column * down < across * (down - row)
        ]
    )
    scale = float(np.abs(kept).max())
    if scale == 0:
        return float(found[0, 0]), [0] * len(kept), 0.0
    return float(found[0, 0]), [_round(15 * (0.5 + 0.5 / scale * one)) for one in kept], scale


def _cosines(length: int, waves: int) -> Channel:
    """Float64 ``[length, waves]``."""
    places = (np.arange(length)[:, None] + 0.5) * np.arange(waves)
    cosines: Channel = np.cos(math.pi / length * places)
    return cosines


def _round(number: float) -> int:
    """As JavaScript does, where the format comes from."""
    return math.floor(number + 0.5)
