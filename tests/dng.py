"""A camera's raw file, small: Adobe's DNG 1.7 with a JPEG preview."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

# TIFF's types: how they are packed, and how many bytes one takes.
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SRATIONAL = 1, 2, 3, 4, 5, 10
Entry = tuple[int, int, int, bytes]


def dng(
    preview: Image.Image | None,
    size: tuple[int, int] = (64, 48),
    *,
    orientation: int = 1,
    colours: bool = True,
) -> bytes:
    """The file of a sensor of one grey, with a preview as the image of it.

    Args:
        preview: as it comes from the sensor, not turned.
        size: of the sensor.
        orientation: EXIF's.
        colours: whether the sensor sees them, by Bayer's pattern.
    """
    width, height = size
    sensor = np.full((height, width), 8000, dtype="<u2").tobytes()
    jpeg = io.BytesIO()
    if preview is not None:
        preview.save(jpeg, "JPEG", quality=95)
    small = preview.size if preview is not None else (8, 8)
    data = jpeg.getvalue() if preview is not None else bytes(8 * 8 * 3)
    raw_at = 8
    preview_at = raw_at + len(sensor)
    first_at = preview_at + len(data)
    first_at += first_at % 2
    sub: list[Entry] = [
        _entry(254, _LONG, 0),
        _entry(256, _LONG, width),
        _entry(257, _LONG, height),
        _entry(258, _SHORT, 16),
        _entry(259, _SHORT, 1),
        _entry(262, _SHORT, 32803 if colours else 34892),
        _entry(273, _LONG, raw_at),
        _entry(277, _SHORT, 1),
        _entry(278, _LONG, height),
        _entry(279, _LONG, len(sensor)),
        _entry(50717, _LONG, 16383),
    ]
    if colours:
        sub += [_entry(33421, _SHORT, 2, 2), _entry(33422, _BYTE, 0, 1, 1, 2)]
    first: list[Entry] = [
        _entry(254, _LONG, 1),
        _entry(256, _LONG, small[0]),
        _entry(257, _LONG, small[1]),
        _entry(258, _SHORT, 8, 8, 8),
        _entry(259, _SHORT, 7 if preview is not None else 1),
        _entry(262, _SHORT, 6 if preview is not None else 2),
        (271, _ASCII, 6, b"Canon\0"),
        (272, _ASCII, 7, b"EOS 5D\0"),
        _entry(273, _LONG, preview_at),
        _entry(274, _SHORT, orientation),
        _entry(277, _SHORT, 3),
        _entry(278, _LONG, small[1]),
        _entry(279, _LONG, len(data)),
        (306, _ASCII, 20, b"2019:07:04 12:30:15\0"),
        _entry(330, _LONG, 0),
        _entry(50706, _BYTE, 1, 4, 0, 0),
        (50708, _ASCII, 7, b"EOS 5D\0"),
        (50721, _SRATIONAL, 9, struct.pack("<18i", *(n for r in _identity() for n in (r, 1)))),
        (50728, _RATIONAL, 3, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),
    ]
    sub_at = first_at + len(_directory(first, first_at))
    first = [_entry(330, _LONG, sub_at) if tag == 330 else (tag, *rest) for tag, *rest in first]
    head = b"II*\0" + struct.pack("<I", first_at) + sensor + data
    return head.ljust(first_at, b"\0") + _directory(first, first_at) + _directory(sub, sub_at)


def _identity() -> list[int]:
    return [1, 0, 0, 0, 1, 0, 0, 0, 1]


def _entry(tag: int, kind: int, *values: int) -> Entry:
    code = {_BYTE: "B", _SHORT: "H", _LONG: "I"}[kind]
    return tag, kind, len(values), struct.pack(f"<{len(values)}{code}", *values)


def _directory(entries: list[Entry], at: int) -> bytes:
    """A TIFF directory that lies at a place in the file, and the values that do not fit into it."""
    beyond_at = at + 2 + 12 * len(entries) + 4
    table, beyond = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in sorted(entries):
        table += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += struct.pack("<I", beyond_at + len(beyond))
            beyond += value + b"\0" * (len(value) % 2)
    return table + struct.pack("<I", 0) + beyond
