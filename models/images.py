"""From an image's bytes to the decoded image.

Used when a bundle is built and when an image is sent as a query, so that both see it
alike.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from models.colour import in_srgb
from models.declared import jxl_size, webp_size
from models.formats import RAW, is_installed
from models.modes import eight_bits, in_colour
from models.orientation import LYING, orientation_of, upright
from models.pillow import MAX_PIXELS, plug_in, strangers_formats
from models.raw import RawError, preview
from models.repair import with_its_end, without_extras

MAX_BYTES = 1 << 30
# JPEGs are decoded at a half, a quarter or an eighth of their size as long as this many
# times the encoder's size is left.
REDUCED_MARGIN = 2
_NO_MEMORY = "it does not fit into memory"

# A JPEG that is decoded at a fraction of its size is held as a whole all the same, in a quarter
# of the memory at most, where it is a progressive one.
_PIXELS_OF_A_JPEG = 4
# A WebP takes 16 bytes a pixel: its decoder's own two images, its bytes, and Pillow's image.
_PIXELS_OF_A_WEBP = 0.5


class ImageError(Exception):
    """An image that cannot be decoded.

    ``reason`` is one of ``empty``, ``not an image``, ``truncated``, ``damaged``, ``not
    supported``, ``too large`` and ``unreadable`` (the file itself); ``detail`` says more.
    ``lasting`` is False where another machine, or this one at another time, might read it.
    """

    def __init__(self, reason: str, detail: str, *, lasting: bool = True) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image that anybody may send must keep to.

    ``pixels`` are counted as they are decoded: a JPEG that is decoded at a fraction of its
    size may have four times as many, a WebP half as many.  Decoding then takes ten bytes for
    each, or less.
    """

    pixels: int


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded image, upright, ``RGB`` or, where it is transparent, ``RGBA``.

    ``width`` and ``height`` are the original's in pixels, upright; ``image`` may be
    smaller, see :func:`read`.
    """

    image: Image.Image
    width: int
    height: int


Inspect = Callable[[Image.Image], None]
Admit = Callable[[int], None]


def decode(
    source: Path | bytes, *, reduce_to: int | None = None, limits: Limits | None = None
) -> Image.Image:
    """The image of :func:`read`, for those who need not know the original's size."""
    return read(source, reduce_to=reduce_to, limits=limits).image


def read(
    source: Path | bytes,
    *,
    reduce_to: int | None = None,
    limits: Limits | None = None,
    inspect: Inspect | None = None,
    admit: Admit | None = None,
) -> DecodedImage:
    """Decode an image, whatever its suffix says.

    Of an animation the first frame is taken; 16 bits are scaled to 8, CMYK, palettes and
    grey are converted, and colours are those that an embedded profile means.  What is broken
    of a file but does not show (metadata of a PNG, the end marker of a JPEG) is no matter.

    Args:
        source: a file or its content.
        reduce_to: pixels that the shorter side will be scaled to; a JPEG that is much
            larger is decoded at a fraction of its size, which is several times faster.
        limits: for images from strangers; also leaves out the formats that are no matter
            of theirs.
        inspect: is shown the image as it was decoded, with all that its file says of it; may
            be called more than once, for a file that has to be mended.
        admit: is told how many pixels are about to be decoded, at ten bytes each; may wait, or
            refuse with a :class:`ImageError`.

    Raises:
        ImageError: says why there is no image.
    """
    content = source if isinstance(source, bytes) else read_content(source)
    if not content:
        raise ImageError("empty", "the file has no bytes")
    how = _How(reduce_to, limits, inspect, admit)
    if limits is None:
        raw = _read_raw(content, how)
        if raw is not None:
            return raw
    try:
        return _read(content, how)
    except ImageError as error:
        if error.reason in ("too large", "not supported"):
            raise
        mended = _mended(content, how)
        if mended is None:
            raise
        return mended


@dataclass(frozen=True, slots=True)
class _How:
    """What :func:`read` was asked for."""

    reduce_to: int | None
    limits: Limits | None
    inspect: Inspect | None
    admit: Admit | None


def _pixels_to_decode(image: Image.Image, whole: int) -> int:
    """What decoding takes, in pixels of ten bytes.

    Args:
        image: opened, and set to the size at which it will be decoded.
        whole: the pixels of the image at its full size.
    """
    decoded = image.width * image.height
    if image.format == "WEBP":
        return int(decoded / _PIXELS_OF_A_WEBP)
    return max(decoded, whole // _PIXELS_OF_A_JPEG) if decoded < whole else decoded


def _mended(content: bytes, how: _How) -> DecodedImage | None:
    """The image of a file that is broken where nobody sees it; None where it is elsewhere."""
    try:
        if (plain := without_extras(content)) is not None:
            return _read(plain, how)
        if (ended := with_its_end(content)) is not None:
            decoded, other = (_read(each, how) for each in ended)
            return decoded if decoded.image.tobytes() == other.image.tobytes() else None
    except ImageError:
        pass
    return None


def _read(content: bytes, how: _How) -> DecodedImage:
    limits = how.limits
    try:
        if limits is not None:
            # Pillow makes room for a WebP as soon as it opens it.
            _check_pixels(*webp_size(content), _PIXELS_OF_A_WEBP * limits.pixels)
        # A JPEG XL is decoded when it is opened.
        width, height = jxl_size(content)
        _check_pixels(width, height, MAX_PIXELS)
        if how.admit is not None:
            how.admit(width * height)
        plug_in()
        formats = None if limits is None else strangers_formats()
        with Image.open(io.BytesIO(content), formats=formats) as image:
            width, height = image.size
            _check_pixels(width, height, MAX_PIXELS)
            if how.reduce_to is not None:
                wanted = how.reduce_to * REDUCED_MARGIN
                image.draft(None, (wanted, wanted))
            if limits is not None:
                _check_pixels(*image.size, limits.pixels)
                _check_pixels(width, height, _PIXELS_OF_A_JPEG * limits.pixels)
            if how.admit is not None:
                how.admit(_pixels_to_decode(image, width * height))
            reduced = image.size != (width, height)
            image.load()
            if how.inspect is not None:
                how.inspect(image)
            orientation = orientation_of(image)
            decoded = in_colour(in_srgb(eight_bits(upright(image, orientation))))
            if decoded is image and image.format == "WEBP":
                # Its decoder has two more images in memory for as long as this one lives.
                decoded = image.copy()
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError("too large", f"more than {2 * MAX_PIXELS:,} pixels") from None
    except MemoryError:
        raise ImageError("too large", _NO_MEMORY, lasting=False) from None
    except UnidentifiedImageError:
        raise ImageError("not an image", "no image format that is known") from None
    except Exception as error:
        # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
        detail = " ".join(str(error).split()) or type(error).__name__
        reason = _reason(detail)
        raise ImageError(reason, detail, lasting=reason != "not supported") from None
    if not reduced:
        width, height = decoded.size
    elif orientation in LYING:
        width, height = height, width
    return DecodedImage(decoded, width, height)


def _read_raw(content: bytes, how: _How) -> DecodedImage | None:
    """The preview in a camera's raw file; None of any other file."""
    try:
        found = preview(content, how.admit)
        if found is None:
            return None
        turned = False
        if isinstance(found.image, bytes):

            def look(image: Image.Image) -> None:
                nonlocal turned
                turned = ExifTags.Base.Orientation in image.getexif()
                if how.inspect is not None:
                    how.inspect(image)

            image = _read(found.image, replace(how, inspect=look)).image
        else:
            image = in_colour(found.image)
        if not turned and found.turn is not None:
            image = image.transpose(found.turn)
    except RawError as error:
        lasting = is_installed(RAW)
        reason = "damaged" if lasting else "not supported"
        raise ImageError(reason, str(error), lasting=lasting) from None
    except MemoryError:
        raise ImageError("too large", _NO_MEMORY, lasting=False) from None
    if how.inspect is not None:
        # Many are TIFFs, and hold what was said of the image after it was taken.  What Pillow
        # does not know, or finds damaged, says nothing.
        with contextlib.suppress(Exception), Image.open(io.BytesIO(content)) as container:
            how.inspect(container)
    return DecodedImage(image, found.width, found.height)


def read_content(path: Path, offset: int = 0, size: int | None = None) -> bytes:
    """The bytes of an image's file, or of the part of a file that is an image.

    Args:
        path: the file.
        offset: where in it the image begins.
        size: how many bytes it has; None for all that there are.

    Raises:
        ImageError: ``unreadable`` or ``too large``.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(MAX_BYTES + 1 if size is None else min(size, MAX_BYTES + 1))
    except OSError as error:
        raise ImageError("unreadable", error.strerror or str(error), lasting=False) from None
    except MemoryError:
        raise ImageError("too large", _NO_MEMORY, lasting=False) from None
    if len(content) > MAX_BYTES:
        raise ImageError("too large", f"more than {MAX_BYTES:,} bytes")
    return content


def _check_pixels(width: int, height: int, most: float) -> None:
    if width * height > most:
        raise ImageError("too large", f"{width} by {height} pixels")


def _reason(detail: str) -> str:
    """What kind of failure Pillow's words tell of; it has no classes for them."""
    words = detail.lower()
    if "truncated" in words:
        return "truncated"
    return "not supported" if "support" in words else "damaged"
