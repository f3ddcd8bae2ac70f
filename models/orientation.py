"""Which way up an image is: what EXIF says of it, and the image turned that way."""

from __future__ import annotations

from PIL import ExifTags, Image, ImageOps

# EXIF's orientations: as it is; mirrored or turned; those of them that swap width and height.
_UPRIGHT = 1
_TURNED = range(2, 9)
LYING = range(5, 9)


def orientation_of(image: Image.Image) -> int:
    """What EXIF says of how the image is to be turned; 1 where it says nothing."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT))
    except Exception:
        # Pillow raises much.  Broken EXIF is no reason to lose the image.
        return _UPRIGHT


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned as its EXIF orientation says; as it is, and no copy, where it is right."""
    if orientation not in _TURNED:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # What follows the orientation may be broken, too.
        return image
