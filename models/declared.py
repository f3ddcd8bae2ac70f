"""The size that an image's file declares, where its decoder makes room as soon as it opens it.

A few kilobytes may declare any size, so it has to be known before.
"""

from __future__ import annotations

import struct

_JXL_CODESTREAM = b"\xff\x0a"
_JXL_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
# Width to height, where a JPEG XL says no more of its width.
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_LENGTHS = (9, 13, 18, 30)
# Its size takes 79 bits at most.
_JXL_HEAD = 12


def webp_size(content: bytes) -> tuple[int, int]:
    """Width and height that a WebP declares, 0 and 0 of anything else.

    Format: RFC 9649, sections 2.5 to 2.7.
    """
    head = content[:30]
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 25:
        return 0, 0
    kind, data = head[12:16], head[20:]
    if kind == b"VP8X":
        return (
            int.from_bytes(data[4:7], "little") + 1,
            int.from_bytes(data[7:10], "little") + 1,
        )
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = data[6:8], data[8:10]
    return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF


def jxl_size(content: bytes) -> tuple[int, int]:
    """Width and height that a JPEG XL declares, not turned; 0 and 0 of anything else.

    Format: ISO/IEC 18181-1, annex D (SizeHeader), and 18181-2 for the boxes around it.
    """
    head = _codestream(content)
    if not head.startswith(_JXL_CODESTREAM):
        return 0, 0
    bits = int.from_bytes(head, "little") >> 16

    def take(count: int) -> int:
        nonlocal bits
        taken = bits & ((1 << count) - 1)
        bits >>= count
        return taken

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take(_JXL_LENGTHS[take(2)]) + 1

    height = side()
    ratio = take(3)
    if ratio == 0:
        return side(), height
    wide, high = _JXL_RATIOS[ratio - 1]
    return height * wide // high, height


def _codestream(content: bytes) -> bytes:
    """The beginning of a JPEG XL's image, which may lie in a box."""
    if not content.startswith(_JXL_CONTAINER):
        return content[:_JXL_HEAD]
    at = len(_JXL_CONTAINER)
    while at + 16 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        inside = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, inside)
            inside += 8
        if kind in (b"jxlc", b"jxlp"):
            # The parts of an image in several boxes are numbered.
            inside += 4 if kind == b"jxlp" else 0
            return content[inside : inside + _JXL_HEAD]
        if size < 8:
            break  # it goes to the end, and is another thing
        at += size
    return b""
