"""EXIF: what a camera writes.

Format: CIPA DC-008 (Exif 3.0), sections 4.6.5 to 4.6.8.
"""

from __future__ import annotations

import re

from PIL import ExifTags, Image

from build.metadata import Fields
from build.metadata.values import camera, date, degrees, kept, number, rating, text

_RATING = 0x4746
# What cameras and programs write where a person would describe the image.
_NO_DESCRIPTION = re.compile(
    r"""(olympus|minolta|konica\ minolta|kenox|samsung|sony|lg|polaroid|vivitar|digital|my)?\W*
        (digital\ still\ camera|digital\ camera|dsc|beautiful)?\W*
        |default|untitled|exif.?jpeg(_picture)?|dcim.*|screenshot|created\ with\ .*|file\ source.*
        |(dav|dig|hdr|rhdr|sdr|cof|mde|tmp|ozn|rbt|fbt|rpt|qrf|oznor|hdrpl|edf|vhdr|nor|jpeg|jpg|x)+
        |(img|dsc[nf]?|pict|p|mvimg|pxl|dji|gopr|image|photo)?[-_\ ]?\d[-_\d]*(\.\w{3,4})?""",
    re.IGNORECASE | re.VERBOSE,
)
# Windows' own texts, in UTF-16.
_WINDOWS_TITLE, _WINDOWS_COMMENT, _WINDOWS_AUTHOR, _WINDOWS_KEYWORDS = (
    0x9C9B,
    0x9C9C,
    0x9C9D,
    0x9C9E,
)


def exif_fields(exif: Image.Exif) -> Fields:
    """What is said in EXIF that images are sought by."""
    base, ifd = ExifTags.Base, ExifTags.IFD
    photo, place = exif.get_ifd(ifd.Exif), exif.get_ifd(ifd.GPSInfo)
    gps = ExifTags.GPS
    creator = _ascii(exif.get(base.Artist)) or _windows(exif.get(_WINDOWS_AUTHOR))
    keywords = _windows(exif.get(_WINDOWS_KEYWORDS))
    return kept(
        {
            "caption": _description(_ascii(exif.get(base.ImageDescription)))
            or _description(_windows(exif.get(_WINDOWS_COMMENT))),
            "title": _description(_windows(exif.get(_WINDOWS_TITLE))),
            "keywords": _separated(keywords),
            "creator": _separated(creator),
            "copyright": _ascii(exif.get(base.Copyright)),
            "taken_at": date(photo.get(base.DateTimeOriginal))
            or date(photo.get(base.DateTimeDigitized)),
            "camera": camera(_ascii(exif.get(base.Make)), _ascii(exif.get(base.Model))),
            "lens": _ascii(photo.get(base.LensModel)),
            "rating": rating(exif.get(_RATING)),
            "exposure_seconds": number(photo.get(base.ExposureTime)),
            "aperture": number(photo.get(base.FNumber)),
            "iso": number(_first(photo.get(base.ISOSpeedRatings))),
            "focal_length_mm": number(photo.get(base.FocalLength)),
            "software": _ascii(exif.get(base.Software)),
            "latitude": _angle(place.get(gps.GPSLatitude), place.get(gps.GPSLatitudeRef)),
            "longitude": _angle(place.get(gps.GPSLongitude), place.get(gps.GPSLongitudeRef)),
        }
    )


def _description(line: str | None) -> str | None:
    return None if line is None or _NO_DESCRIPTION.fullmatch(line) else line


def _ascii(value: object) -> str | None:
    """A text of EXIF: ASCII says the standard, and UTF-8 write those who need other letters."""
    if isinstance(value, str):
        # Pillow has taken the bytes for Latin-1.
        value = value.encode("latin-1", "replace")
    return text(value)


def _windows(value: object) -> str | None:
    return (
        text(value.decode("utf-16-le", "replace").rstrip("\0"))
        if isinstance(value, bytes)
        else None
    )


def _separated(line: str | None) -> list[str]:
    return [] if line is None else [part.strip() for part in line.split(";") if part.strip()]


def _angle(parts: object, side: object) -> float | None:
    return degrees(parts, side) if isinstance(parts, tuple) and isinstance(side, str) else None


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value
