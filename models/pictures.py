"""From a picture's bytes to what the encoder sees, and to a thumbnail.

Used when a bundle is built and when a picture is sent as a query, so that both see it
alike.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from models.colour import in_srgb
from models.declared import jxl_size, webp_size
from models.formats import HEIF, JPEG_XL, RAW, is_installed
from models.manifest import Preprocessing
from models.raw import RawError, preview
from models.repair import with_its_end, without_extras

# The largest photographs of today's cameras have some 200 million pixels; what claims to
# have more is refused before it is decoded, since a few kilobytes can claim anything.
MAX_PIXELS = 256_000_000
MAX_BYTES = 1 << 30
THUMBNAIL_SIDE = 320
_THUMBNAIL_QUALITY = 80
# Half the time of WebP's usual effort (4) for thumbnails 4 % larger: a thirtieth of all that
# a small picture costs when a bundle is built.
_THUMBNAIL_EFFORT = 2
# JPEGs are decoded at a half, a quarter or an eighth of their size as long as this many
# times the encoder's size is left.
_REDUCED_MARGIN = 2
# Scaling the shorter side of a longer strip to the encoder's size could fill any memory.
_LONGEST_STRIP = 32
# EXIF's orientations: as it is; mirrored or turned; those of them that swap width and height.
_UPRIGHT = 1
_TURNED = range(2, 9)
_LYING = range(5, 9)
_WHITE = (255, 255, 255)
_NO_MEMORY = "it does not fit into memory"
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}

# What is taken from strangers.  Not EPS, which Pillow hands to Ghostscript to be run.
_STRANGERS_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "TIFF", "BMP")
# A JPEG that is decoded at a fraction of its size is held as a whole all the same, in a quarter
# of the memory at most, where it is a progressive one.
_PIXELS_OF_A_JPEG = 4
# A WebP takes 16 bytes a pixel: its decoder's own two pictures, its bytes, and Pillow's picture.
_PIXELS_OF_A_WEBP = 0.5
# Grey of more than 8 bits is scaled, and what is transparent laid on white, so many at a time.
_PIXELS_AT_ONCE = 1 << 20

# What Pillow warns of once a picture is open nobody can do anything about, and whoever sends
# pictures could fill a log with it.  The filters are set once, since warnings.catch_warnings
# is not safe in threads.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Harmless: Pillow refuses only above twice its limit; read() refuses above it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Harmless: damaged metadata. What cannot be read of it is left out; the picture is there.
warnings.filterwarnings(
    "ignore",
    message="(Possibly )?corrupt EXIF|Metadata Warning|Tag (offset too large|data larger)",
    category=UserWarning,
    module=r"PIL\.",
)
# Harmless: a damaged list of further frames, of which only the first is taken.
warnings.filterwarnings(
    "ignore",
    message="Invalid APNG|Image appears to be a malformed MPO",
    category=UserWarning,
    module=r"PIL\.",
)
# Harmless: an advice to convert to RGBA, which is what read() does.
warnings.filterwarnings(
    "ignore",
    message="Palette images with Transparency expressed in bytes",
    category=UserWarning,
    module=r"PIL\.",
)
# Harmless: the header of an icon gives another size than its picture has, whose own counts.
warnings.filterwarnings(
    "ignore", message="Image was not the expected size", category=UserWarning, module=r"PIL\."
)


class PictureError(Exception):
    """A picture that cannot be decoded.

    ``reason`` is one of ``empty``, ``not a picture``, ``truncated``, ``damaged``, ``not
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
    """What a picture that anybody may send must keep to.

    ``pixels`` are counted as they are decoded: a JPEG that is decoded at a fraction of its
    size may have four times as many, a WebP half as many.  Decoding then takes ten bytes for
    each, or less.
    """

    pixels: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright, ``RGB`` or, where it is transparent, ``RGBA``.

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
) -> Picture:
    """Decode a picture, whatever its suffix says.

    Of an animation the first frame is taken; 16 bits are scaled to 8, CMYK, palettes and
    grey are converted, and colours are those that an embedded profile means.  What is broken
    of a file but does not show (metadata of a PNG, the end marker of a JPEG) is no matter.

    Args:
        source: a file or its content.
        reduce_to: pixels that the shorter side will be scaled to; a JPEG that is much
            larger is decoded at a fraction of its size, which is several times faster.
        limits: for pictures from strangers; also leaves out the formats that are no matter
            of theirs.
        inspect: is shown the picture as it was decoded, with all that its file says of it; may
            be called more than once, for a file that has to be mended.
        admit: is told how many pixels are about to be decoded, at ten bytes each; may wait, or
            refuse with a :class:`PictureError`.

    Raises:
        PictureError: says why there is no picture.
    """
    content = source if isinstance(source, bytes) else read_content(source)
    if not content:
        raise PictureError("empty", "the file has no bytes")
    how = _How(reduce_to, limits, inspect, admit)
    if limits is None:
        raw = _read_raw(content, how)
        if raw is not None:
            return raw
    try:
        return _read(content, how)
    except PictureError as error:
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
        whole: the pixels of the picture at its full size.
    """
    decoded = image.width * image.height
    if image.format == "WEBP":
        return int(decoded / _PIXELS_OF_A_WEBP)
    return max(decoded, whole // _PIXELS_OF_A_JPEG) if decoded < whole else decoded


def _mended(content: bytes, how: _How) -> Picture | None:
    """The picture of a file that is broken where nobody sees it; None where it is elsewhere."""
    try:
        if (plain := without_extras(content)) is not None:
            return _read(plain, how)
        if (ended := with_its_end(content)) is not None:
            picture, other = (_read(each, how) for each in ended)
            return picture if picture.image.tobytes() == other.image.tobytes() else None
    except PictureError:
        pass
    return None


def _read(content: bytes, how: _How) -> Picture:
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
        _plug_in()
        formats = None if limits is None else _strangers_formats()
        with Image.open(io.BytesIO(content), formats=formats) as image:
            width, height = image.size
            _check_pixels(width, height, MAX_PIXELS)
            if how.reduce_to is not None:
                wanted = how.reduce_to * _REDUCED_MARGIN
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
            orientation = _orientation(image)
            upright = _in_colour(in_srgb(_eight_bits(_upright(image, orientation))))
            if upright is image and image.format == "WEBP":
                # Its decoder has two more pictures in memory for as long as this one lives.
                upright = image.copy()
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError("too large", f"more than {2 * MAX_PIXELS:,} pixels") from None
    except MemoryError:
        raise PictureError("too large", _NO_MEMORY, lasting=False) from None
    except UnidentifiedImageError:
        raise PictureError("not a picture", "no picture format that is known") from None
    except Exception as error:
        # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
        detail = " ".join(str(error).split()) or type(error).__name__
        reason = _reason(detail)
        raise PictureError(reason, detail, lasting=reason != "not supported") from None
    if not reduced:
        width, height = upright.size
    elif orientation in _LYING:
        width, height = height, width
    return Picture(upright, width, height)


def _read_raw(content: bytes, how: _How) -> Picture | None:
    """The preview in a camera's raw file; None of any other file."""
    try:
        found = preview(content, how.admit)
        if found is None:
            return None
        upright = False
        if isinstance(found.image, bytes):

            def look(image: Image.Image) -> None:
                nonlocal upright
                upright = ExifTags.Base.Orientation in image.getexif()
                if how.inspect is not None:
                    how.inspect(image)

            image = _read(found.image, replace(how, inspect=look)).image
        else:
            image = _in_colour(found.image)
        if not upright and found.turn is not None:
            image = image.transpose(found.turn)
    except RawError as error:
        lasting = is_installed(RAW)
        reason = "damaged" if lasting else "not supported"
        raise PictureError(reason, str(error), lasting=lasting) from None
    except MemoryError:
        raise PictureError("too large", _NO_MEMORY, lasting=False) from None
    if how.inspect is not None:
        # Many are TIFFs, and hold what was said of the picture after it was taken.  What Pillow
        # does not know, or finds damaged, says nothing.
        with contextlib.suppress(Exception), Image.open(io.BytesIO(content)) as container:
            how.inspect(container)
    return Picture(image, found.width, found.height)


def read_content(path: Path, offset: int = 0, size: int | None = None) -> bytes:
    """The bytes of a picture's file, or of the part of a file that is a picture.

    Args:
        path: the file.
        offset: where in it the picture begins.
        size: how many bytes it has; None for all that there are.

    Raises:
        PictureError: ``unreadable`` or ``too large``.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(MAX_BYTES + 1 if size is None else min(size, MAX_BYTES + 1))
    except OSError as error:
        raise PictureError("unreadable", error.strerror or str(error), lasting=False) from None
    except MemoryError:
        raise PictureError("too large", _NO_MEMORY, lasting=False) from None
    if len(content) > MAX_BYTES:
        raise PictureError("too large", f"more than {MAX_BYTES:,} bytes")
    return content


def reduced_side(preprocessing: Preprocessing) -> int:
    """The ``reduce_to`` that is enough for both the encoder and a thumbnail."""
    return max(preprocessing.width, preprocessing.height, THUMBNAIL_SIDE // _REDUCED_MARGIN)


def on_white(image: Image.Image, *, trim: bool = False) -> Image.Image:
    """A decoded picture as ``RGB``, what is transparent in it white.

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


def preprocess(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """What the encoder sees of a decoded picture: float32 ``[3, height, width]``.

    The same numbers as ``open_clip.image_transform`` gives for an opaque picture.
    """
    opaque = on_white(image, trim=preprocessing.trim_transparent)
    fitted = _fit(opaque, preprocessing)
    pixels = np.asarray(fitted, dtype=np.float32) / 255
    mean = np.array(preprocessing.mean, dtype=np.float32)
    std = np.array(preprocessing.std, dtype=np.float32)
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))


def thumbnail(image: Image.Image) -> bytes:
    """A decoded picture as WebP, its longer side at most 320 pixels, transparency kept.

    Nothing else of the original's file goes into it: neither where it was taken nor its
    colour profile, which need not fit what the colours were converted to.
    """
    scale = THUMBNAIL_SIDE / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    output = io.BytesIO()
    image.save(
        output,
        "WEBP",
        quality=_THUMBNAIL_QUALITY,
        method=_THUMBNAIL_EFFORT,
        exif=b"",
        icc_profile=b"",
        xmp=b"",
    )
    return output.getvalue()


def _check_pixels(width: int, height: int, most: float) -> None:
    if width * height > most:
        raise PictureError("too large", f"{width} by {height} pixels")


@cache
def _plug_in() -> None:
    """Teach Pillow the formats whose packages are there."""
    if is_installed(HEIF):
        from pi_heif import register_heif_opener

        # A preview in the file is not the picture.
        register_heif_opener(thumbnails=False)
    if is_installed(JPEG_XL):
        import_module(JPEG_XL.module)


@cache
def _strangers_formats() -> tuple[str, ...]:
    """Those of the formats that this Pillow, with its plug-ins, can read."""
    Image.init()
    return tuple(name for name in _STRANGERS_FORMATS if name in Image.OPEN)


def _reason(detail: str) -> str:
    """What kind of failure Pillow's words tell of; it has no classes for them."""
    words = detail.lower()
    if "truncated" in words:
        return "truncated"
    return "not supported" if "support" in words else "damaged"


def _in_colour(image: Image.Image) -> Image.Image:
    """A picture of 8 bits a channel as RGB or RGBA."""
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    wanted = "RGBA" if transparent else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of more than 8 bits scaled so that white is 255; any other as it is.

    A few rows at a time: all of them in double precision would take ten times the memory of
    the picture itself.
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
    """The value that means white in a grey picture of more than 8 bits.

    Integers have 16 bits unless they need more; floats are in use as 0..1, 0..255 and
    0..65535.
    """
    if mode == "F":
        highest = float(values.max(initial=0, where=np.isfinite(values)))
    else:
        highest = float(values.max(initial=0))
    levels = (1.0, 255.0, 65535.0) if mode == "F" else (65535.0,)
    return next((level for level in levels if highest <= level), highest)


def _orientation(image: Image.Image) -> int:
    """What EXIF says of how the picture is to be turned; 1 where it says nothing."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT))
    except Exception:
        # Pillow raises much.  Broken EXIF is no reason to lose the picture.
        return _UPRIGHT


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation says; as it is, and no copy, where it is right."""
    if orientation not in _TURNED:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # What follows the orientation may be broken, too.
        return image


def _fit(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """An RGB picture at the encoder's size; roundings are torchvision's and open_clip's."""
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
    """The middle of a picture that is very much longer than wide, else the picture."""
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
    """The centre of a larger picture; a smaller one in the middle of ``fill``."""
    if image.width >= width and image.height >= height:
        left = round((image.width - width) / 2)
        top = round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))
    canvas = Image.new("RGB", (width, height), (fill, fill, fill))
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas
