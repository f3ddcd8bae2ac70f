"""Cameras' raw files: the preview that the camera has put into them.

It is what the photographer saw, in the camera's own colours, and mostly as large as the image;
to develop the raw values takes a hundred times as long.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from models.formats import RAW, is_installed
from models.installation import extra

# How the files begin that are no TIFF: at which byte, with what.  Canon's CR2 is one, and says so.
_BEGINNINGS = (
    (8, b"CR\x02"),
    (4, b"ftypcrx"),
    (6, b"HEAPCCDR"),
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"IIRO"),
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"IIU\0"),
    (0, b"FOVb"),
    (0, b"\0MRM"),
)
_TIFF = (b"II*\0", b"MM\0*")
# TIFF tags: DNG 1.7, chapter 4; TIFF 6.0 and its supplement 1.
_DNG_VERSION, _MAKE, _SUB_IFDS = 50706, 271, 330
# A smaller preview is of no use to anybody: the image is developed.
_LEAST_SIDE = 512
# How LibRaw says that the camera was held.
_TURNS = {
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.ROTATE_90,
    6: Image.Transpose.ROTATE_270,
}
_LYING = (5, 6)


class RawError(Exception):
    """A raw file that has no image; the message says why."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview, encoded as JPEG or decoded, and the size of the image itself, upright.

    ``turn`` makes the preview upright where it does not itself say how it lies.
    """

    image: bytes | Image.Image
    width: int
    height: int
    turn: Image.Transpose | None


def preview(content: bytes, admit: Callable[[int], None] | None = None) -> Preview | None:
    """The preview in a raw file, or the image developed at half its size where there is none.

    Args:
        content: of the file.
        admit: is told how many pixels are about to be developed, at ten bytes each; may refuse.

    Returns:
        None for what is no raw file.

    Raises:
        RawError: it is one that cannot be read.
    """
    is_raw = any(content.startswith(mark, at) for at, mark in _BEGINNINGS)
    if not is_raw:
        tags = _tiff_tags(content)
        is_raw = _DNG_VERSION in tags
        # Other TIFFs, too, have images within images, but few have a camera's name.
        if not is_raw and not (_MAKE in tags and _SUB_IFDS in tags):
            return None
    if not is_installed(RAW):
        if is_raw:
            raise RawError(f"a camera's raw file: support needs {extra(RAW.extra)}")
        return None
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            width, height = raw.sizes.width, raw.sizes.height
            if raw.sizes.flip in _LYING:
                width, height = height, width
            found = _thumbnail(raw)
            if found is not None:
                return Preview(found, width, height, _TURNS.get(raw.sizes.flip))
            if admit is not None:
                admit(width * height)
            developed = raw.postprocess(half_size=True, use_camera_wb=True)
            return Preview(_decoded(developed), width, height, turn=None)
    except rawpy.LibRawFileUnsupportedError as error:
        if not is_raw:
            return None
        raise RawError(_message(error)) from None
    except rawpy.LibRawError as error:
        raise RawError(_message(error)) from None


def _tiff_tags(content: bytes) -> Container[int]:
    """The tags of a TIFF's first image; none of anything else."""
    if not content.startswith(_TIFF):
        return ()
    try:
        directory = ImageFileDirectory_v2(content[:8])
        stream = io.BytesIO(content)
        stream.seek(directory.next)
        directory.load(stream)
    except Exception:
        # Pillow raises much for a broken directory.
        return ()
    return directory


def _thumbnail(raw: Any) -> bytes | Image.Image | None:
    """The largest preview; None where there is none of any use."""
    import rawpy

    try:
        found = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if found.format == rawpy.ThumbFormat.JPEG:
        with Image.open(io.BytesIO(found.data)) as encoded:
            large = max(encoded.size) >= _LEAST_SIDE
        return found.data if large else None
    image = _decoded(found.data)
    return image if max(image.size) >= _LEAST_SIDE else None


def _decoded(values: NDArray[np.uint8]) -> Image.Image:
    """LibRaw's ``[height, width, channels]``, of which a sensor without colours has one."""
    return Image.fromarray(values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values)


def _message(error: Exception) -> str:
    """LibRaw's words, which come as bytes."""
    said = error.args[0] if error.args else type(error).__name__
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
