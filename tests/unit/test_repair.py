"""What is broken where nobody sees it, and what is broken where everybody does."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from models.images import ImageError, Limits, read
from models.repair import with_its_end, without_extras


def photograph(width: int = 120, height: int = 90) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height // 6, width // 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def with_chunk(extra: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    content = saved(photograph(), "PNG")
    return content[:33] + extra + content[33:]


LARGE = zlib.compress(bytes(80 << 20))

EXTRAS = {
    "a wrong checksum of camera data": chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0", 1),
    "a wrong checksum of a text": chunk(b"tEXt", b"Comment\0a fox", 1),
    "a wrong checksum of the time": chunk(b"tIME", bytes(7), 1),
    "a large text": chunk(b"zTXt", b"Comment\0\0" + LARGE),
    "a large profile": chunk(b"iCCP", b"x\0\0" + LARGE),
    "a profile that is no zlib": chunk(b"iCCP", b"x\0\0nonsense"),
    "a chunk that nobody knows": chunk(b"foOb", b"x", 1),
    "a size that makes no sense": chunk(b"pHYs", b"", 1),
}


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=EXTRAS)
def test_a_png_is_shown_whatever_is_wrong_beside_its_pixels(extra: bytes) -> None:
    for limits in (None, Limits(pixels=1_000_000)):
        decoded = read(with_chunk(extra), limits=limits)
        assert decoded.image.tobytes() == photograph().tobytes()


def test_what_is_transparent_is_needed() -> None:
    image = photograph().convert("P")
    whole = saved(image, "PNG", transparency=0)
    content = whole[:33] + EXTRAS["a wrong checksum of a text"] + whole[33:]
    assert read(content).image.mode == "RGBA"
    assert read(content).image.tobytes() == read(whole).image.tobytes()


@pytest.mark.parametrize(
    "harm",
    [
        # A pixel's own checksum, its data cut short, a header that lies.
        lambda png: png[:-20] + bytes([png[-20] ^ 1]) + png[-19:],
        lambda png: png[: len(png) // 2],
        lambda png: png[:16] + bytes(8) + png[24:],
    ],
)
def test_a_png_whose_pixels_are_broken_is_not(harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ImageError):
        read(harm(saved(photograph(), "PNG")))


def jpegs() -> Iterator[tuple[str, bytes]]:
    yield "usual", saved(photograph(), "JPEG")
    yield "progressive", saved(photograph(), "JPEG", progressive=True)
    yield "not subsampled", saved(photograph(), "JPEG", subsampling=0, quality=97)
    yield "grey", saved(photograph().convert("L"), "JPEG")
    yield "of an odd size", saved(photograph(117, 83), "JPEG")
    yield "with restarts", saved(photograph(), "JPEG", restart_marker_rows=1)


JPEGS = dict(jpegs())


@pytest.mark.parametrize("content", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("end", [b"", b"\xff", bytes(1000)], ids=["cut", "half", "zeros"])
def test_a_jpeg_is_shown_without_its_end_marker(content: bytes, end: bytes) -> None:
    assert content.endswith(b"\xff\xd9")
    decoded = read(content[:-2] + end)
    assert decoded.image.tobytes() == read(content).image.tobytes()


@pytest.mark.parametrize("content", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_a_jpeg_that_lacks_pixels_is_truncated(content: bytes, share: float) -> None:
    cut = content[: int(share * len(content))]
    with pytest.raises(ImageError) as error:
        read(cut)
    assert error.value.reason in ("truncated", "damaged")


def test_a_jpeg_that_is_reduced_is_judged_alike() -> None:
    content = saved(photograph(1200, 900), "JPEG")
    assert read(content[:-2], reduce_to=100).image.size == (300, 225)
    with pytest.raises(ImageError):
        read(content[: len(content) // 2], reduce_to=100)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG", b"\xff"])
def test_nothing_else_is_mended(content: bytes) -> None:
    assert without_extras(content) is None
    assert with_its_end(content) is None
