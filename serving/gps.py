"""Where an image was taken, taken out of its file.

Who publishes a collection seldom means to publish where the photographers live.  What says so is
overwritten in place: nothing moves, and all else that the file says stays.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

# EXIF is a TIFF within the file: in JPEG and HEIF after "Exif" and two zeros, in PNG and WebP in a
# chunk of its own, with the length between its name and it.
_TIFF = rb"(?:II\*\0|MM\0\*)"
_EXIF = re.compile(
    rb"\A(?=" + _TIFF + rb")"
    rb"|Exif\0\0(?=" + _TIFF + rb")"
    rb"|EXIF.{4}(?=" + _TIFF + rb")"
    rb"|eXIf(?=" + _TIFF + rb")",
    re.DOTALL,
)
# How they begin, but for a file that is a TIFF itself.  Nothing else runs while a pattern is looked
# for, and a plain text is found in a tenth of the time.
_EXIF_BEGINS = (b"Exif\0\0", b"EXIF", b"eXIf")
_XMP_BEGINS = b"exif:GPS"
# XMP, as an attribute or as an element: exif:GPSLatitude="51,30.5N".
_XMP = re.compile(
    rb"exif:GPS\w{1,40}\s*=\s*(?:\"([^\"<]{0,200})\"|'([^'<]{0,200})')"
    rb"|<exif:GPS\w{1,40}>([^<]{0,200})</exif:GPS"
)
_PNG = b"\x89PNG\r\n\x1a\n"
# EXIF's tag for the place of the directory that says where, and the bytes of a value of each type.
_GPS_DIRECTORY = 0x8825
_ENTRY = 12
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


def without_gps(path: Path) -> bytes | None:
    """The bytes of an image's file without where it was taken; None where it does not say.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        try:
            # Of a private copy only those pages are made that are written to.
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        except ValueError:
            return None  # empty
    with content:
        spans = [*_exif_spans(content), *_xmp_spans(content)]
        for start, end, filler in spans:
            content[start:end] = filler * (end - start)
        if not spans:
            return None
        if content[: len(_PNG)] == _PNG:
            _renew_checksums(content)
        return content[:]


def _exif_spans(content: mmap.mmap) -> Iterator[tuple[int, int, bytes]]:
    places = (place for begin in _EXIF_BEGINS for place in _places(content, begin))
    for match in (_EXIF.match(content, place) for place in chain([0], places)):
        if match is None:
            continue
        try:
            for start, end in _gps_values(content, match.end()):
                yield start, end, b"\0"
        except struct.error:
            # A directory that points out of the file: nobody else can read it, either.
            continue


def _gps_values(content: mmap.mmap, tiff: int) -> Iterator[tuple[int, int]]:
    """The values of the GPS directory of the TIFF that begins there.

    Format: TIFF 6.0, section 2; CIPA DC-008, section 4.6.3.
    """
    order = "<" if content[tiff : tiff + 2] == b"II" else ">"

    def entries(directory: int) -> Iterator[tuple[int, int, int, int]]:
        (count,) = struct.unpack_from(f"{order}H", content, tiff + directory)
        for number in range(count):
            at = tiff + directory + 2 + number * _ENTRY
            tag, kind, length = struct.unpack_from(f"{order}HHI", content, at)
            yield at, tag, kind, length

    (first,) = struct.unpack_from(f"{order}I", content, tiff + 4)
    for at, tag, _, _ in entries(first):
        if tag != _GPS_DIRECTORY:
            continue
        (directory,) = struct.unpack_from(f"{order}I", content, at + 8)
        for entry, _, kind, length in entries(directory):
            size = _SIZES.get(kind, 1) * length
            if size > 4:
                (value,) = struct.unpack_from(f"{order}I", content, entry + 8)
                start = tiff + value
                if start + size > len(content):
                    continue
            else:
                start, size = entry + 8, 4
            # Already empty, or so much of the file that it is no place.
            if size <= 4096 and content[start : start + size].strip(b"\0"):
                yield start, start + size


def _xmp_spans(content: mmap.mmap) -> Iterator[tuple[int, int, bytes]]:
    for place in _places(content, _XMP_BEGINS):
        # As an attribute, or as an element, which begins before it.
        match = _XMP.match(content, place) or _XMP.match(content, max(0, place - 1))
        if match is None:
            continue
        start, end = next(span for span in map(match.span, (1, 2, 3)) if span != (-1, -1))
        if content[start:end].strip():
            yield start, end, b" "


def _places(content: mmap.mmap, text: bytes) -> Iterator[int]:
    """Where a text lies, from the first place to the last."""
    place = content.find(text, 0)
    while place >= 0:
        yield place
        place = content.find(text, place + 1)


def _renew_checksums(content: mmap.mmap) -> None:
    """Make the checksums of a PNG's chunks those of what they hold: PNG 3rd edition, section 5."""
    at = len(_PNG)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 8 + length
        if end + 4 > len(content):
            return
        if content[at + 4 : at + 8] in (b"eXIf", b"iTXt"):
            struct.pack_into(">I", content, end, zlib.crc32(content[at + 4 : end]))
        at = end + 4
