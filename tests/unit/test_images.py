"""Decoding whatever lies in a folder of images, and what the encoder sees of it."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import models.images
from models.declared import webp_size
from models.images import ImageError, Limits, decode, read
from models.modes import on_white
from models.pillow import MAX_PIXELS
from tests.photographs import GREEN, RED, WHITE, corner, encoded, photograph

GALLERY = Path(__file__).parents[2] / "demo" / "gallery"


def reason(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(content)
    assert caught.value.reason in str(caught.value)
    return caught.value.reason


FORMATS = ["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG", "PPM", "ICO", "AVIF", "JPEG2000", "JXL"]
FORMATS += ["TGA", "PCX", "SGI", "QOI", "DDS", "DIB"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_is_known_by_its_content(format: str, tmp_path: Path) -> None:
    decode(encoded(Image.new("RGB", (32, 32)), "PNG"))  # so that all formats are known
    path = tmp_path / "image.suffix"
    options = {"lossless": True} if format == "JXL" else {}
    path.write_bytes(encoded(Image.new("RGB", (32, 32), RED), format, **options))
    image = on_white(decode(path))
    assert image.size == (32, 32)
    np.testing.assert_allclose(corner(image), RED, atol=4)


def test_an_image_of_a_phone_is_read() -> None:
    """The gallery's black dog, encoded by libheif; its licence is the gallery's."""
    heic = on_white(decode(Path(__file__).with_name("black-dog.heic")))
    original = decode(GALLERY / "animals" / "black-dog.webp").convert("RGB").resize(heic.size)
    difference = np.asarray(heic, dtype=float) - np.asarray(original, dtype=float)
    assert np.abs(difference).mean() < 3
    limits = Limits(pixels=heic.width * heic.height)
    assert decode(Path(__file__).with_name("black-dog.heic"), limits=limits).size == heic.size


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, WHITE)]
    moving = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    seen = decode(moving)
    np.testing.assert_allclose(corner(on_white(seen)), RED, atol=4)


def test_what_is_no_image_says_why(tmp_path: Path) -> None:
    whole = encoded(photograph(200, 150), "JPEG")
    assert reason(b"") == "empty"
    assert reason(b"<html>not found</html>") == "not an image"
    assert reason(bytes(5000)) == "not an image"
    assert reason(whole[: len(whole) // 2]) == "truncated"
    with pytest.raises(ImageError, match="unreadable: No such file"):
        decode(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="unreadable: Is a directory"):
        decode(tmp_path)
    bitmap = bytearray(encoded(photograph(8, 8), "BMP"))
    bitmap[30] = 4
    assert reason(bytes(bitmap)) == "not supported"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG"])
def test_half_an_image_is_an_error_in_every_format(format: str) -> None:
    whole = encoded(photograph(200, 150), format)
    assert reason(whole[: len(whole) // 2]) in ("truncated", "damaged")


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    format = data.draw(st.sampled_from(["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG"]))
    content = bytearray(encoded(photograph(24, 16), format))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with contextlib.suppress(ImageError):
        assert decode(bytes(content), reduce_to=4).mode in ("RGB", "RGBA")


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("times", [1, 3])
def test_a_bomb_is_refused_before_it_is_decoded(times: int) -> None:
    # Pillow's own limit has two steps, a warning and an error.
    assert reason(png_that_claims(times * MAX_PIXELS // 1000 + 1, 1000)) == "too large"


def test_a_small_jpeg_is_decoded_whole() -> None:
    content = encoded(photograph(500, 460), "JPEG")
    assert read(content, reduce_to=224).image.size == (500, 460)


def refused(content: bytes | Path, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        read(content, **options)
    return str(caught.value)


def lossless(width: int, height: int) -> bytes:
    return encoded(Image.new("RGB", (width, height), RED), "WEBP", lossless=True)


def animated(width: int, height: int) -> bytes:
    frames = [Image.new("RGB", (width, height), colour) for colour in (RED, GREEN)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def lossy(width: int, height: int) -> bytes:
    return encoded(photograph(width, height), "WEBP")


@pytest.mark.parametrize("made", [lossless, animated, lossy])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (300, 7), (7, 300), (257, 513)])
def test_the_size_of_a_webp_is_known_before_it_is_opened(
    made: Callable[[int, int], bytes], width: int, height: int
) -> None:
    assert webp_size(made(width, height)) == (width, height)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        lossless(9, 9)[:24],
        b"RIFX" + lossless(9, 9)[4:],
        encoded(Image.new("1", (9, 9)), "PNG"),
    ],
)
def test_what_is_no_webp_has_no_size_of_one(content: bytes) -> None:
    assert webp_size(content) == (0, 0)


@pytest.mark.parametrize("made", [lossless, animated, lossy])
def test_a_stranger_s_webp_has_half_as_many_pixels_and_not_one_more(
    made: Callable[[int, int], bytes],
) -> None:
    content = made(30, 20)
    assert read(content, limits=Limits(pixels=1200)).image.size == (30, 20)
    assert refused(content, limits=Limits(pixels=1199)) == "too large: 30 by 20 pixels"


@pytest.mark.parametrize("format", ["PNG", "GIF", "AVIF", "TIFF", "BMP"])
def test_a_stranger_s_image_has_so_many_pixels_and_not_one_more(format: str) -> None:
    content = encoded(photograph(30, 20), format)
    assert read(content, limits=Limits(pixels=600)).image.size == (30, 20)
    assert refused(content, limits=Limits(pixels=599)) == "too large: 30 by 20 pixels"


def test_a_stranger_s_jpeg_may_have_four_times_as_many_where_it_is_decoded_at_a_fraction() -> None:
    content = encoded(photograph(400, 200), "JPEG")
    decoded = read(content, reduce_to=50, limits=Limits(pixels=20_000))
    assert (decoded.image.size, decoded.width, decoded.height) == ((200, 100), 400, 200)
    said = "too large: 400 by 200 pixels"
    assert refused(content, limits=Limits(pixels=20_000)) == said
    assert refused(content, reduce_to=10, limits=Limits(pixels=19_999)) == said


def test_a_stranger_s_image_is_of_a_format_that_people_have() -> None:
    limits = Limits(pixels=10_000)
    for format in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP"):
        assert read(encoded(photograph(16, 16), format), limits=limits).image.size == (16, 16)
    for format in ("PPM", "ICO", "PCX", "TGA", "SGI"):
        content = encoded(photograph(16, 16), format)
        assert read(content).image.size == (16, 16)
        assert refused(content, limits=limits) == "not an image: no image format that is known"


def test_each_refusal_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(b"") == "empty: the file has no bytes"
    assert refused(b"x") == "not an image: no image format that is known"
    assert refused(tmp_path / "x") == "unreadable: No such file or directory"
    assert str(ImageError("damaged", "")) == "damaged"
    limit = MAX_PIXELS // 1000
    assert refused(png_that_claims(limit + 1, 1000)) == f"too large: {limit + 1} by 1000 pixels"
    twice = refused(png_that_claims(3 * limit, 1000))
    assert twice == "too large: more than 512,000,000 pixels"
    (tmp_path / "x").write_bytes(b"12345")
    monkeypatch.setattr(models.images, "MAX_BYTES", 4)
    assert refused(tmp_path / "x") == "too large: more than 4 bytes"
    monkeypatch.setattr(models.images, "MAX_BYTES", 5)
    assert models.images.read_content(tmp_path / "x") == b"12345"


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError(), "too large: it does not fit into memory"),
        (OSError("image file is truncated (3 bytes)"), "truncated: image file is truncated"),
        (OSError("unsupported BMP\n  compression"), "not supported: unsupported BMP compression"),
        (SyntaxError("broken PNG file"), "damaged: broken PNG file"),
        (ValueError(), "damaged: ValueError"),
    ],
)
def test_what_pillow_says_is_put_into_words(
    raised: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Image.Image) -> None:
        raise raised

    content = encoded(Image.new("RGB", (4, 4), RED), "BMP")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert refused(content).startswith(said)


def test_a_file_that_does_not_fit_into_memory_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, mode: str) -> None:
        assert mode == "rb"
        raise MemoryError

    monkeypatch.setattr(Path, "open", fail)
    assert refused(tmp_path) == "too large: it does not fit into memory"
