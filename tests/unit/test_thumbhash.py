"""What stands in for images: as the format's own code writes it, computed once."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from build import thumbhash as module
from build.journal import Journal, Record
from build.scan import ImageFile
from build.thumbhash import thumbhash, thumbhashes


def noise(width: int, height: int, *, clear: bool = False) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if not clear:
        pixels[..., 3] = 255
    return Image.fromarray(pixels, "RGBA")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (noise(32, 20), "HwgCDIBRe2xAOJrLhqmJCHYH1w=="),
        (noise(18, 32), "HwgCDAKbBri2FXul6do49ShAwA=="),
        (noise(24, 24, clear=True), "HgiCBQII3/tR6LrZymW2D6q2pNaJZIZgGw=="),
    ],
    ids=["wide", "tall", "see-through"],
)
def test_it_is_what_the_reference_writes(image: Image.Image, expected: str) -> None:
    """Computed by thumbhash-python 1.0.1, a port of the format's own JavaScript."""
    assert base64.b64encode(thumbhash(image)).decode() == expected


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.sampled_from(["L", "RGB", "RGBA", "P", "1", "LA"]),
    st.integers(0, 255),
)
def test_any_image_has_a_short_one(width: int, height: int, mode: str, colour: int) -> None:
    written = thumbhash(Image.new("L", (width, height), colour).convert(mode))
    assert 5 <= len(written) <= 32
    assert not written[2] & 0x80


def test_one_colour_is_no_noise() -> None:
    written = thumbhash(Image.new("RGB", (31, 17), (200, 100, 50)))
    assert set(written[5:]) == {0}


def test_what_can_be_seen_through_says_so() -> None:
    assert thumbhash(noise(24, 24, clear=True))[2] & 0x80
    assert thumbhash(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))[2] & 0x80


def webp(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "WEBP")
    return content.getvalue()


def test_each_is_computed_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [noise(16 + n, 16) for n in range(5)]
    with Journal(tmp_path / "journal.sqlite", "encoder", tmp_path) as journal:
        for number, image in enumerate(images):
            vector = np.zeros(2, dtype=np.float32)
            record = Record(bytes([number]) * 32, image.width, 16, vector, webp(image))
            journal.put(ImageFile(f"{number}.png", 1, 1, 1), record, 2)
        listed = [(f"{number}.png", (1, 1)) for number in range(5)]
        # Of an image that is an embedding alone nothing can be made.
        listed = [*listed[:2], ("given", None), *listed[2:]]
        monkeypatch.setattr(module, "_AT_ONCE", 2)
        first = list(thumbhashes(listed, journal, 2))
        assert first.pop(2) is None
        with Image.open(io.BytesIO(webp(images[3]))) as image:
            assert first[3] == base64.b64encode(thumbhash(image)).decode()
        assert len(set(first)) == 5

        monkeypatch.setattr(module, "thumbhash", None)
        again = list(thumbhashes(listed, journal, 2))
        assert again[:2] + again[3:] == first
