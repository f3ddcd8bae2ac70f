"""What an image's file says of the image."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageFile, IptcImagePlugin, PsdImagePlugin

from build.metadata import Fields
from build.metadata.exif import exif_fields
from build.metadata.iptc import iptc_fields
from build.metadata.xmp import read_xmp, xmp_fields

# To be raised when more is read, or is read otherwise: each image is then looked at again.
READING = 1
# Of Adobe's "Photoshop File Formats", image resources.
_PHOTOSHOP_XMP = 1060


class Embedded:
    """Gathers the fields that an image's file holds, by the standard they are written in.

        >>> embedded = Embedded()
        >>> read(content, inspect=embedded.inspect)
        >>> embedded.fields
        {'xmp': {'alt_text': 'A fox looks back'}, 'exif': {'taken_at': '2019-07-04T12:30:00'}}

    Nothing that is wrong with them is an error: the image is there without.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Fields] = {}

    def inspect(self, image: Image.Image) -> None:
        """Take in what the file of a decoded image says."""
        readers: dict[str, Callable[[Image.Image], Fields]] = {
            "xmp": _xmp,
            "iptc": _iptc,
            "exif": _exif,
        }
        for standard, reader in readers.items():
            try:
                fields = reader(image)
            except Exception:
                # Damaged metadata makes Pillow raise much; each standard stands for itself.
                continue
            if fields:
                self.fields[standard] = fields


def _xmp(image: Image.Image) -> Fields:
    packet = image.info.get("xmp")
    if isinstance(image, PsdImagePlugin.PsdImageFile):
        packet = next((data for id_, _, data in image.resources if id_ == _PHOTOSHOP_XMP), None)
    if isinstance(packet, str):
        packet = packet.encode()
    return xmp_fields(read_xmp(packet)) if isinstance(packet, bytes) else {}


def _iptc(image: Image.Image) -> Fields:
    if not isinstance(image, ImageFile.ImageFile):
        return {}
    return iptc_fields(IptcImagePlugin.getiptcinfo(image) or {})


def _exif(image: Image.Image) -> Fields:
    return exif_fields(image.getexif())
