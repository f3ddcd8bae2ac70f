"""The images that were indexed, where they still lie below the image root."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serving.gps import without_gps

_LONGEST_BEGINNING = 16


@dataclass(frozen=True, slots=True)
class Original:
    """An image's file and the type that its first bytes tell.

    ``content`` is what leaves in place of the file's own bytes, where they are not to.
    """

    path: Path
    media_type: str
    content: bytes | None = None


def find(root: Path, image_path: str, *, with_gps: bool) -> Original | None:
    """The image at a path below the root, with or without where it was taken.

    None where there is none: no file, one that only a link leads to out of the root, or one
    that does not begin as an image does.  HTML and SVG are none: a browser would run what is
    in them.
    """
    relative = PurePosixPath(image_path)
    if relative.is_absolute() or ".." in relative.parts:
        return None
    try:
        # Links followed, so that what is served lies where the operator said.
        path = (root / relative).resolve(strict=True)
        if not path.is_relative_to(root.resolve(strict=True)):
            return None
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as stream:
            media_type = image_type(stream.read(_LONGEST_BEGINNING))
        content = None if with_gps or not media_type else without_gps(path)
    # A link that leads to itself is a RuntimeError before Python 3.13.
    except (OSError, RuntimeError, ValueError):
        return None
    return Original(path, media_type, content) if media_type else None


def image_type(beginning: bytes) -> str | None:
    """The media type of an image by its first 16 bytes, None where it is none of those."""
    for signature, media_type in _SIGNATURES.items():
        if beginning.startswith(signature):
            return media_type
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    if beginning[4:8] == b"ftyp":
        return _BRANDS.get(beginning[8:12])
    return None


_SIGNATURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"BM": "image/bmp",
}
# Of the ISO base media file format.
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
}
