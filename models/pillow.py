"""Pillow as it is set up here: how large an image may be, what it reads, what it warns of."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module

from PIL import Image

from models.formats import HEIF, JPEG_XL, is_installed

# The largest photographs of today's cameras have some 200 million pixels; what claims to
# have more is refused before it is decoded, since a few kilobytes can claim anything.
MAX_PIXELS = 256_000_000
# What is taken from strangers.  Not EPS, which Pillow hands to Ghostscript to be run.
_STRANGERS_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "TIFF", "BMP")

# What Pillow warns of once an image is open nobody can do anything about, and whoever sends
# images could fill a log with it.  The filters are set once, since warnings.catch_warnings
# is not safe in threads.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# Harmless: Pillow refuses only above twice its limit; read() refuses above it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Harmless: damaged metadata. What cannot be read of it is left out; the image is there.
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
# Harmless: the header of an icon gives another size than its image has, whose own counts.
warnings.filterwarnings(
    "ignore", message="Image was not the expected size", category=UserWarning, module=r"PIL\."
)


@cache
def plug_in() -> None:
    """Teach Pillow the formats whose packages are there."""
    if is_installed(HEIF):
        from pi_heif import register_heif_opener

        # A preview in the file is not the image.
        register_heif_opener(thumbnails=False)
    if is_installed(JPEG_XL):
        import_module(JPEG_XL.module)


@cache
def strangers_formats() -> tuple[str, ...]:
    """Those of the formats that this Pillow, with its plug-ins, can read."""
    Image.init()
    return tuple(name for name in _STRANGERS_FORMATS if name in Image.OPEN)
