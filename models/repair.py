"""Images that every browser shows, though something about them is broken that nobody sees."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_END_OF_IMAGE = b"\xff\xd9"
# Decoded as pixels where some are missing, and passed over where none are.
_OTHER_PIXELS = bytes(range(1, 200)) * 8
# Of a PNG's chunks that may be left out, the one that changes what is seen of the pixels.
_TRANSPARENCY = b"tRNS"


def without_extras(content: bytes) -> bytes | None:
    """A PNG without what is not needed to show it; None for anything else.

    Texts, dates, profiles and camera data may be too large or damaged.  Format: PNG 3rd edition,
    section 5: length, type, data, CRC-32; a type in lower case may be left out.
    """
    if not content.startswith(_PNG):
        return None
    return b"".join([_PNG, *(chunk for kind, chunk in _chunks(content) if _is_needed(kind))])


def with_its_end(content: bytes) -> tuple[bytes, bytes] | None:
    """A JPEG with the marker that it ends with, and one with other pixels before that.

    Both show the same where no pixel is missing.  None for anything else.  Format: ITU-T T.81,
    annex B.
    """
    if not content.startswith(_JPEG):
        return None
    whole = content.rstrip(b"\0")
    whole = whole[:-1] if whole.endswith(b"\xff") else whole
    return whole + _END_OF_IMAGE, whole + _OTHER_PIXELS + _END_OF_IMAGE


def _is_needed(kind: bytes) -> bool:
    return kind[:1].isupper() or kind == _TRANSPARENCY


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at : at + 12 + length]
        at += 12 + length
